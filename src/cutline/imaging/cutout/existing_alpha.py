"""ALPHA: the artwork brings its own transparency, and it is kept as it is, colours included."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

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
    level, alpha = _threshold_level(alpha_threshold), artwork.rgba[..., 3]
    if _alpha_counts(artwork.rgba)[:level].sum() >= _LEAST_CLEAR_SHARE * alpha.size:
        return True
    border = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
    return bool((border < level).mean() >= _LEAST_CLEAR_BORDER_SHARE)


def keep_alpha(rgba: type_rgba, alpha_threshold: float) -> Cutout:
    """The artwork as it is.

    Raises:
        ArtworkError: NO_SUBJECT where nothing reaches the threshold.
    """
    counts = _alpha_counts(rgba)
    level = _threshold_level(alpha_threshold)
    subject_px = int(counts[level:].sum())
    if subject_px == 0:
        raise ArtworkError(
            Reason.NO_SUBJECT,
            f"The artwork is transparent: no pixel is at least {alpha_threshold:.0%} opaque.",
        )
    is_everything = not counts[:level].any()
    # Hard to say where the art ends when much of it is neither opaque nor clear.
    soft_px = int(counts[26:230].sum())
    softness = min(1.0, soft_px / max(1, soft_px + subject_px))
    return Cutout(
        rgba=rgba,
        method=CutoutMethod.ALPHA,
        confidence=0.5 if is_everything else 1.0 - 0.5 * softness,
        subject_is_everything=is_everything,
    )


def _alpha_counts(rgba: type_rgba) -> NDArray[np.float64]:
    """How many pixels have each alpha, 256 values."""
    return np.asarray(cv2.calcHist([rgba], [3], None, [256], [0, 256]), np.float64).ravel()


def _threshold_level(alpha_threshold: float) -> int:
    """The lowest 8-bit alpha that counts as art."""
    return max(1, math.ceil(alpha_threshold * 255))
