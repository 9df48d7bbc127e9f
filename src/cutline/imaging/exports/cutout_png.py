"""The art without background as PNG: source pixels on the artwork's own canvas."""

from __future__ import annotations

from cutline.imaging.cut_line.model import CutLine
from cutline.imaging.exports.png import png_bytes
from cutline.imaging.model import Cutout


def cutout_png(cutout: Cutout, cut_line: CutLine) -> bytes:
    """The cutout, lossless, with its final resolution declared."""
    return png_bytes(cutout.rgba, px_per_mm=1 / cut_line.mm_per_px)
