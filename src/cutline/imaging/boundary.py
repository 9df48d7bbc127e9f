"""Boundaries between what is opaque and what is not, between pixels.

Each boundary is followed pixel by pixel (Suzuki & Abe 1985). Wherever it passes between two pixels, it is placed there:
an antialiased edge where a straight edge would cover the pixels as they are covered (the edge distance of Gustavson &
Strand 2011), exact within a hundredth of a pixel; a soft edge by interpolation, which is exact for a slope; and
the steps of a hard edge are evened along the boundary.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

STEPS: Final = np.array([(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)])
"""The eight neighbours in x and y, clockwise on the screen."""
_CODES: Final = np.array([5, 6, 7, 4, 0, 0, 3, 2, 1])
"""Index into STEPS of the step (x, y), at (y + 1) * 3 + x + 1."""
EDGE_CONTRAST: Final = 215.0
"""Levels by which alpha changes over the four pixels across an antialiased edge; a softer one is a slope."""
GRAZING: Final = 0.3
"""Cosine between an edge's normal and a pixel row below which the row says nothing about the edge."""
REACHES: Final = (6, 12, 24)
"""Points to each side that a curve through a hard edge goes through, fewer first."""
STRAY_PX: Final = 0.55
"""How far it may pass from one of them: half a pixel, and a little for the error of the curve."""
MOST_AT_ONCE: Final = 20_000
CLOSEST: Final = 1e-3
"""How near a boundary may come to a pixel's centre."""

type_points = NDArray[np.float64]
type_field = NDArray[np.uint8]
type_indices = NDArray[np.intp]


@dataclass(frozen=True)
class Boundaries:
    """Closed rings, one after the other in one array.

    Attributes:
        points: All vertices (n, 2) in pixels, the field's corner at 0, 0; opaque pixels lie to the left on the screen.
        smooth: The same, those of hard edges on smooth curves where there are any; corners are told by the others.
        starts: Index of each ring's first vertex, and the end of the last ring.
        parents: For a hole, the ring it lies in; -1 for an outer ring.
        hard: Whether most of a ring passes from full to empty pixels.
    """

    points: type_points
    smooth: type_points
    starts: type_indices
    parents: type_indices
    hard: NDArray[np.bool_]

    def ring(self, number: int) -> type_points:
        """Vertices of one ring, the first not repeated."""
        return self.points[self.starts[number] : self.starts[number + 1]]

    def smooth_ring(self, number: int) -> type_points:
        """The smooth ones."""
        return self.smooth[self.starts[number] : self.starts[number + 1]]

    @cached_property
    def areas(self) -> NDArray[np.float64]:
        """Signed area of each ring in square pixels."""
        after = np.arange(len(self.points)) + 1
        after[self.starts[1:] - 1] = self.starts[:-1]
        x, y = self.points.T
        return np.asarray(0.5 * np.add.reduceat(x * y[after] - x[after] * y, self.starts[:-1]))

    @cached_property
    def boxes(self) -> NDArray[np.float64]:
        """x_min, y_min, x_max, y_max of each ring."""
        first = self.starts[:-1]
        return np.concatenate(
            [np.minimum.reduceat(self.points, first, axis=0), np.maximum.reduceat(self.points, first, axis=0)], axis=1
        )


def trace_boundaries(field: type_field) -> Boundaries:
    """The boundaries of what is at least 128.

    Args:
        field: Levels of shape (height, width); two rows and columns around are 0, and some pixel is 128 or more.
    """
    chains, hierarchy = cv2.findContours(
        cv2.threshold(field, 127, 255, cv2.THRESH_BINARY)[1], cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    lengths = np.array([len(chain) for chain in chains])
    pixels = np.concatenate(chains)[:, 0].astype(np.intp)
    inside, direction, owner = _crossings(pixels, lengths)
    points, hard = _placed(field, inside, direction)
    starts = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(lengths)))]).astype(np.intp)
    parents = np.asarray(hierarchy[0, :, 3], dtype=np.intp)
    mostly_hard = np.add.reduceat(hard, starts[:-1], dtype=np.float64) > 0.8 * np.diff(starts)
    evened, smooth = _evened(points, hard, starts)
    return Boundaries(evened, smooth, starts, parents, mostly_hard)


def _crossings(pixels: type_indices, lengths: type_indices) -> tuple[type_indices, type_indices, type_indices]:
    """Where boundaries pass between two pixels, in order: the pixel inside, the step to the one outside, the ring."""
    ends = np.cumsum(lengths)
    first = ends - lengths
    index = np.arange(len(pixels))
    before, after = index - 1, index + 1
    before[first], after[ends - 1] = ends - 1, first
    back, out = _code(pixels[before] - pixels), _code(pixels[after] - pixels)
    # A pixel alone has no way in; any diagonal will do.
    alone = np.repeat(lengths == 1, lengths)
    back[alone], out[alone] = 1, 1
    # The neighbours from the way in to the way out, counterclockwise, were found to lie outside.
    between = (back - out) % 8
    between[between == 0] = 8
    turn = np.arange(1, 8)
    direction = (back[:, None] - turn) % 8
    passed = (turn < between[:, None]) & (direction % 2 == 0)
    which, column = np.nonzero(passed)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    return pixels[which], direction[which, column], owner[which]


def _code(steps: type_indices) -> type_indices:
    return np.asarray(_CODES[(steps[:, 1] + 1) * 3 + steps[:, 0] + 1])


