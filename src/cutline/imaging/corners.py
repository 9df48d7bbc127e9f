"""Draws corners of a traced boundary out to where their straight edges meet.

Between pixels a boundary can only cut corners: by a third of a pixel where edges meet at a right angle, by more than a
pixel at the tip of a star.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class _Edges:
    """How straight edges look.

    Attributes:
        near: An edge is told by vertices that many away from the corner, and further.
        arm: How many vertices tell one.
        straight_px: How far those may lie from a line.
        least_turn: Least turn between two edges, in radians.
        most_moved_px: How far their meeting point may lie from the vertex at the corner; further where it is sharper.
        most_different_px: Area by which the pixels around may differ, one by one, from those of a sharp corner.
    """

    near: int
    arm: int
    straight_px: float
    least_turn: float
    most_moved_px: float
    most_different_px: float


ANTIALIASED: Final = _Edges(3, 5, 0.13, np.radians(25.0), 1.3, 0.9)
HARD: Final = _Edges(2, 12, 0.45, np.radians(40.0), 1.2, 7.0)
MOST_TURN: Final = np.radians(160.0)
WINDOW_PX: Final = 3
FINER: Final = 5
"""Pixels around a corner in which its area is compared, and samples of a pixel in each direction."""
SAME_TIP_PX: Final = 1.5
"""Vertices that see tips no further apart see the same corner."""
LEG_PX: Final = 2.0
"""How far from a tip its edges may leave their straight lines, where pixels say that the corner is blunt."""
STEPS_PX2: Final = 2.5
"""Area around a corner that the steps of its hard edges may make up between them."""

SHORT_OF_TIP: Final = 0.3
"""Share of the way out that a tip stops short by, where that is less than the caller's bound: pixels at a tip's end are
mostly paper, and the printed edge is seen further in."""

type_points = NDArray[np.float64]


@dataclass(frozen=True)
class _Corners:
    """Corners of a ring.

    Attributes:
        at: The vertex nearest to each, of shape (n,).
        tips: Where the straight edges beside it meet, (n, 2).
        into: Unit direction along the ring of the edge before it, (n, 2).
        out: That of the edge behind it.
        convex: Whether it is a corner of what is opaque, (n,).
    """

    at: NDArray[np.intp]
    tips: type_points
    into: type_points
    out: type_points
    convex: NDArray[np.bool_]


def sharpened(
    ring: type_points, smooth: type_points, field: NDArray[np.uint8], most_short_px: float, *, is_hard: bool
) -> type_points:
    """The smooth ring with its corners drawn out as far as the pixels' alpha says.

    Args:
        ring: Vertices (n, 2) in pixels, first not repeated; what is opaque lies to the left on the screen.
        smooth: The same vertices, moved onto smooth curves where their edge allows.
        field: Alpha levels.
        most_short_px: How far a tip may stop short of where its edges meet.
        is_hard: Whether edges are steps from full to empty pixels.
    """
    count = len(ring)
    edges = HARD if is_hard else ANTIALIASED
    if count < 4 * (edges.near + edges.arm):
        return smooth
    corners = _corners(ring, edges)
    if not len(corners.at):
        return smooth
    middle = ring[corners.at]
    back, good = _blunt(middle, corners, field, edges)
    way = np.linalg.norm(corners.tips - middle, axis=1)
    short = np.where(corners.convex & (not is_hard), np.minimum(SHORT_OF_TIP * way, most_short_px), 0.0)
    inwards = corners.out - corners.into
    inwards /= np.linalg.norm(inwards, axis=1, keepdims=True)
    placed = corners.tips + (back + short)[:, None] * inwards
    return _with_tips(smooth, corners.at[good], placed[good], edges.near)


def _corners(ring: type_points, edges: _Edges) -> _Corners:
    """The corners of a ring, each with the vertex in the middle of those that see it."""
    count = len(ring)
    index = np.arange(count)[:, None]
    arms = [ring[(index + sign * np.arange(edges.near, edges.near + edges.arm)) % count] for sign in (-1, 1)]
    (start, into, off_into), (end, out, off_out) = (_line(arm) for arm in arms)
    into = -into  # both along the ring
    cross = into[:, 0] * out[:, 1] - into[:, 1] * out[:, 0]
    turn = np.arctan2(-cross, (into * out).sum(axis=1))  # y points down: a left turn is negative
    straight = np.maximum(off_into, off_out)
    apart = end - start
    along = (apart[:, 0] * out[:, 1] - apart[:, 1] * out[:, 0]) / np.where(np.abs(cross) > 1e-6, cross, 1.0)
    tips = start + along[:, None] * into
    moved = np.linalg.norm(tips - ring, axis=1)
    bend = np.abs(turn)
    is_corner = (bend > edges.least_turn) & (bend < MOST_TURN) & (straight < edges.straight_px)
    found = is_corner & (moved * np.cos(bend / 2) < edges.most_moved_px)
    chosen = np.flatnonzero(found)
    if not len(chosen):
        return _Corners(chosen, tips[chosen], into[chosen], out[chosen], turn[chosen] > 0)
    score = np.where(found, moved + 4 * straight, np.inf)
    around = (chosen[:, None] + np.arange(-edges.near - edges.arm + 1, edges.near + edges.arm)) % count
    rivals = np.where(np.linalg.norm(tips[around] - tips[chosen, None], axis=2) < SAME_TIP_PX, score[around], np.inf)
    best = chosen[np.argmin(rivals, axis=1) == edges.near + edges.arm - 1]
    return _Corners(best, tips[best], into[best], out[best], turn[best] > 0)


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


def _blunt(
    middle: type_points, corners: _Corners, field: NDArray[np.uint8], edges: _Edges
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """How far tips lie inside of where edges meet, by the area missing, and whether the pixels are of such a corner.

    Args:
        middle: The vertices at the corners, (n, 2).
        corners: What is known of them.
        field: Alpha levels.
        edges: How straight edges look.
    """
    height, width = field.shape
    cell = np.floor(middle).astype(np.intp)
    offsets = np.arange(-WINDOW_PX, WINDOW_PX + 1)
    rows = np.clip(cell[:, 1, None] + offsets, 0, height - 1)
    columns = np.clip(cell[:, 0, None] + offsets, 0, width - 1)
    alpha = field[rows[:, :, None], columns[:, None, :]] / 255.0
    # Around a concave corner it is the background that has a tip.
    own = np.where(corners.convex[:, None, None], alpha, 1 - alpha)
    fine = (np.arange(FINER * len(offsets)) + 0.5) / FINER - WINDOW_PX
    side = np.where(corners.convex, 1.0, -1.0)[:, None]
    x = (cell[:, 0] - corners.tips[:, 0])[:, None, None] + fine[None, None, :]
    y = (cell[:, 1] - corners.tips[:, 1])[:, None, None] + fine[None, :, None]

    def share_beside(heading: type_points) -> NDArray[np.float64]:
        """How much of each sample lies on the tip's side of an edge."""
        across, down = (side * heading).T[:, :, None, None]
        reach = (np.abs(across) + np.abs(down)) / FINER
        return np.asarray(np.clip(0.5 + (down * x - across * y) / reach, 0.0, 1.0))

    covered = np.minimum(share_beside(corners.into), share_beside(corners.out))
    cover = covered.reshape(len(cell), len(offsets), FINER, len(offsets), FINER).mean(axis=(2, 4))
    missing = (cover - own).sum(axis=(1, 2))
    different = np.abs(cover - own).sum(axis=(1, 2))
    missing = np.where(edges is HARD, np.maximum(missing - STEPS_PX2, 0.0), missing)
    sine = np.abs(corners.into[:, 0] * corners.out[:, 1] - corners.into[:, 1] * corners.out[:, 0])
    share = np.clip(1 - missing / np.maximum(LEG_PX**2 * sine / 2, 1e-6), 0.0, 1.0)
    depth = LEG_PX * np.linalg.norm(corners.out - corners.into, axis=1) / 2
    return (1 - share) * depth, (different < edges.most_different_px) & (share > 0.3)


def _with_tips(ring: type_points, corners: NDArray[np.intp], tips: type_points, near: int) -> type_points:
    """The ring with the vertices next to each corner replaced by its tip."""
    count = len(ring)
    kept = np.ones(count, dtype=bool)
    kept[(corners[:, None] + np.arange(1 - near, near)) % count] = False
    kept[corners] = True
    result = ring.copy()
    result[corners] = tips
    return result[kept]
