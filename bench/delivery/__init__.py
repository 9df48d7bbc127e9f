"""How fast jobs are picked up, drained and shared among workers."""
