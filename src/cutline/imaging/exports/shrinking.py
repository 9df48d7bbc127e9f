"""Part of a large picture at the size of a proof."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np

from cutline.imaging.model import type_rgba

# Pixels that are premultiplied and averaged while they are in the processor's cache.
_STRIP_PX: Final = 65_536


def premultiplied_part(
    rgba: type_rgba, part: tuple[float, float, float, float], width_px: int, height_px: int
) -> type_rgba:
    """A part of straight RGBA at another size, premultiplied: colours hidden under full transparency stay hidden.

    Blocks of whole pixels are averaged to about the size asked for, and what that leaves is interpolated. Enlarged
    pixels stay squares.

    Args:
        rgba: The picture.
        part: Left, top, right and bottom of the part in its pixels; fractions count.
        width_px: Width to give it.
        height_px: Height to give it.
    """
    left, top, right, bottom = part
    across, down = (right - left) / width_px, (bottom - top) / height_px
    every = _block_px(min(across, down), int(min(right - left, bottom - top)))
    x_start, y_start = (int(max(start, 0)) // every * every for start in (left, top))
    averaged = _averaged(rgba[y_start : int(np.ceil(bottom)) + every, x_start : int(np.ceil(right)) + every], every)
    matrix = np.array(
        [
            [across / every, 0, (left + across / 2 - x_start) / every - 0.5],
            [0, down / every, (top + down / 2 - y_start) / every - 0.5],
        ]
    )
    way = cv2.INTER_LINEAR if max(across, down) >= 1 else cv2.INTER_NEAREST
    size = (width_px, height_px)
    flags = way | cv2.WARP_INVERSE_MAP
    placed = cv2.warpAffine(averaged, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(placed, np.uint8)


def _block_px(factor: float, most_px: int) -> int:
    """The power of two next to a factor: halving is what OpenCV does fastest by far."""
    block_px = 1
    while block_px * math.sqrt(2) < factor and 2 * block_px <= most_px:
        block_px *= 2
    return block_px


def _averaged(rgba: type_rgba, every: int) -> type_rgba:
    """Premultiplied means of blocks of `every` pixels a side; what fills no block at the far edges is left out."""
    rows, columns = rgba.shape[0] // every, rgba.shape[1] // every
    means = np.empty((rows, columns, 4), np.uint8)
    strip_rows = max(1, _STRIP_PX // (columns * every * every))
    for first in range(0, rows, strip_rows):
        last = min(first + strip_rows, rows)
        strip = cv2.cvtColor(rgba[first * every : last * every, : columns * every], cv2.COLOR_RGBA2mRGBA)
        while strip.shape[1] > columns:
            strip = cv2.resize(strip, (strip.shape[1] // 2, strip.shape[0] // 2), interpolation=cv2.INTER_AREA)
        means[first:last] = strip
    return means
