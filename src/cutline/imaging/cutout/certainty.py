"""How sure a cutout off a smooth background may be of itself.

A clean edge all the way round is no proof: white art on white paper shows only its coloured parts, and those have the
cleanest of edges. So two things count that an edge alone does not tell: how much of it hardly differs from the
background, and whether what was found is separate pieces with nothing but white (or black) in between.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutline.imaging.cutout.background import Background
from cutline.imaging.cutout.masks import type_mask

_MOST: Final = 0.98
_OF_GRADIENT: Final = 0.92
# CIE76 differences: below the first an edge can hardly be seen, from the second on nobody misses it.
_FAINT_DIFFERENCE: Final = 6.0
_STRONG_DIFFERENCE: Final = 9.0
# A sixth of the edge hardly visible leaves no confidence at all: as much again may be missing altogether.
_FAINT_WEIGHT: Final = 6.0
_PLAIN_LEVELS: Final = (2, 253)
_SEARCH_SIDE_PX: Final = 256
_LEAST_PIECE_SHARE: Final = 0.01
# Share of their convex hull that separate pieces leave empty: from harmless to suspicious.
_EMPTY_SHARES: Final = (0.25, 0.45)
_OF_SCATTERED_PIECES: Final = 0.45


def certainty_on_field(
    background: Background, inside: type_mask, edge_difference: NDArray[np.float32], leak_share: float
) -> float:
    """Confidence in a cutout off one colour or a gradient, 0 to 1.

    Args:
        background: What it was taken off.
        inside: 255 where art was found.
        edge_difference: CIE76 difference between art and background at pixels of the edge; shape (n,).
        leak_share: Area that a looser search would have lost, as a share of the subject.
    """
    if len(edge_difference) == 0:
        return 0.0
    strong_share = float((edge_difference >= _STRONG_DIFFERENCE).mean())
    faint_share = float((edge_difference <= _FAINT_DIFFERENCE).mean())
    border = (background.border_share - 0.4) / 0.6
    smooth = _OF_GRADIENT if background.varies else 1.0
    by_edge = (0.35 + 0.65 * strong_share) * max(0.0, 1 - _FAINT_WEIGHT * faint_share)
    apart = _of_pieces(inside) if _is_plain(background) else 1.0
    return float(np.clip(_MOST * border * smooth * by_edge * (1 - 0.5 * leak_share) * apart, 0, 1))


def _is_plain(background: Background) -> bool:
    """Whether the background is the white or the black that art itself is so often made of."""
    low, high = _PLAIN_LEVELS
    colour = background.colour
    return not background.varies and bool(colour.min() >= high or colour.max() <= low)


def _of_pieces(inside: type_mask) -> float:
    """1 for art in one piece; less, the emptier the hull that several pieces span."""
    height, width = inside.shape
    scale = min(1.0, _SEARCH_SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = (cv2.resize(inside, size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(small, connectivity=8)
    areas = np.asarray(stats)[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    is_piece = areas >= _LEAST_PIECE_SHARE * max(1, int(areas.sum()))
    is_piece[0] = False
    if count <= 2 or np.count_nonzero(is_piece) < 2:
        return 1.0
    pieces = is_piece[labels].astype(np.uint8)
    hull_px = cv2.countNonZero(cv2.fillConvexPoly(np.zeros_like(pieces), _hull(pieces), 1))
    empty = 1 - cv2.countNonZero(pieces) / max(1, hull_px)
    return float(np.interp(empty, _EMPTY_SHARES, (1.0, _OF_SCATTERED_PIECES)))


def _hull(mask: NDArray[np.uint8]) -> NDArray[np.int32]:
    points = cv2.findNonZero(mask)
    return np.asarray(cv2.convexHull(points), dtype=np.int32)
