"""The mockup worker: a finished sticker in, pictures of it in use out."""
