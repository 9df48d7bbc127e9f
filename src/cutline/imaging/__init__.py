"""The pure engine: artwork bytes and a spec in; cutout, cut line, findings and files out. Read pipeline.py first."""
