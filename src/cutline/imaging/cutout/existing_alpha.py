"""ALPHA: the artwork brings its own transparency, and it is kept as it is, colours included."""

from __future__ import annotations

import math

import numpy as np

from cutline.domain.errors import ArtworkError, Reason
from cutline.domain.outputs import CutoutMethod
from cutline.imaging.model import Artwork, Cutout, type_rgba

# Stray transparent pixels are no cutout: this much of the canvas, or of its border, must be clear.
_LEAST_CLEAR_SHARE = 0.001
_LEAST_CLEAR_BORDER_SHARE = 0.01


def shows_cutout(artwork: Artwork, alpha_threshold: float) -> bool:
    """Whether the transparency looks like a background already removed."""
    if not artwork.has_alpha:
        return False
    is_clear = artwork.rgba[..., 3] < _threshold_level(alpha_threshold)
    if float(is_clear.mean()) >= _LEAST_CLEAR_SHARE:
        return True
    border = np.concatenate([is_clear[0], is_clear[-1], is_clear[:, 0], is_clear[:, -1]])
    return bool(border.mean() >= _LEAST_CLEAR_BORDER_SHARE)


def keep_alpha(rgba: type_rgba, alpha_threshold: float) -> Cutout:
    """The artwork as it is.

    Raises:
        ArtworkError: NO_SUBJECT where nothing reaches the threshold.
    """
    alpha = rgba[..., 3]
    level = _threshold_level(alpha_threshold)
    subject_px = int(np.count_nonzero(alpha >= level))
    if subject_px == 0:
        raise ArtworkError(
            Reason.NO_SUBJECT,
            f"The artwork is transparent: no pixel is at least {alpha_threshold:.0%} opaque.",
        )
    is_everything = subject_px == alpha.size
    # Hard to say where the art ends when much of it is neither opaque nor clear.
    soft_px = int(np.count_nonzero((alpha > 25) & (alpha < 230)))
    softness = min(1.0, soft_px / max(1, soft_px + subject_px))
    return Cutout(
        rgba=rgba,
        method=CutoutMethod.ALPHA,
        confidence=0.5 if is_everything else 1.0 - 0.5 * softness,
        subject_is_everything=is_everything,
    )


def _threshold_level(alpha_threshold: float) -> int:
    """The lowest 8-bit alpha that counts as art."""
    return max(1, math.ceil(alpha_threshold * 255))
