"""What a perfect cutout is, and by computation what no cutout could know.

Colour differences are CIE76: Euclidean distance in CIELAB (D65 white, as OpenCV converts sRGB).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.quality.drawing import type_rgba

SOLID_LEVEL: Final = 128
"""Alpha from which a pixel counts as art."""
BOUNDARY_NEAR_DE: Final = 4.0
ENCLOSED_NEAR_DE: Final = 8.0
_COLOUR_FROM_LEVEL: Final = 16
# Antialiasing and a soft edge make at most this many partly opaque pixels in a row; more is see-through art.
_SOFT_EDGE_PX: Final = 15
_PARTIAL_LEVELS: Final = (13, 242)
_SEE_THROUGH_SHARE: Final = 0.02

type_mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Truth:
    """An artwork of exact alpha; masks have the canvas's shape (height, width)."""

    rgba: type_rgba

    @cached_property
    def alpha(self) -> NDArray[np.uint8]:
        """The alpha the artwork was drawn with."""
        return self.rgba[..., 3]

    @cached_property
    def outer(self) -> type_mask:
        """Background that hangs together with the canvas border, neighbours sharing an edge."""
        clear = (self.alpha < SOLID_LEVEL).astype(np.uint8)
        padded = np.pad(clear, 1, constant_values=1)
        cv2.floodFill(padded, None, (0, 0), (2,))
        return np.asarray(padded[1:-1, 1:-1] == 2)

    @cached_property
    def holes(self) -> type_mask:
        """Background that the art encloses."""
        return (self.alpha < SOLID_LEVEL) & ~self.outer

    @property
    def hole_share(self) -> float:
        """Area of the holes as a share of the solid art; 0 for art without any."""
        return int(np.count_nonzero(self.holes)) / max(1, int(np.count_nonzero(self.alpha >= SOLID_LEVEL)))

    @cached_property
    def filled(self) -> NDArray[np.uint8]:
        """Alpha with enclosed background made solid, soft edges of the holes included."""
        if not self.holes.any():
            return self.alpha
        at_hole = _distance_to(self.holes) < _distance_to(self.outer)
        return np.where(at_hole, 255, self.alpha).astype(np.uint8)

    @cached_property
    def colour(self) -> NDArray[np.uint8]:
        """The art's own colour, continued outwards from its nearest visible pixel."""
        absent = (self.alpha < _COLOUR_FROM_LEVEL).astype(np.uint8)
        _, labels = cv2.distanceTransformWithLabels(
            absent, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        source = np.zeros(int(labels.max()) + 1, np.intp)
        present = np.flatnonzero(absent.ravel() == 0)
        source[labels.ravel()[present]] = present
        return np.asarray(self.rgba[..., :3].reshape(-1, 3)[source[labels]])

    @cached_property
    def is_semi_transparent(self) -> bool:
        """Whether a real part of the art is see-through: wider than any soft edge."""
        low, high = _PARTIAL_LEVELS
        partial = ((self.alpha >= low) & (self.alpha <= high)).astype(np.uint8)
        thick = cv2.erode(partial, np.ones((_SOFT_EDGE_PX, _SOFT_EDGE_PX), np.uint8), borderValue=0)
        return bool(cv2.countNonZero(thick) > _SEE_THROUGH_SHARE * np.count_nonzero(self.alpha >= low))

    def boundary_near(self, backdrop: NDArray[np.uint8]) -> float:
        """Share of the outer boundary whose own colour lies within BOUNDARY_NEAR_DE of what is behind it."""
        boundary = inner_boundary(self.filled >= SOLID_LEVEL)
        if not boundary.any():
            return 0.0
        return float((colour_difference(self.colour[boundary], backdrop[boundary]) <= BOUNDARY_NEAR_DE).mean())

    def enclosed_near(self, backdrop: NDArray[np.uint8]) -> float:
        """Area of the largest piece of enclosed art that looks like background, as a share of the subject.

        Within ENCLOSED_NEAR_DE it cannot be told from a hole.
        """
        solid = self.alpha >= SOLID_LEVEL
        near = solid & (colour_difference(self.rgba[..., :3], backdrop) <= ENCLOSED_NEAR_DE)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(near.astype(np.uint8), connectivity=4)
        areas = np.asarray(stats)[:, cv2.CC_STAT_AREA].copy()
        beside_outer = cv2.dilate(self.outer.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        areas[np.unique(labels[beside_outer])] = 0
        areas[0] = 0
        return float(areas.max()) / max(1, int(np.count_nonzero(solid)))


def colour_difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    """CIE76 difference of sRGB levels, shape (..., 3) each; the result drops the last axis."""
    return np.asarray(np.linalg.norm(_lab(one) - _lab(other), axis=-1), dtype=np.float32)


def inner_boundary(solid: type_mask) -> type_mask:
    """The pixels of a mask that touch its outside by an edge; the canvas border is no edge."""
    cross = np.asarray(cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
    return np.asarray(solid & (cv2.erode(solid.astype(np.uint8), cross, borderValue=1) == 0))


def _lab(levels: NDArray[np.uint8]) -> NDArray[np.float32]:
    flat = np.ascontiguousarray(levels.reshape(1, -1, 3), dtype=np.float32) / np.float32(255)
    return np.asarray(cv2.cvtColor(flat, cv2.COLOR_RGB2LAB), dtype=np.float32).reshape(levels.shape)


def _distance_to(mask: type_mask) -> NDArray[np.float32]:
    """Distance in px of each pixel to the nearest one of the mask; infinite where there is none."""
    if not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    apart = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(apart, dtype=np.float32)
