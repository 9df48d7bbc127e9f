"""Measures of a cutout against exact alpha. Alpha is uint8 of shape (height, width) throughout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.quality.drawing import type_rgba
from bench.quality.truth import SOLID_LEVEL, Truth, colour_difference, inner_boundary

BOUNDARY_REACH_PX: Final = 2.0

type_alpha = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Fringe:
    """Mean colour difference along the soft edge, weighted by the alpha that shows it.

    Attributes:
        error: Of the cutout's colour to the art's own.
        naive_error: Of the composite's own pixel colours, shown with the same alpha.
    """

    error: float
    naive_error: float


def intersection_over_union(alpha: type_alpha, truth: type_alpha) -> float:
    """Of the pixels that are at least half opaque; 1 where neither has any."""
    one, other = alpha >= SOLID_LEVEL, truth >= SOLID_LEVEL
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 1.0


def alpha_error(alpha: type_alpha, truth: type_alpha) -> float:
    """Mean absolute difference over the canvas, 0 to 1."""
    return float(cv2.absdiff(alpha, truth).mean()) / 255


def boundary_f(alpha: type_alpha, truth: type_alpha) -> float:
    """Harmonic mean of how much of each boundary lies within BOUNDARY_REACH_PX of the other."""
    one, other = (inner_boundary(levels >= SOLID_LEVEL) for levels in (alpha, truth))
    if not one.any() or not other.any():
        return float(not one.any() and not other.any())
    precision, recall = _share_within(one, other), _share_within(other, one)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def hole_recall(alpha: type_alpha, truth: Truth) -> float | None:
    """Share of enclosed background that was taken out; None for art without any."""
    area = np.count_nonzero(truth.holes)
    return np.count_nonzero(truth.holes & (alpha < SOLID_LEVEL)) / area if area else None


def fringe(cutout: type_rgba, composite: NDArray[np.uint8], truth: Truth) -> Fringe:
    """Colour errors within two pixels of the art's soft outer edge, where the background shows through.

    Pixels just outside the art count too, with the nearest colour of the art as the right one: a cutout that keeps
    them shows a halo.

    Args:
        cutout: The cutout, straight RGBA.
        composite: What the cutout was made from, RGB.
        truth: The art.
    """
    outside = (truth.filled == 0).astype(np.uint8)
    reach = int(BOUNDARY_REACH_PX)
    near_art = cv2.erode(outside, np.ones((2 * reach + 1,) * 2, np.uint8), borderValue=1) == 0
    band = near_art & (truth.filled < 255) & (cutout[..., 3] > 0)
    weight = cutout[band][:, 3].astype(np.float64)
    if weight.sum() == 0:
        return Fringe(0.0, 0.0)
    own = truth.colour[band]
    error, naive = (
        float((colour_difference(picture[band][:, :3], own) * weight).sum() / weight.sum())
        for picture in (cutout, composite)
    )
    return Fringe(error, naive)


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """Chance that a positive scores above a negative, ties counting half; None where either is missing."""
    if not positive or not negative:
        return None
    more = np.asarray(positive)[:, None] - np.asarray(negative)[None, :]
    return float((more > 0).mean() + 0.5 * (more == 0).mean())


def _share_within(boundary: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    apart = cv2.distanceTransform((~other).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float((np.asarray(apart)[boundary] <= BOUNDARY_REACH_PX + 1e-3).mean())
