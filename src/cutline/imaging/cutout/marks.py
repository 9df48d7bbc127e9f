"""Whether separate pieces on white or black look like the visible marks of art that is itself white or black.

No pixel tells the eyes and mouth of a white ghost from three dark stickers; how they are arranged makes one of the two
likely. Marks lie far inside their canvas, because the body around them takes its room; or as a face does, a pair with
something between and below or above; or as bands of one width, from edge to edge of what cannot be seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutline.imaging.cutout.masks import type_mask

_SEARCH_SIDE_PX: Final = 256
_LEAST_PIECE_SHARE: Final = 0.01
# Share of the hull around all pieces that their own hulls leave empty: from harmless to suspicious.
_EMPTY_AROUND_MARKS: Final = (0.25, 0.45)
_OF_MARKS: Final = 0.45
_EMPTY_AROUND_PIECES: Final = (0.25, 0.6)
_OF_SCATTERED_PIECES: Final = 0.75
# Pieces that span less of their canvas leave room for a body around them.
_LEAST_SPAN: Final = 0.4
_MIRRORED: Final = 0.9
# What edges and middles may be apart by, as a share of the width of all pieces.
_ALIGNED: Final = 0.04
_BAND_FILL: Final = 0.8


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Separate pieces of a small mask.

    Attributes:
        mask: 1 where a piece is, cut to the box around all.
        boxes: Left, top, right and bottom of each in it, of shape (n, 4).
        fill: Share of its box that each fills, of shape (n,).
        span: Longer side of the box around all, as a share of the canvas's.
        empty: Share of the hull around all that their own hulls leave empty.
    """

    mask: NDArray[np.uint8]
    boxes: NDArray[np.float64]
    fill: NDArray[np.float64]
    span: float
    empty: float

    def turned(self) -> _Pieces:
        """The same with x and y exchanged."""
        mask = np.ascontiguousarray(self.mask.T)
        return _Pieces(mask, self.boxes[:, [1, 0, 3, 2]], self.fill, self.span, self.empty)

    def are_marks(self) -> bool:
        """Whether they are arranged as marks are."""
        return self.span < _LEAST_SPAN or any(one.are_bands() or one.are_a_face() for one in (self, self.turned()))

    def are_bands(self) -> bool:
        """Whether two of them are bands of one width above each other, in a picture that is its own mirror image."""
        bands = self.boxes[self.fill >= _BAND_FILL]
        reach = _ALIGNED * self.mask.shape[1]
        alike = (np.abs(bands[:, None, [0, 2]] - bands[None, :, [0, 2]]) <= reach).all(axis=2)
        return int(alike.sum()) > len(bands) and self._is_mirrored()

    def are_a_face(self) -> bool:
        """Whether something on the axis of a mirrored picture lies above or below the pairs beside the axis."""
        middle = self.mask.shape[1] / 2
        on_axis = np.abs(self.boxes[:, [0, 2]].mean(axis=1) - middle) <= _ALIGNED * self.mask.shape[1]
        if on_axis.all() or not on_axis.any():
            return False
        _, top, _, bottom = self.boxes.T
        apart = (bottom[on_axis][:, None] <= top[~on_axis]) | (top[on_axis][:, None] >= bottom[~on_axis])
        return bool(apart.all(axis=1).any()) and self._is_mirrored()

    def _is_mirrored(self) -> bool:
        other = self.mask[:, ::-1]
        return bool((self.mask & other).sum() >= _MIRRORED * (self.mask | other).sum())


def certainty_of_pieces(inside: type_mask) -> float:
    """1 for art in one piece or closely packed; less for scattered pieces, least for those that look like marks.

    Args:
        inside: 255 where art was found.
    """
    pieces = _pieces(inside)
    if pieces is None:
        return 1.0
    if pieces.empty > _EMPTY_AROUND_MARKS[0] and pieces.are_marks():
        return float(np.interp(pieces.empty, _EMPTY_AROUND_MARKS, (1.0, _OF_MARKS)))
    return float(np.interp(pieces.empty, _EMPTY_AROUND_PIECES, (1.0, _OF_SCATTERED_PIECES)))


def _pieces(inside: type_mask) -> _Pieces | None:
    """The pieces that count; None where there are not two."""
    height, width = inside.shape
    scale = min(1.0, _SEARCH_SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = (cv2.resize(inside, size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(small, connectivity=8)
    areas = np.asarray(stats)[1:, cv2.CC_STAT_AREA]
    counting = 1 + np.flatnonzero(areas >= _LEAST_PIECE_SHARE * areas.sum())
    if len(counting) < 2:
        return None
    mask = np.isin(labels, counting).astype(np.uint8)
    own = np.zeros_like(mask)
    for number in counting.tolist():
        _fill_hull(own, (labels == number).astype(np.uint8))
    around = _fill_hull(np.zeros_like(mask), mask)
    left, top, box_width, box_height = cv2.boundingRect(mask)
    boxes = np.asarray(stats)[counting, :4].astype(np.float64) - (left, top, 0, 0)
    return _Pieces(
        mask=mask[top : top + box_height, left : left + box_width],
        boxes=np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1),
        fill=areas[counting - 1] / boxes[:, 2:].prod(axis=1),
        span=max(box_width, box_height) / max(mask.shape),
        empty=1 - cv2.countNonZero(own) / cv2.countNonZero(around),
    )


def _fill_hull(canvas: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fills the convex hull of what a mask has, on a canvas of its size."""
    corners = np.asarray(cv2.convexHull(cv2.findNonZero(mask)), np.int32)
    return np.asarray(cv2.fillConvexPoly(canvas, corners, (1,)), np.uint8)
