"""Traces and metrics: every name in one module, one provider per process, context carried through the bus."""
