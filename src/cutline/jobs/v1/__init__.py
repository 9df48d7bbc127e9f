"""Generated from proto/cutline/jobs/v1 by `make proto`; never edited."""
