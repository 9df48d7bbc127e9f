"""Draws corners of a traced boundary out to where their straight edges meet.

Between pixels a boundary can only cut corners: by a third of a pixel where edges meet at a right angle, by more than a
pixel at the tip of a star.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

NEAR: Final = 2
"""An edge is told by vertices that many away from the corner, and further."""


@dataclass(frozen=True)
class _Edges:
    """How straight edges look.

    Attributes:
        arm: How many vertices tell one.
        straight_px: How far those may lie from a line.
        least_turn: Least turn between two edges, in radians.
        most_different_px: Area by which the pixels around may differ, one by one, from those of a sharp corner.
    """

    arm: int
    straight_px: float
    least_turn: float
    most_different_px: float


ANTIALIASED: Final = _Edges(5, 0.13, np.radians(25.0), 0.9)
HARD: Final = _Edges(12, 0.45, np.radians(40.0), 7.0)
MOST_TURN: Final = np.radians(160.0)
MOST_MOVED_PX: Final = 4.0
WINDOW_PX: Final = 3
FINER: Final = 5
"""Pixels around a corner in which its area is compared, and samples of a pixel in each direction."""

SHORT_OF_TIP: Final = 0.3
"""Share of the way out that a tip stops short by, where that is less than the caller's bound: pixels at a tip's end are
mostly paper, and the printed edge is seen further in."""

type_points = NDArray[np.float64]


def sharpened(ring: type_points, field: NDArray[np.uint8], most_short_px: float, *, is_hard: bool) -> type_points:
    """The ring with convex corners drawn out as far as the pixels' alpha says.

    Args:
        ring: Vertices (n, 2) in pixels, first not repeated; what is opaque lies to the left on the screen.
        field: Alpha levels.
        most_short_px: How far a tip may stop short of where its edges meet.
        is_hard: Whether edges are steps from full to empty pixels.
    """
    count = len(ring)
    edges = HARD if is_hard else ANTIALIASED
    if count < 4 * (NEAR + edges.arm):
        return ring
    tips, corners = _corners(ring, edges)
    if not len(corners):
        return ring
    placed, good = _placed(ring, corners, tips, field, edges)
    out = placed - ring[corners]
    way = np.linalg.norm(out, axis=1)
    placed -= out * (np.minimum(SHORT_OF_TIP * way, most_short_px) / np.maximum(way, 1e-9))[:, None]
    return _with_tips(ring, corners[good], placed[good])


def _corners(ring: type_points, edges: _Edges) -> tuple[type_points, NDArray[np.intp]]:
    """Where straight edges around a vertex would meet, and the vertices: the best one of each corner."""
    count = len(ring)
    index = np.arange(count)[:, None]
    arms = [ring[(index + sign * np.arange(NEAR, NEAR + edges.arm)) % count] for sign in (-1, 1)]
    (start, into, off_into), (end, out, off_out) = (_line(arm) for arm in arms)
    into = -into  # both along the ring
    cross = into[:, 0] * out[:, 1] - into[:, 1] * out[:, 0]
    turn = np.arctan2(-cross, (into * out).sum(axis=1))  # y points down: a left turn is negative
    straight = np.maximum(off_into, off_out)
    apart = end - start
    along = (apart[:, 0] * out[:, 1] - apart[:, 1] * out[:, 0]) / np.where(np.abs(cross) > 1e-6, cross, 1.0)
    tips = start + along[:, None] * into
    moved = np.linalg.norm(tips - ring, axis=1)
    found = (turn > edges.least_turn) & (turn < MOST_TURN) & (straight < edges.straight_px) & (moved < MOST_MOVED_PX)
    # One vertex for each corner: the one in the middle of those that see it.
    chosen = np.flatnonzero(found)
    if not len(chosen):
        return tips, chosen
    score = np.where(found, moved + 4 * straight, np.inf)
    reach = np.arange(-NEAR - edges.arm + 1, NEAR + edges.arm)
    around = score[(chosen[:, None] + reach) % count]
    best = chosen[np.argmin(around, axis=1) == NEAR + edges.arm - 1]
    return tips[best], best


def _line(arm: type_points) -> tuple[type_points, type_points, NDArray[np.float64]]:
    """Middle and direction of the straight lines through points (n, arm, 2), away from the vertex, and their error."""
    middle = arm.mean(axis=1)
    local = arm - middle[:, None]
    xx, yy, xy = (local[..., 0] ** 2).sum(1), (local[..., 1] ** 2).sum(1), (local[..., 0] * local[..., 1]).sum(1)
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)
    heading = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    outwards = ((arm[:, -1] - arm[:, 0]) * heading).sum(axis=1)
    heading *= np.where(outwards < 0, -1.0, 1.0)[:, None]
    error = np.abs(local[..., 0] * heading[:, None, 1] - local[..., 1] * heading[:, None, 0]).max(axis=1)
    return middle, heading, error


def _placed(
    ring: type_points, corners: NDArray[np.intp], tips: type_points, field: NDArray[np.uint8], edges: _Edges
) -> tuple[type_points, NDArray[np.bool_]]:
    """The tips moved back as far as area is missing, and whether the pixels are those of such a corner."""
    count = len(ring)
    before, after = ring[(corners - NEAR) % count], ring[(corners + NEAR) % count]
    height, width = field.shape
    middle = np.floor(ring[corners]).astype(np.intp)
    offsets = np.arange(-WINDOW_PX, WINDOW_PX + 1)
    rows = np.clip(middle[:, 1, None] + offsets, 0, height - 1)
    columns = np.clip(middle[:, 0, None] + offsets, 0, width - 1)
    alpha = field[rows[:, :, None], columns[:, None, :]] / 255.0
    fine = (np.arange(FINER * len(offsets)) + 0.5) / FINER - WINDOW_PX
    x, y = middle[:, 0, None, None] + fine[None, None, :], middle[:, 1, None, None] + fine[None, :, None]

    def left_of(start: type_points, end: type_points) -> NDArray[np.bool_]:
        d = end - start
        return np.asarray(
            d[:, 0, None, None] * (y - start[:, 1, None, None]) - d[:, 1, None, None] * (x - start[:, 0, None, None])
            < 0
        )

    covered = left_of(before, tips) & left_of(tips, after)
    cover = covered.reshape(len(corners), len(offsets), FINER, len(offsets), FINER).mean(axis=(2, 4))
    missing = (cover - alpha).sum(axis=(1, 2))
    different = np.abs(cover - alpha).sum(axis=(1, 2))
    base = after - before
    gain = np.abs(base[:, 0] * (tips - before)[:, 1] - base[:, 1] * (tips - before)[:, 0]) / 2
    # Steps of hard edges say nothing about single tenths of a pixel.
    missing = np.where(edges is HARD, np.maximum(missing - 1.5, 0.0), missing)
    share = np.clip(1 - missing / np.maximum(gain, 1e-6), 0.0, 1.0)
    foot = (before + after) / 2
    return foot + share[:, None] * (tips - foot), (different < edges.most_different_px) & (share > 0.3)


def _with_tips(ring: type_points, corners: NDArray[np.intp], tips: type_points) -> type_points:
    """The ring with the vertices next to each corner replaced by its tip."""
    count = len(ring)
    kept = np.ones(count, dtype=bool)
    kept[(corners[:, None] + np.arange(-NEAR + 1, NEAR)) % count] = False
    kept[corners] = True
    result = ring.copy()
    result[corners] = tips
    return result[kept]
