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
        starts: Index of each ring's first vertex, and the end of the last ring.
        parents: For a hole, the ring it lies in; -1 for an outer ring.
        hard: Whether most of a ring passes from full to empty pixels.
    """

    points: type_points
    starts: type_indices
    parents: type_indices
    hard: NDArray[np.bool_]

    def ring(self, number: int) -> type_points:
        """Vertices of one ring, the first not repeated."""
        return self.points[self.starts[number] : self.starts[number + 1]]

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
    return Boundaries(_evened(points, hard, starts), starts, parents, mostly_hard)


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


def _evened(points: type_points, hard: NDArray[np.bool_], starts: type_indices) -> type_points:
    """The points, those of hard edges drawn halfway to the middle between their neighbours."""
    if not hard.any():
        return points
    index = np.arange(len(points))
    before, after = index - 1, index + 1
    before[starts[:-1]], after[starts[1:] - 1] = starts[1:] - 1, starts[:-1]
    stair = hard & hard[before] & hard[after]
    result = points.copy()
    result[stair] = 0.5 * points[stair] + 0.25 * (points[before[stair]] + points[after[stair]])
    return result
