"""The line that sharpening and scaling draw beside an edge.

Sharp filters overshoot: beside dark art a light background is lighter still. That is neither background, from which
it differs, nor art; taken for art, it is a halo and frays the edge.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cutline.imaging.cutout.edge import background_at
from cutline.imaging.cutout.masks import at_most, both, places_of, shrunk, type_mask, without
from cutline.imaging.model import type_rgba

REACH_PX: Final = 3
_MOST_DISTANCE: Final = 60.0
# Of the contrast between art and background: filters that scale overshoot by a tenth, sharpening by a little more.
_MOST_SHARE: Final = 0.2
# Beyond its overshoot a filter swings back, to less than anybody sees.
_RIPPLE_SHARE: Final = 0.03
_LEAST_COSINE: Final = 0.8
# Art of a fainter edge has no overshoot that could be told from it.
_LEAST_CONTRAST: Final = 48.0
_DIRECTIONS: Final = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
_AROUND: Final = tuple((step * down, step * right) for step in (2, 3) for down, right in _DIRECTIONS)
# Where more of the canvas is faint and near the background, it is grain, which has no edge to overshoot.
_MOST_PLACES: Final = 0.1


def without_overshoot(
    rgba: type_rgba, inside: type_mask, background: NDArray[np.uint8], distance: NDArray[np.uint8]
) -> type_mask:
    """The mask of the art without what differs from the background in the direction away from the art beside it.

    Args:
        rgba: The artwork, opaque.
        inside: 255 where art is or may be.
        background: Colour of the background: shape (3,), or (height, width, 3) for one that varies.
        distance: Contrast of each pixel to the background, 0 to 255.
    """
    rind = without(inside, shrunk(inside, REACH_PX))
    rows, columns = places_of(both(rind, at_most(distance, _MOST_DISTANCE)))
    if not 0 < len(rows) <= _MOST_PLACES * inside.size:
        return inside
    behind = background_at(background, rows, columns)
    seen = rgba[rows, columns, :3] - behind
    art = rgba.reshape(-1, 4)[_strongest_beside(distance, rows, columns), :3] - behind
    contrast, strength = np.linalg.norm(art, axis=1), np.linalg.norm(seen, axis=1)
    opposite = (seen * art).sum(axis=1) <= -_LEAST_COSINE * contrast * strength
    over = (opposite & (strength <= _MOST_SHARE * contrast)) | (strength <= _RIPPLE_SHARE * contrast)
    over &= contrast >= _LEAST_CONTRAST
    if not over.any():
        return inside
    left = inside.copy()
    left[rows[over], columns[over]] = 0
    return left


def _strongest_beside(
    distance: NDArray[np.uint8], rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Positions in the flattened canvas of the pixels around each that differ most from the background."""
    height, width = distance.shape
    flat = distance.reshape(-1)
    best = np.asarray(rows * width + columns, np.intp)
    highest = flat[best]
    for down, right in _AROUND:
        there = np.clip(rows + down, 0, height - 1) * width + np.clip(columns + right, 0, width - 1)
        value = flat[there]
        higher = value > highest
        best[higher], highest[higher] = there[higher], value[higher]
    return best
