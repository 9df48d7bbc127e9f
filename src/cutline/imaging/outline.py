"""Step: alpha to outline, the subpixel boundary of the art in pixel coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import contourpy
import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from cutline.domain.errors import ArtworkError, Reason
from cutline.imaging.model import type_rgba
from cutline.imaging.shapes import polygons_of

SPECK_AREA_MM2: Final = 0.5
"""A piece of art or a hole smaller than this on the finished sticker is dirt, not design."""
SPECK_AREA_SHARE: Final = 1e-4
"""So is one smaller than this share of the largest piece; it matters for very large stickers."""
PAD_PX: Final = 2
MIN_ART_SIDE_PX: Final = 2.0
"""Art smaller than this has no outline to speak of."""
SIMPLIFY_PX: Final = 0.05
SIMPLIFY_MM: Final = 0.008
"""Points closer than the larger of these to the line through their neighbours are left out: neither the pixels nor a
blade say more."""


@dataclass(frozen=True, slots=True)
class Outline:
    """Boundary of the art in pixel coordinates (x right, y down, canvas corner at 0, 0).

    Attributes:
        art: Polygons with holes, not overlapping, largest first.
        specks_dropped: How many pieces were too small to keep.
        specks_area_px: Their area together, in square pixels.
        specks_box_px: The box (x_min, y_min, x_max, y_max) around them; None where there are none.
    """

    art: MultiPolygon
    specks_dropped: int
    specks_area_px: float
    specks_box_px: tuple[float, float, float, float] | None

    @property
    def box_px(self) -> tuple[float, float, float, float]:
        """x_min, y_min, x_max, y_max of the art."""
        x_min, y_min, x_max, y_max = self.art.bounds
        return x_min, y_min, x_max, y_max


def trace_outline(rgba: type_rgba, *, alpha_threshold: float, longer_side_mm: float) -> Outline:
    """Traces where alpha passes the threshold, by marching squares (Lorensen & Cline 1987) between pixel centres.

    The canvas is padded with transparent pixels, so art that touches its edge is closed exactly there. A soft edge is
    placed where interpolated alpha meets the threshold, a hard one on the boundary between its two pixels.

    Args:
        rgba: uint8 of shape (height_px, width_px, 4).
        alpha_threshold: Alpha from which a pixel counts as art, above 0 and below 1.
        longer_side_mm: Roughly how long the art's longer side will be; it tells specks from design.

    Raises:
        ArtworkError: NO_SUBJECT: no pixel reaches the threshold, or only specks do.
    """
    field, left_px, top_px = _padded_field(rgba[..., 3], alpha_threshold)
    generator = contourpy.contour_generator(z=field, name="serial", fill_type=contourpy.FillType.OuterOffset)
    filled: Any = generator.filled(127.5, 256)  # its type depends on the fill type
    points, offsets = filled
    origin = np.array([left_px, top_px]) + 0.5 - PAD_PX
    rings = [
        [outer[start:end] + origin for start, end in pairwise(cuts)]
        for outer, cuts in zip(points, offsets, strict=True)
    ]
    return _kept(rings, longer_side_mm)


def _padded_field(alpha: NDArray[np.uint8], threshold: float) -> tuple[NDArray[np.uint8], int, int]:
    """Alpha around the art with the threshold moved to 127.5, padded by transparent pixels.

    Moving the threshold instead of the level keeps a step from 0 to 255 halfway between its pixels, whatever the
    threshold is.
    """
    least = int(np.ceil(threshold * 255 - 1e-9))
    left, top, width, height = cv2.boundingRect((alpha >= least).view(np.uint8))
    if width == 0 or height == 0:
        raise ArtworkError(Reason.NO_SUBJECT, "The artwork has nothing opaque enough to cut around.")
    # One pixel more on each side: the soft edge outside the threshold shapes the outline too.
    top_in, left_in = max(top - 1, 0), max(left - 1, 0)
    part = alpha[top_in : top + height + 1, left_in : left + width + 1]
    if least != 128:
        levels = np.arange(256) / 255
        below, above = 0.5 * levels / threshold, 0.5 + 0.5 * (levels - threshold) / (1 - threshold)
        moved = np.where(np.arange(256) < least, np.minimum(below * 255, 127), np.maximum(above * 255, 128))
        part = cv2.LUT(np.ascontiguousarray(part), moved.round().astype(np.uint8)).astype(np.uint8, copy=False)
    return _evened(np.pad(part, PAD_PX)), left_in, top_in


def _evened(field: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The field blurred by a 3 x 3 binomial filter, but for what the blur would lose.

    Interpolating between the two pixels beside an antialiased edge misplaces it by up to 0.09 px, in waves that the
    cut line would follow; over four pixels it is right within 0.02 px, and the steps of a hard mask are evened too.
    Tips and lines of one pixel keep their own values, and so do their neighbours.
    """
    blurred = cv2.GaussianBlur(field, (3, 3), 0)
    lost = ((field >= 128) & (blurred < 128)).view(np.uint8)
    near = cv2.dilate(lost, np.ones((5, 5), np.uint8))
    return np.asarray(np.where(near > 0, field, blurred), np.uint8)


def _kept(rings: list[list[NDArray[np.float64]]], longer_side_mm: float) -> Outline:
    """Polygons of the rings that are no specks; each entry is an outer ring followed by its holes."""
    areas = np.array([abs(_area(piece[0])) for piece in rings])
    main = np.concatenate([piece[0] for piece, area in zip(rings, areas, strict=True) if area >= 0.01 * areas.max()])
    side_px = float(np.ptp(main, axis=0).max())
    if side_px < MIN_ART_SIDE_PX:
        raise ArtworkError(Reason.NO_SUBJECT, "The artwork holds nothing larger than a speck.")
    least = max(SPECK_AREA_MM2 * (side_px / longer_side_mm) ** 2, SPECK_AREA_SHARE * float(areas.max()))
    least = min(least, float(areas.max()))
    tolerance_px = max(SIMPLIFY_PX, SIMPLIFY_MM * side_px / longer_side_mm)
    polygons = [
        _polygon(piece[0], [hole for hole in piece[1:] if abs(_area(hole)) >= least], tolerance_px)
        for piece, area in zip(rings, areas, strict=True)
        if area >= least
    ]
    specks = [piece[0] for piece, area in zip(rings, areas, strict=True) if area < least]
    return Outline(
        art=polygons_of(shapely.union_all(polygons)),
        specks_dropped=len(specks),
        specks_area_px=float(areas[areas < least].sum()),
        specks_box_px=_box(specks),
    )


def _polygon(outer: NDArray[np.float64], holes: list[NDArray[np.float64]], tolerance_px: float) -> BaseGeometry:
    return Polygon(outer, holes).simplify(tolerance_px)


def _area(ring: NDArray[np.float64]) -> float:
    """Signed area of a closed ring whose last point repeats the first."""
    x, y = ring[:, 0], ring[:, 1]
    return float(0.5 * (np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1])))


def _box(rings: list[NDArray[np.float64]]) -> tuple[float, float, float, float] | None:
    if not rings:
        return None
    every = np.concatenate(rings)
    (x_min, y_min), (x_max, y_max) = every.min(axis=0), every.max(axis=0)
    return float(x_min), float(y_min), float(x_max), float(y_max)
