"""Accepts work: promises uploads, takes designs, and keeps their jobs on the way to the workers."""
