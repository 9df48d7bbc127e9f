"""Cutline: uploaded artwork in, print-ready die-cut sticker files out."""
