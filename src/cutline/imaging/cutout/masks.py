"""Masks of whole canvases: uint8 arrays of shape (height, width) with 0 and 255, worked on by OpenCV."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

type_mask = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Parts:
    """The connected parts of a mask, number 0 being what is not in it.

    Attributes:
        labels: Number of each pixel's part; shape (height, width).
        areas_px: Area of each part.
        boxes: Bounding box (x, y, width, height) of each part; shape (n, 4).
    """

    labels: NDArray[np.int32]
    areas_px: NDArray[np.int32]
    boxes: NDArray[np.int32]

    def only(self, keep: NDArray[np.bool_]) -> type_mask:
        """The mask of the parts flagged in `keep`, never of number 0."""
        levels = np.where(keep, 255, 0).astype(np.uint8)
        levels[0] = 0
        if not levels.any():
            return np.zeros(self.labels.shape, np.uint8)
        return levels[self.labels]

    def touching(self, mask: type_mask) -> NDArray[np.bool_]:
        """Which parts share a pixel with a mask."""
        flags = np.zeros(len(self.areas_px), bool)
        flags[self.labels[mask > 0]] = True
        return flags


def parts_of(mask: type_mask, *, connectivity: int) -> Parts:
    """The connected parts of a mask; connectivity 4 or 8."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=connectivity)
    table = np.asarray(stats, dtype=np.int32)
    return Parts(np.asarray(labels, dtype=np.int32), table[:, cv2.CC_STAT_AREA], table[:, :4])


def above(values: NDArray[np.uint8], level: float) -> type_mask:
    """Where values exceed a level."""
    return np.asarray(cv2.threshold(values, level, 255, cv2.THRESH_BINARY)[1], dtype=np.uint8)


def at_most(values: NDArray[np.uint8], level: float) -> type_mask:
    """Where values do not exceed a level."""
    return np.asarray(cv2.threshold(values, level, 255, cv2.THRESH_BINARY_INV)[1], dtype=np.uint8)


def without(mask: type_mask, other: type_mask) -> type_mask:
    """What is in the first mask but not in the second."""
    return np.asarray(cv2.subtract(mask, other), dtype=np.uint8)


def both(mask: type_mask, other: type_mask) -> type_mask:
    """What is in both masks."""
    return np.asarray(cv2.bitwise_and(mask, other), dtype=np.uint8)


def either(mask: type_mask, other: type_mask) -> type_mask:
    """What is in one mask or both."""
    return np.asarray(cv2.bitwise_or(mask, other), dtype=np.uint8)


def inverse(mask: type_mask) -> type_mask:
    """What is not in the mask."""
    return np.asarray(cv2.bitwise_not(mask), dtype=np.uint8)


def grown(mask: type_mask, by_px: int) -> type_mask:
    """The mask with all within a square of `by_px` to each side."""
    return np.asarray(cv2.dilate(mask, np.ones((2 * by_px + 1,) * 2, np.uint8)), dtype=np.uint8)


def shrunk(mask: type_mask, by_px: int) -> type_mask:
    """The mask without what lies within a square of `by_px` of its edge; the canvas border is no edge."""
    return np.asarray(cv2.erode(mask, np.ones((2 * by_px + 1,) * 2, np.uint8)), dtype=np.uint8)


def outer_region(mask: type_mask) -> type_mask:
    """The part of a mask that hangs together with the canvas border."""
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(255,))
    cv2.floodFill(padded, None, (0, 0), (128,))
    return np.ascontiguousarray(padded[1:-1, 1:-1] == 128).view(np.uint8) * np.uint8(255)
