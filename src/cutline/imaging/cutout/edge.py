"""The soft edge: how much of each pixel is art, and which colour that art has.

A pixel on the edge shows C = a F + (1 - a) B. The background B is known; the art's own colour F is found by climbing
from the pixel towards the art for as long as the contrast to the background grows and the pixel stays a plain mix of
the two. Then a is a division, and what is left of the pixel is F: no fringe of the old background.
Work is done on the pixels of the edge alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutline.imaging.appearance import color_difference
from cutline.imaging.cutout.masks import places_of, shrunk, without
from cutline.imaging.model import type_rgba

_NEIGHBOURS: Final = ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))
# A step must gain this much contrast, in levels and as a share, or the climb has reached the art's plateau.
_LEAST_GAIN: Final = 3.0
_LEAST_GAIN_SHARE: Final = 0.03
# Beside the line from background to art by more than this share of its length, a pixel is no mix of the two;
# compression smears colours off that line.
_MOST_STRAY_SHARE: Final = 0.1
_MOST_STRAY_SHARE_COMPRESSED: Final = 0.18
_MOST_STRAY: Final = 10.0
# Art whose contrast is below this has no edge to measure: it is kept whole.
_LEAST_CONTRAST: Final = 8.0
# Colours times these give the space that mixtures are judged in: all channels alike, or lightness with a quarter of
# what a channel differs from it.
_ALL_CHANNELS: Final = np.eye(3, dtype=np.float32)
_MOSTLY_LIGHTNESS: Final = np.asarray(
    0.25 * np.eye(3) + 0.75 * np.outer((0.299, 0.587, 0.114), np.ones(3)), dtype=np.float32
)
_DIFFERENCE_SAMPLES: Final = 4_000
_OPAQUE_FROM: Final = 0.97
_CLEAR_BELOW: Final = 0.03


@dataclass(frozen=True, slots=True)
class Edge:
    """The cutout with its soft edge, and how well the edge stood out.

    Attributes:
        rgba: Straight alpha; colour and alpha are 0 outside.
        difference: CIE76 difference between art and background at pixels all along the edge; shape (n,).
    """

    rgba: type_rgba
    difference: NDArray[np.float32]


def soften(
    rgba: type_rgba,
    inside: NDArray[np.uint8],
    background: NDArray[np.uint8],
    distance: NDArray[np.uint8],
    *,
    is_compressed: bool,
) -> Edge:
    """Cuts out what is inside, with alpha and colour unmixed along its edge.

    Args:
        rgba: The artwork, opaque.
        inside: 255 where art is or may be, 0 where only background is.
        background: Colour of the background: shape (3,), or (height, width, 3) for one that varies.
        distance: Contrast of each pixel to the background, 0 to 255.
        is_compressed: Whether the picture shows compression noise: the edge is then mixed a pixel deeper, and
            lightness counts more than colour, which compression smears far beyond the edge.
    """
    depth_px = 3 if is_compressed else 2
    measure = _MOSTLY_LIGHTNESS if is_compressed else _ALL_CHANNELS
    stray_share = _MOST_STRAY_SHARE_COMPRESSED if is_compressed else _MOST_STRAY_SHARE
    rows, columns = places_of(without(inside, shrunk(inside, depth_px)))
    cutout = np.asarray(cv2.bitwise_and(rgba, rgba, mask=inside), dtype=np.uint8)
    if len(rows) == 0:
        return Edge(cutout, np.zeros(0, np.float32))
    seen = rgba[rows, columns, :3].astype(np.float32)
    behind = background_at(background, rows, columns)
    art = _climb(rgba, distance, rows, columns, seen, behind, steps=depth_px, measure=measure, stray_share=stray_share)
    alpha = _share_of_art(seen @ measure, behind @ measure, art @ measure)
    cutout[rows, columns, :3] = _own_colour(seen, behind, art, alpha)
    cutout[rows, columns, 3] = np.rint(alpha * 255)
    cutout[rows[alpha == 0], columns[alpha == 0], :3] = 0
    return Edge(cutout, thinned_difference(art, behind))


def thinned_difference(art: NDArray[np.float32], behind: NDArray[np.float32]) -> NDArray[np.float32]:
    """CIE76 difference between colours in levels, evenly thinned out where they are many."""
    every = max(1, len(art) // _DIFFERENCE_SAMPLES)
    return color_difference(art[::every], np.broadcast_to(behind, art.shape)[::every])


def background_at(
    background: NDArray[np.uint8], rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Colours of the background at places, or its one colour as shape (1, 3)."""
    if background.ndim == 1:
        return background.astype(np.float32)[None, :]
    return background[rows, columns].astype(np.float32)


