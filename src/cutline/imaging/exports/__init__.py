"""The files of a sticker, one module each: bytes out, the same bytes for the same input."""
