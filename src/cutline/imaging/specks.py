"""Takes specks and pinholes out of ragged alpha before its boundaries are followed.

An edge of millions of pixels is nearly always noise, a grunge texture or a halftone: specks, which the cut line leaves
out anyway. Found as connected pixels they cost a tenth of what their boundaries would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutline.domain.errors import ArtworkError, Reason

RAGGED_CROSSINGS: Final = 300_000
"""Neighbouring pixels of which one is art and one is not; alpha with more is looked through for specks first."""
MOST_CROSSINGS: Final = 1_200_000
"""Alpha that still has more has no edge that a blade could follow: twenty times around the largest artwork."""
PIECE_NEIGHBOURS: Final = 8
HOLE_NEIGHBOURS: Final = 4
LEAST_AREA_MM2: Final = 0.5
"""A piece of art or a hole smaller than this on the finished sticker is dirt, not design."""
LEAST_AREA_SHARE: Final = 1e-4
"""So is one smaller than this share of the largest piece; it matters for very large stickers."""
MAIN_SHARE: Final = 0.01
"""Pieces of that share of the largest one say how large the art is; a speck far away does not."""

type_field = NDArray[np.uint8]
type_box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Specks:
    """What was left out, piece by piece.

    Attributes:
        boxes_px: The box of each, of shape (n, 4): x_min, y_min, x_max, y_max.
        areas_px: Its area in square pixels, of shape (n,).
    """

    boxes_px: NDArray[np.float64]
    areas_px: NDArray[np.float64]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.areas_px)

    def __add__(self, other: Specks) -> Specks:
        """Both together."""
        return Specks(*(np.concatenate(pair) for pair in zip(self._columns(), other._columns(), strict=True)))

    def of(self, chosen: NDArray[np.bool_]) -> Specks:
        """Some of them."""
        return Specks(*(column[chosen] for column in self._columns()))

    def moved(self, by_px: NDArray[np.intp]) -> Specks:
        """The same, moved by x and y."""
        return Specks(self.boxes_px + np.tile(by_px, 2), self.areas_px)

    def _columns(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.boxes_px, self.areas_px


NO_SPECKS: Final = Specks(np.empty((0, 4)), np.empty(0))


def least_area_px(side_px: float, longer_side_mm: float, largest_px: float) -> float:
    """Area in square pixels from which a piece or a hole counts.

    Args:
        side_px: The art's longer side.
        longer_side_mm: The same in mm.
        largest_px: Area of the largest piece.
    """
    return max(LEAST_AREA_MM2 * (side_px / longer_side_mm) ** 2, LEAST_AREA_SHARE * largest_px)


def around(boxes: NDArray[np.float64]) -> type_box:
    """The box around boxes (n, 4) of x_min, y_min, x_max, y_max; there is at least one."""
    (x_min, y_min), (x_max, y_max) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return float(x_min), float(y_min), float(x_max), float(y_max)


def without_specks(field: type_field, longer_side_mm: float) -> tuple[type_field, Specks]:
    """The field without specks and pinholes where its edge is ragged, else the field as it is.

    Whatever has room in a box too small for a piece that counts is a speck for sure. The others are told by the area
    that their boundary encloses, later.

    Args:
        field: Levels of shape (height, width), art from 128 on, the outermost pixels empty.
        longer_side_mm: Roughly how long the art's longer side will be.

    Returns:
        The field, and the pieces taken out of it, in its pixels.

    Raises:
        ArtworkError: CUT_LINE_IMPOSSIBLE: the edge is too ragged even without them.
    """
    mask = cv2.threshold(field, 127, 255, cv2.THRESH_BINARY)[1]
    if _crossings(mask) <= RAGGED_CROSSINGS:
        return field, NO_SPECKS
    labels, boxes, areas = _components(mask, PIECE_NEIGHBOURS)
    room = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    main = boxes[areas >= min(MAIN_SHARE * room.max(), areas.max())]
    side_px = float((main[:, 2:].max(axis=0) - main[:, :2].min(axis=0)).max())
    least_px = least_area_px(side_px, longer_side_mm, float(areas.max()))
    is_speck = (room < least_px) & (areas < areas.max())
    specks = Specks(boxes[is_speck], areas[is_speck])
    cleaned = np.where(np.concatenate([[False], is_speck])[labels], np.uint8(0), field)
    labels, boxes, _ = _components(cv2.threshold(cleaned, 127, 255, cv2.THRESH_BINARY_INV)[1], HOLE_NEIGHBOURS)
    room = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    cleaned = np.where(np.concatenate([[False], room < least_px])[labels], np.uint8(255), cleaned)
    crossings = _crossings(cv2.threshold(cleaned, 127, 255, cv2.THRESH_BINARY)[1])
    if crossings > MOST_CROSSINGS:
        raise ArtworkError(
            Reason.CUT_LINE_IMPOSSIBLE,
            f"The art's edge runs along {crossings:,} pixels, which no blade can follow; up to {MOST_CROSSINGS:,} work."
            " Take the noise out of its transparency, or send it smaller.",
        )
    return cleaned, specks


def _crossings(mask: cv2.typing.MatLike) -> int:
    across, down = cv2.bitwise_xor(mask[:, 1:], mask[:, :-1]), cv2.bitwise_xor(mask[1:], mask[:-1])
    return cv2.countNonZero(across) + cv2.countNonZero(down)


def _components(
    mask: cv2.typing.MatLike, neighbours: int
) -> tuple[cv2.typing.MatLike, NDArray[np.float64], NDArray[np.float64]]:
    """Labels from 1 on, and for each label its box and its area."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=neighbours, ltype=cv2.CV_32S)
    left, top, width, height, area = (column[1:].astype(np.float64) for column in stats.T)
    return labels, np.stack([left, top, left + width, top + height], axis=1), area
