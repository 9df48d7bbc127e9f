"""Masks of whole canvases: uint8 arrays of shape (height, width) with 0 and 255, worked on by OpenCV."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

type_mask = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Runs:
    """Where a mask's pixels hang together along the rows; aligned arrays.

    Attributes:
        rows: Row of each run.
        columns: Its first column.
        lengths: Its pixels.
        parts: Number of the part it belongs to.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    lengths: NDArray[np.intp]
    parts: NDArray[np.int32]

    def pixels(self, chosen: NDArray[np.bool_], width: int) -> NDArray[np.int32]:
        """Positions of the chosen runs' pixels in a flattened canvas of that width."""
        lengths = self.lengths[chosen]
        starts = self.rows[chosen] * width + self.columns[chosen]
        before = np.cumsum(lengths) - lengths
        shifts = np.repeat((starts - before).astype(np.int32), lengths)
        return np.asarray(shifts + np.arange(len(shifts), dtype=np.int32), dtype=np.int32)


@dataclass(frozen=True, slots=True)
class Parts:
    """The connected parts of a mask, number 0 being what is not in it.

    Areas and boxes are told from the runs of the rows: there are thousands of those where there are millions of pixels.

    Attributes:
        mask: The mask.
        corner: x and y of the top left pixel of `labels`.
        labels: Number of each pixel's part, within the box around the mask.
        runs: The mask's runs.
        areas_px: Area of each part.
    """

    mask: type_mask
    corner: tuple[int, int]
    labels: NDArray[np.int32]
    runs: _Runs
    areas_px: NDArray[np.int64]

    @property
    def boxes(self) -> NDArray[np.int64]:
        """Bounding box (x, y, width, height) of each part; shape (n, 4); that of number 0 means nothing."""
        shape, runs = len(self.areas_px), self.runs
        low = np.full((shape, 2), max(self.mask.shape), np.int64)
        high = np.zeros((shape, 2), np.int64)
        np.minimum.at(low, runs.parts, np.stack([runs.columns, runs.rows], axis=1))
        np.maximum.at(high, runs.parts, np.stack([runs.columns + runs.lengths, runs.rows + 1], axis=1))
        return np.concatenate([low, high - low], axis=1)

    def only(self, keep: NDArray[np.bool_]) -> type_mask:
        """The mask of the parts flagged in `keep`, never of number 0."""
        is_kept = keep[self.runs.parts]
        kept_px = int(self.runs.lengths[is_kept].sum())
        if 2 * kept_px <= int(self.runs.lengths.sum()):
            chosen = np.zeros_like(self.mask)
            chosen.reshape(-1)[self.runs.pixels(is_kept, self.mask.shape[1])] = 255
        else:
            chosen = self.mask.copy()
            chosen.reshape(-1)[self.runs.pixels(~is_kept, self.mask.shape[1])] = 0
        return chosen

    def touching(self, mask: type_mask) -> NDArray[np.bool_]:
        """Which parts share a pixel with a mask."""
        flags = np.zeros(len(self.areas_px), bool)
        (x, y), (height, width) = self.corner, self.labels.shape
        flags[self.labels[mask[y : y + height, x : x + width] > 0]] = True
        return flags


def parts_of(mask: type_mask, *, connectivity: int) -> Parts:
    """The connected parts of a mask of 0 and 255; connectivity 4 or 8."""
    left, top, width, height = cv2.boundingRect(mask)
    within = np.ascontiguousarray(mask[top : top + height, left : left + width])
    if within.size == 0:
        nothing, nowhere = np.zeros((0, 0), np.int32), np.zeros(0, np.intp)
        runs = _Runs(nowhere, nowhere, nowhere, nowhere.astype(np.int32))
        return Parts(mask, (0, 0), nothing, runs, np.array([mask.size]))
    _, labelled = cv2.connectedComponents(within, connectivity=connectivity)
    labels = np.asarray(labelled, dtype=np.int32)
    rows, columns, lengths = _runs_of(within)
    parts = labels[rows, columns]
    areas = np.bincount(parts, weights=lengths).astype(np.int64)
    areas[0] = mask.size - areas.sum()
    return Parts(mask, (left, top), labels, _Runs(rows + top, columns + left, lengths, parts), areas)


def _runs_of(mask: type_mask) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Row, first column and length of each run of a mask's rows."""
    # A clear column before each row, and one pixel after the last, keep runs of neighbouring rows apart.
    height, width = mask.shape
    padded = np.zeros(height * (width + 1) + 1, np.uint8)
    padded[:-1].reshape(height, width + 1)[:, 1:] = mask
    ends = np.flatnonzero(padded[1:] != padded[:-1])
    rows, columns = np.divmod(ends[::2], width + 1)
    return rows, columns, ends[1::2] - ends[::2]


def places_of(mask: type_mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of a mask's pixels; what np.nonzero gives, in a tenth of its time."""
    rows, columns = np.divmod(np.flatnonzero(np.ascontiguousarray(mask).view(np.bool_)), mask.shape[1])
    return rows, columns


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
    return np.asarray(cv2.inRange(padded[1:-1, 1:-1], (128,), (128,)), dtype=np.uint8)
