"""Colours for the clear pixels beside the art, so that no fringe shows where a picture is scaled."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

REACH_PX: Final = 4
"""How far the art's colours are carried; a viewer that shows the page small mixes about so many pixels into one."""
_NEIGHBOURS: Final = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))
# What a strip needs stays in the processor's cache, and small however ragged the art is.
_STRIP_PX: Final = 524_288
_SQUARE: Final = np.ones((2 * REACH_PX + 1,) * 2, np.uint8)


def color_beside_art(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The colours of straight RGBA, with those of clear pixels next to the art taken from it.

    Renderers of a PDF scale an image and its soft mask one by one, so the colour of a clear pixel does show: black,
    as most programs leave it, draws a dark line around the art. Pixels of any alpha above 0 keep their own colour.

    Args:
        rgba: Shape (height, width, 4).

    Returns:
        Shape (height, width, 3).
    """
    height, width = rgba.shape[:2]
    rgb = np.empty((height, width, 3), np.uint8)
    strip_rows = max(2 * REACH_PX, _STRIP_PX // width)
    for top in range(0, height, strip_rows):
        bottom = min(top + strip_rows, height)
        rgb[top:bottom] = cv2.cvtColor(rgba[top:bottom], cv2.COLOR_RGBA2RGB)
        first, last = max(0, top - REACH_PX), min(height, bottom + REACH_PX)
        alpha = cv2.extractChannel(rgba[first:last], 3)
        clear = np.asarray(cv2.threshold(alpha, 0, 1, cv2.THRESH_BINARY_INV)[1], np.uint8)
        beside = np.asarray(cv2.subtract(clear, cv2.erode(clear, _SQUARE)), np.uint8)
        wanted = np.flatnonzero(beside.view(np.bool_))
        if len(wanted) == 0:
            continue
        places, sources = _nearest(clear == 0, wanted, width)
        here = slice(*np.searchsorted(places, ((top - first) * width, (bottom - first) * width)))
        colors = rgba[first:last].reshape(-1, 4)
        rgb[top:bottom].reshape(-1, 3)[places[here] - (top - first) * width] = colors[sources[here], :3]
    return rgb


def _nearest(
    known: NDArray[np.bool_], wanted: NDArray[np.intp], width: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The known pixel that each wanted one is next to, over at most REACH_PX steps.

    Args:
        known: Shape (height, width); changed on the way.
        wanted: Positions in the flattened mask, ascending; each has a known pixel within REACH_PX.
        width: Of the mask.

    Returns:
        The wanted positions and, aligned with them, those of the known pixels.
    """
    is_known, places = known.reshape(-1), wanted
    source = np.arange(known.size, dtype=np.int32)
    for _ in range(REACH_PX):
        rows, columns = np.divmod(wanted, width)
        found = np.zeros(len(wanted), bool)
        for down, right in _NEIGHBOURS:
            there = np.clip(rows + down, 0, len(known) - 1) * width + np.clip(columns + right, 0, width - 1)
            is_new = is_known[there] & ~found
            source[wanted[is_new]] = source[there[is_new]]
            found |= is_new
        is_known[wanted[found]] = True
        wanted = wanted[~found]
    return places, source[places].astype(np.intp)
