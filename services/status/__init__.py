"""The status service: tells what became of designs, once and as it happens."""
