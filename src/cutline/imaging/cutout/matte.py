"""From a rough mask to a cutout: the edge is found anew at full size, in a band around the mask's own.

Beside the band the art and the background are sure. Their colours nearby say, for each pixel in the band, how much
of it is art; where the two look alike, the mask itself decides.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutline.imaging.cutout.edge import Edge, thinned_difference
from cutline.imaging.cutout.masks import above, grown, inverse, places_of, shrunk, type_mask, without
from cutline.imaging.model import type_rgba

# Colours this far apart, in levels, decide alone; the mask's word counts for the rest.
_DECISIVE_CONTRAST: Final = 60.0
_COLOUR_REACH_PX: Final = 5.0
_STEEPNESS: Final = 1.25


def refine(rgba: type_rgba, mask: NDArray[np.uint8]) -> Edge:
    """Cuts out what a rough mask covers.

    Args:
        rgba: The artwork, opaque.
        mask: 0 background to 255 art at search size: the artwork's shape, shrunk.
    """
    height, width = rgba.shape[:2]
    search_height, search_width = mask.shape
    scale = max(height / search_height, width / search_width)
    radius = max(2, round(1.5 * scale))
    soft = np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    solid = above(soft, 127)
    outermost = grown(solid, radius)
    cutout = np.asarray(cv2.bitwise_and(rgba, rgba, mask=outermost), dtype=np.uint8)
    rows, columns = places_of(without(outermost, shrunk(solid, radius)))
    if len(rows) == 0:
        return Edge(cutout, np.zeros(0, np.float32))

    small = cv2.resize(rgba[..., :3], (search_width, search_height), interpolation=cv2.INTER_AREA).astype(np.float32)
    art_near, behind_near = _colours_beside_edge(small, mask)
    places = (
        np.minimum((rows * (search_height / height)).astype(np.intp), search_height - 1),
        np.minimum((columns * (search_width / width)).astype(np.intp), search_width - 1),
    )
    art, behind = art_near[places], behind_near[places]
    seen = rgba[rows, columns, :3].astype(np.float32)
    contrast = np.abs(art - behind).max(axis=1)
    line = art - behind
    by_colour = ((seen - behind) * line).sum(axis=1) / np.maximum((line * line).sum(axis=1), 1.0)
    by_mask = soft[rows, columns].astype(np.float32) / 255
    trust = np.minimum(1.0, contrast / _DECISIVE_CONTRAST) * 0.75
    share = trust * np.clip(by_colour, 0, 1) + (1 - trust) * by_mask
    alpha = np.clip((share - 0.5) * _STEEPNESS + 0.5, 0, 1)
    alpha[alpha > 0.95] = 1
    alpha[alpha < 0.05] = 0

    part = np.maximum(alpha, 0.3)[:, None]
    unmixed = np.clip((seen - (1 - part) * behind) / part, 0, 255)
    # What the two colours do not explain is kept as seen rather than pushed beyond the art's own.
    cutout[rows, columns, :3] = np.rint(np.where(alpha[:, None] >= 1, seen, 0.5 * unmixed + 0.5 * art))
    cutout[rows, columns, 3] = np.rint(alpha * 255)
    clear = alpha == 0
    cutout[rows[clear], columns[clear], :3] = 0
    return Edge(cutout, thinned_difference(art, behind))


def _colours_beside_edge(
    small: NDArray[np.float32], mask: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean colour of the sure art and of the sure background around each pixel, at search size."""
    solid = above(mask, 127)
    return _mean_over(small, shrunk(solid, 1)), _mean_over(small, shrunk(inverse(solid), 1))


def _mean_over(small: NDArray[np.float32], sure: type_mask) -> NDArray[np.float32]:
    """Colour over the sure pixels nearby; far from any, over all of them."""
    weight = sure.astype(np.float32) / 255
    if not weight.any():
        return small
    overall = (small * weight[..., None]).sum(axis=(0, 1)) / weight.sum()
    total = cv2.GaussianBlur(small * weight[..., None], (0, 0), _COLOUR_REACH_PX)
    share = cv2.GaussianBlur(weight, (0, 0), _COLOUR_REACH_PX)[..., None]
    return np.asarray((total + 1e-4 * overall) / (share + 1e-4), dtype=np.float32)
