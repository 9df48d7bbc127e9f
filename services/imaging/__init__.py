"""The imaging worker: artwork in, cutout, cut line, findings and files out."""