def _climb(  # noqa: PLR0917  (six aligned arrays of one edge)
    rgba: type_rgba,
    distance: NDArray[np.uint8],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    seen: NDArray[np.float32],
    behind: NDArray[np.float32],
    *,
    steps: int,
    measure: NDArray[np.float32],
    stray_share: float,
) -> NDArray[np.float32]:
    """The art's own colour for each pixel: its own, or that of a plateau up to `steps` pixels away."""
    height, width = distance.shape
    flat = distance.reshape(-1)
    colours = rgba.reshape(-1, 4)
    behind = np.broadcast_to(behind, seen.shape)
    at = rows * width + columns
    art = seen.copy()
    moving = np.arange(len(at))
    for _ in range(steps):
        row, column = np.divmod(at[moving], width)
        here = flat[at[moving]]
        best, highest = at[moving].copy(), here.copy()
        for down, right in _NEIGHBOURS:
            there = np.clip(row + down, 0, height - 1) * width + np.clip(column + right, 0, width - 1)
            value = flat[there]
            higher = value > highest
            best[higher] = there[higher]
            highest[higher] = value[higher]
        gain = highest.astype(np.float32) - here
        candidate = colours[best, :3].astype(np.float32)
        steeper = gain > np.maximum(_LEAST_GAIN, here * _LEAST_GAIN_SHARE)
        climbs = steeper & _is_mix(seen[moving] @ measure, behind[moving] @ measure, candidate @ measure, stray_share)
        moving = moving[climbs]
        if len(moving) == 0:
            break
        at[moving] = best[climbs]
        art[moving] = candidate[climbs]
    return art


def _is_mix(
    seen: NDArray[np.float32], behind: NDArray[np.float32], art: NDArray[np.float32], stray_share: float
) -> NDArray[np.bool_]:
    """Whether each seen colour lies on the line between the background and the art."""
    line = art - behind
    length_squared = np.maximum((line * line).sum(axis=1), 1e-3)
    share = np.clip(((seen - behind) * line).sum(axis=1) / length_squared, 0, 1)
    stray = seen - behind - share[:, None] * line
    stray_squared = (stray * stray).sum(axis=1)
    return np.asarray(stray_squared <= np.maximum(_MOST_STRAY**2, stray_share**2 * length_squared))


def _share_of_art(
    seen: NDArray[np.float32], behind: NDArray[np.float32], art: NDArray[np.float32]
) -> NDArray[np.float32]:
    line = art - behind
    length_squared = (line * line).sum(axis=1)
    share = ((seen - behind) * line).sum(axis=1) / np.maximum(length_squared, 1e-3)
    share[length_squared < _LEAST_CONTRAST**2] = 1
    share[share >= _OPAQUE_FROM] = 1
    share[share <= _CLEAR_BELOW] = 0
    return np.asarray(share, dtype=np.float32)


def _own_colour(
    seen: NDArray[np.float32],
    behind: NDArray[np.float32],
    art: NDArray[np.float32],
    alpha: NDArray[np.float32],
) -> NDArray[np.float32]:
    """The pixel without its background; where hardly any art is left, the colour of the plateau."""
    share = np.maximum(alpha, 0.25)[:, None]
    unmixed = np.clip((seen - (1 - share) * behind) / share, 0, 255)
    return np.rint(np.where(alpha[:, None] < 0.25, art, unmixed))
