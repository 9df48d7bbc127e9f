"""The words and rules of stickers and jobs: pure values, no I/O, no clock, no environment."""
