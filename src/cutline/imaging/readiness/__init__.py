"""Print readiness: one small function per check, grouped in files; checks.py lists them all."""
