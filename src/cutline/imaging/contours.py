"""Contours of a field of levels by marching squares (Lorensen & Cline 1987), worked out on the edge's pixels alone.

Neighbouring pixels of which one is inside and one is not have a crossing between them. Every crossing is left towards
a cell of four pixels, and what that cell looks like says by which side the contour leaves it again: that gives each
crossing its successor, and following the successors gives the rings. What lies inside or outside as a whole costs one
comparison a pixel.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

LEVEL: Final = 127.5
_TOP, _RIGHT, _BOTTOM, _LEFT = range(4)


def rings_of(field: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """The rings where a field passes 127.5; coordinates run from pixel centre to pixel centre, (0, 0) the first.

    Rings around levels above 127.5 have a positive area (x right, y down, shoelace formula), holes a negative one.
    Where two pixels inside meet two outside crosswise, the mean of the four says which two hang together. No two rings
    share a point.

    Args:
        field: uint8 of shape (height, width); its outermost pixels must lie below the level.

    Returns:
        Arrays of shape (n, 2), x before y, each closed: its last point repeats its first.
    """
    inside = field > LEVEL
    width = inside.shape[1]
    across = _flat_places(inside[:, :-1] != inside[:, 1:], width)
    down = _flat_places(inside[:-1] != inside[1:], width)
    points = np.concatenate([_points(field, inside, across, 1), _points(field, inside, down, width)])
    following = _successors(field, inside, across, down).tolist()
    rings = []
    for cycle in _cycles(following):
        ring = points[cycle]
        if ring_area(ring) < 0:
            # A hole starts where its topmost cell does, as an outer ring does already.
            first = int(np.argmin(np.where(np.array(cycle) < len(across), len(points), cycle)))
            ring = np.concatenate([ring[first:], ring[1 : first + 1]])
        rings.append(ring)
    return rings


def ring_area(ring: NDArray[np.float64]) -> float:
    """Signed area of a closed ring whose last point repeats the first: positive around what is inside."""
    x, y = ring[:, 0], ring[:, 1]
    return float(0.5 * (np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1])))


def _flat_places(flags: NDArray[np.bool_], width: int) -> NDArray[np.int64]:
    """Where flags are set, as positions in a flattened field of that width."""
    rows, columns = np.divmod(np.flatnonzero(flags), flags.shape[1])
    return np.asarray(rows * width + columns, np.int64)


def _points(
    field: NDArray[np.uint8], inside: NDArray[np.bool_], starts: NDArray[np.int64], step: int
) -> NDArray[np.float64]:
    """Where the level is met between each pixel at `starts` and the one a step further in the flattened field."""
    flags, levels = inside.reshape(-1), field.reshape(-1)
    high = np.where(flags[starts], starts, starts + step)
    low = np.where(flags[starts], starts + step, starts)
    share = ((levels[low] - LEVEL) / (levels[low].astype(np.float64) - levels[high]))[:, None]
    at_high, at_low = (np.stack(np.divmod(places, field.shape[1])[::-1], axis=1) for places in (high, low))
    return np.asarray(at_high * share + at_low * (1 - share))


def _successors(
    field: NDArray[np.uint8], inside: NDArray[np.bool_], across: NDArray[np.int64], down: NDArray[np.int64]
) -> NDArray[np.intp]:
    """For each crossing, those across before those down, the number of the next one with the inside on the left."""
    width = field.shape[1]
    flags = inside.reshape(-1)
    # A crossing is left into the cell below or above it, or right or left of it; cells go by their top left pixel.
    goes_down, goes_right = flags[across], ~flags[down]
    cells = np.concatenate([np.where(goes_down, across, across - width), np.where(goes_right, down, down - 1)])
    entries = np.concatenate([np.where(goes_down, _TOP, _BOTTOM), np.where(goes_right, _LEFT, _RIGHT)])
    corners = [flags[cells + step] for step in (0, 1, width + 1, width)]
    cases = corners[0] + 2 * corners[1] + 4 * corners[2] + 8 * corners[3]
    levels = field.reshape(-1)
    total = np.sum([levels[cells + step].astype(np.int64) for step in (0, 1, width + 1, width)], axis=0)
    exits = _EXITS[cases, entries, (total > 4 * LEVEL).astype(np.intp)]
    leaves_across = (exits == _TOP) | (exits == _BOTTOM)
    pixels = cells + np.array([0, 1, width, 0])[exits]
    number_down = len(across) + np.searchsorted(down, pixels)
    return np.asarray(np.where(leaves_across, np.searchsorted(across, pixels), number_down))


def _exit_table() -> NDArray[np.intp]:
    """Side by which a contour leaves a cell, by the cell's case, the side it entered by, and whether its middle is in.

    The case counts corners inside as 1, 2, 4, 8 clockwise from the top left.
    """
    table = np.zeros((16, 4, 2), np.intp)
    for case in range(16):
        corners = [bool(case >> number & 1) for number in range(4)]
        crossed = [side for side in range(4) if corners[side] != corners[(side + 1) % 4]]
        for entry in crossed:
            others = [side for side in crossed if side != entry]
            if len(others) == 1:
                table[case, entry] = others[0]
            else:
                # The inside is on the left: with the middle inside, the contour turns around the corner on its right.
                table[case, entry] = (entry - 1) % 4, (entry + 1) % 4
    return table


_EXITS: Final = _exit_table()


def _cycles(following: list[int]) -> list[list[int]]:
    """The cycles of a permutation, each closed by its first member."""
    is_met = bytearray(len(following))
    cycles = []
    for first in range(len(following)):
        if is_met[first]:
            continue
        cycle, at = [first], following[first]
        is_met[first] = 1
        while at != first:
            is_met[at] = 1
            cycle.append(at)
            at = following[at]
        cycle.append(first)
        cycles.append(cycle)
    return cycles
