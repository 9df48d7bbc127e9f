"""Bytes in an S3 store: keys that hold their content's digest, signed addresses for clients, and plain get and put."""
