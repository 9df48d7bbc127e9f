"""Generated from proto/cutline/v1 by `make proto`; never edited."""
