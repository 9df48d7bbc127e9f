"""Art without its background.

Reading order: route.py (which way by what evidence), then one way a file: existing_alpha.py, flat.py (with
background.py, which tells one colour, a gradient.py or a checker.py; overshoot.py; edge.py; certainty.py),
grabcut.py, learned.py (with the port in remover.py and its rembg adapter in model.py); the last two find their edge
by matte.py and settle what art encloses by enclosed.py. masks.py names what is done with masks everywhere.
"""

from __future__ import annotations

from cutline.imaging.cutout.remover import BackgroundRemover, ModelUnavailableError
from cutline.imaging.cutout.route import cut_out

__all__ = ["BackgroundRemover", "ModelUnavailableError", "cut_out"]