def _placed(field: type_field, inside: type_indices, direction: type_indices) -> tuple[type_points, NDArray[np.bool_]]:
    """Where each crossing lies, and which are hard: from a full pixel to an empty one."""
    step = STEPS[direction]
    outside = inside + step

    def level(at: type_indices) -> NDArray[np.float64]:
        return field[at[:, 1], at[:, 0]].astype(np.float64)

    high, low = level(inside), level(outside)
    share = (high - 127.5) / (high - low)
    antialiased = level(inside - step) - level(outside + step) >= EDGE_CONTRAST
    soft = (high < 255) | (low > 0)
    at_edge = np.flatnonzero(antialiased & soft)
    if len(at_edge):
        from_inside, inside_weight = _distance(field, inside[at_edge], step[at_edge])
        from_outside, outside_weight = _distance(field, outside[at_edge], step[at_edge])
        weight = inside_weight + outside_weight
        found = (from_inside * inside_weight + (1 + from_outside) * outside_weight) / np.maximum(weight, 1e-9)
        share[at_edge] = np.where(weight > 0.02, found, share[at_edge])
    share = np.clip(share, CLOSEST, 1 - CLOSEST)
    return inside + 0.5 + share[:, None] * step, ~soft


def _distance(
    field: type_field, at: type_indices, step: type_indices
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far along the step from a pixel's centre its edge lies, and how much that is worth."""
    x, y = at.T
    around = [field[y + dy, x + dx].astype(np.float64) for dx, dy in STEPS]
    east, south_east, south, south_west, west, north_west, north, north_east = around
    diagonal = np.sqrt(2.0)
    slope_x = (east - west) * diagonal + south_east + north_east - south_west - north_west
    slope_y = (south - north) * diagonal + south_east + south_west - north_east - north_west
    steepness = np.maximum(np.hypot(slope_x, slope_y), 1e-9)
    # The normal points out, where alpha falls.
    cosine = -(slope_x * step[:, 0] + slope_y * step[:, 1]) / steepness
    wide = np.maximum(np.abs(slope_x), np.abs(slope_y)) / steepness
    narrow = np.minimum(np.abs(slope_x), np.abs(slope_y)) / steepness
    covered = field[y, x] / 255.0
    distance = -_edge_distance(wide, narrow, covered)
    worth = np.where(cosine > GRAZING, 4 * covered * (1 - covered) * cosine, 0.0)
    return distance / np.maximum(cosine, GRAZING), worth


def _edge_distance(
    wide: NDArray[np.float64], narrow: NDArray[np.float64], covered: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance from a pixel's centre to the straight edge that covers so much of it; above 0 if the centre is bare.

    Args:
        wide: The larger component of the edge's unit normal.
        narrow: The smaller one.
        covered: Share of the pixel that is covered.
    """
    corner = 0.5 * narrow / np.maximum(wide, 1e-9)
    product = 2 * wide * narrow
    return np.where(
        covered < corner,
        0.5 * (wide + narrow) - np.sqrt(product * covered),
        np.where(
            covered < 1 - corner,
            (0.5 - covered) * wide,
            -0.5 * (wide + narrow) + np.sqrt(product * (1 - np.minimum(covered, 1.0))),
        ),
    )


def _evened(points: type_points, hard: NDArray[np.bool_], starts: type_indices) -> tuple[type_points, type_points]:
    """The points, those of hard edges drawn halfway to the middle between their neighbours, and put on smooth curves.

    A hard edge passes within half a pixel of the middle between its two pixels. So a parabola that comes so near to all
    points around one may be the edge itself (Savitzky & Golay 1964), and the longer it goes on the better it is known.
    """
    if not hard.any():
        return points, points
    lengths = np.diff(starts)
    first, length = np.repeat(starts[:-1], lengths), np.repeat(lengths, lengths)
    place = np.arange(len(points)) - first

    def around(chosen: type_indices, reach: int) -> type_indices:
        return np.asarray(
            first[chosen, None] + (place[chosen, None] + np.arange(-reach, reach + 1)) % length[chosen, None]
        )

    left = np.flatnonzero(hard)
    left = left[hard[around(left, 1)].all(axis=1)]
    evened = points.copy()
    evened[left] = np.einsum("i,nid->nd", [0.25, 0.5, 0.25], points[around(left, 1)])
    smooth = evened.copy()
    for reach in REACHES:
        left = left[length[left] > 2 * reach]
        parts = np.array_split(left, len(left) // MOST_AT_ONCE + 1)
        found = [_on_parabola(points, hard, around(part, reach)) for part in parts]
        lies_on = np.concatenate([good for _, good in found])
        left = left[lies_on]
        smooth[left] = np.concatenate([middle for middle, _ in found])[lies_on]
    return evened, smooth


def _on_parabola(
    points: type_points, hard: NDArray[np.bool_], around: type_indices
) -> tuple[type_points, NDArray[np.bool_]]:
    """Middles (n, 2) of the parabolas through rows of points, and which of them come near to all of their points."""
    reach = around.shape[1] // 2
    fit = np.linalg.pinv(np.vander(np.arange(-reach, reach + 1) / reach, 3))
    near = points[around]
    bend, slope, middle = np.einsum("ki,nid->knd", fit, near)
    at = (np.arange(-reach, reach + 1) / reach)[None, :, None]
    off = near - ((bend[:, None] * at + slope[:, None]) * at + middle[:, None])
    along = slope[:, None] + 2 * bend[:, None] * at
    across = np.abs(off[..., 0] * along[..., 1] - off[..., 1] * along[..., 0])
    lies_on = (across <= STRAY_PX * np.linalg.norm(along, axis=2)).all(axis=1)
    return middle, lies_on & hard[around].all(axis=1)
