"""The checker that editors show for transparency, baked into a picture: told from the border, laid over the canvas.

White art on it is still told from the white squares, because the dark squares beside them are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cutline.imaging.model import type_rgba

# How far a pixel may lie from one of the two colours, in levels of its worst channel.
_REACH: Final = 12
_LEAST_SHARE_EACH: Final = 0.15
_LEAST_SHARE: Final = 0.5
# Of the border that has one of the two colours, so much must have the one that the pattern says.
_LEAST_AGREEMENT: Final = 0.95
_LEAST_EDGES: Final = 4
_LEAST_CELL_PX: Final = 3.0
_MOST_JITTER_PX: Final = 1.5
# Editors show small squares of two greys that lie close together; few squares of much contrast are a board, or a flag.
_MOST_CONTRAST: Final = 110.0
_MOST_CELL_SHARE: Final = 1 / 12


@dataclass(frozen=True, slots=True)
class Checker:
    """A pattern of squares in two colours.

    Attributes:
        picture: It alone on the whole canvas; shape (height, width, 3).
        colours: The two; shape (2, 3).
        noise: Levels that the border strays from it, at the 98th percentile.
        border_share: Share of the border that it explains, 0 to 1.
    """

    picture: NDArray[np.uint8]
    colours: NDArray[np.float64]
    noise: float
    border_share: float


@dataclass(frozen=True, slots=True)
class _Cells:
    """Squares along one axis: `start_px` is the edge of one of them, `size_px` apart from the next."""

    start_px: float
    size_px: float

    def parity(self, count: int) -> NDArray[np.int8]:
        """0 or 1 for each of so many pixels, by turns."""
        squares = np.floor((np.arange(count) + 0.5 - self.start_px) / self.size_px)
        return np.asarray(squares.astype(np.int64) % 2, dtype=np.int8)


def find_checker(rgba: type_rgba) -> Checker | None:
    """The checker that the border shows, or None."""
    height, width = rgba.shape[:2]
    sides = [side[:, :3].astype(np.int16) for side in (rgba[0], rgba[-1], rgba[:, 0], rgba[:, -1])]
    colours = _two_colours(np.concatenate(sides))
    if colours is None:
        return None
    labels = [_labels(side, colours) for side in sides]
    across, down = _cells_of(labels[:2]), _cells_of(labels[2:])
    if across is None or down is None:
        return None
    is_large = max(across.size_px, down.size_px) > _MOST_CELL_SHARE * max(height, width)
    if is_large and np.abs(colours[0] - colours[1]).max() > _MOST_CONTRAST:
        return None
    x, y = across.parity(width), down.parity(height)
    parities = (x ^ y[0], x ^ y[-1], y ^ x[0], y ^ x[-1])
    seen, parity = np.concatenate(labels), np.concatenate(parities)
    told = seen >= 0
    same = float((seen[told] == parity[told]).mean())
    flip = int(same < 0.5)
    if max(same, 1 - same) < _LEAST_AGREEMENT:
        return None
    pattern = (x[None, :] ^ y[:, None]) ^ flip
    right = told & (seen == (parity ^ flip))
    stray = np.abs(np.concatenate(sides)[right] - colours[seen[right]]).max(axis=1)
    picture = np.rint(colours).astype(np.uint8)[pattern]
    return Checker(picture, colours, float(np.percentile(stray, 98)), float(right.mean()))


def _two_colours(samples: NDArray[np.int16]) -> NDArray[np.float64] | None:
    """The two colours that most of the border has; shape (2, 3)."""
    colours = []
    left, total = samples, len(samples)
    for _ in range(2):
        if len(left) < _LEAST_SHARE_EACH * total:
            return None
        bins = (left[:, 0] >> 3) * 1024 + (left[:, 1] >> 3) * 32 + (left[:, 2] >> 3)
        colour = np.median(left[bins == np.bincount(bins).argmax()], axis=0)
        near = np.abs(left - colour).max(axis=1) <= _REACH
        if near.sum() < _LEAST_SHARE_EACH * total:
            return None
        colours.append(np.median(left[near], axis=0))
        left = left[~near]
    return np.array(colours) if len(left) <= (1 - _LEAST_SHARE) * total else None


def _labels(side: NDArray[np.int16], colours: NDArray[np.float64]) -> NDArray[np.int8]:
    """Which of the colours each pixel has: 0, 1, or -1 for neither."""
    apart = np.abs(side[:, None, :] - colours[None]).max(axis=2)
    nearest = apart.argmin(axis=1).astype(np.int8)
    return np.where(apart.min(axis=1) <= _REACH, nearest, np.int8(-1))


def _cells_of(sides: list[NDArray[np.int8]]) -> _Cells | None:
    """The squares along the side of the two that shows more of them."""
    found = [edges for edges in (_edges(side) for side in sides) if len(edges) >= _LEAST_EDGES]
    if not found:
        return None
    edges = max(found, key=len)
    gaps = np.diff(edges)
    usual = gaps[np.abs(gaps - np.median(gaps)) <= _MOST_JITTER_PX]
    if len(usual) <= len(gaps) / 2 or usual.mean() < _LEAST_CELL_PX:
        return None
    size = float(usual.mean())
    steps = np.rint((edges - edges[0]) / size)
    near = np.abs(edges - edges[0] - steps * size) <= max(_MOST_JITTER_PX, size / 4)
    if len(np.unique(steps[near])) < _LEAST_EDGES:
        return None
    size, start = np.polyfit(steps[near], edges[near], 1)
    return _Cells(float(start), float(size)) if size >= _LEAST_CELL_PX else None


def _edges(side: NDArray[np.int8]) -> NDArray[np.intp]:
    """Where one colour turns into the other."""
    return np.flatnonzero((side[1:] >= 0) & (side[:-1] >= 0) & (side[1:] != side[:-1])) + 1
