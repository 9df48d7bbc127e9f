"""The `cutline` command."""
