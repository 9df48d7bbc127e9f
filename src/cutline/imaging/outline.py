"""Step: alpha to outline, the subpixel boundary of the art in pixel coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from cutline.domain.errors import ArtworkError, Reason
from cutline.imaging.contours import ring_area, rings_of
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
    field, left_px, top_px = _padded_field(cv2.extractChannel(rgba, 3), alpha_threshold)
    origin = np.array([left_px, top_px]) + 0.5 - PAD_PX
    return _kept([ring + origin for ring in rings_of(field)], longer_side_mm)


def _padded_field(alpha: cv2.typing.MatLike, threshold: float) -> tuple[NDArray[np.uint8], int, int]:
    """Alpha around the art with the threshold moved to 127.5, padded by transparent pixels.

    Moving the threshold instead of the level keeps a step from 0 to 255 halfway between its pixels, whatever the
    threshold is.
    """
    least = int(np.ceil(threshold * 255 - 1e-9))
    left, top, width, height = cv2.boundingRect(cv2.threshold(alpha, least - 1, 255, cv2.THRESH_BINARY)[1])
    if width == 0 or height == 0:
        raise ArtworkError(Reason.NO_SUBJECT, "The artwork has nothing opaque enough to cut around.")
    # One pixel more on each side: the soft edge outside the threshold shapes the outline too.
    top_in, left_in = max(top - 1, 0), max(left - 1, 0)
    part = alpha[top_in : top + height + 1, left_in : left + width + 1]
    if least != 128:
        levels = np.arange(256) / 255
        below, above = 0.5 * levels / threshold, 0.5 + 0.5 * (levels - threshold) / (1 - threshold)
        moved = np.where(np.arange(256) < least, np.minimum(below * 255, 127), np.maximum(above * 255, 128))
        part = cv2.LUT(part, moved.round().astype(np.uint8))
    pad = cv2.copyMakeBorder(part, PAD_PX, PAD_PX, PAD_PX, PAD_PX, cv2.BORDER_CONSTANT, value=(0,))
    return _evened(pad), left_in, top_in


def _evened(field: cv2.typing.MatLike) -> NDArray[np.uint8]:
    """The field blurred by a 3 x 3 binomial filter, but for what the blur would lose.

    Interpolating between the two pixels beside an antialiased edge misplaces it by up to 0.09 px, in waves that the
    cut line would follow; over four pixels it is right within 0.02 px, and the steps of a hard mask are evened too.
    Tips and lines of one pixel keep their own values, and so do their neighbours.
    """
    blurred = cv2.GaussianBlur(field, (3, 3), 0)
    lost = cv2.subtract(_inside(field), _inside(blurred))
    if cv2.countNonZero(lost):
        cv2.copyTo(field, cv2.dilate(lost, np.ones((5, 5), np.uint8)), blurred)
    return np.asarray(blurred, np.uint8)


def _inside(field: cv2.typing.MatLike) -> cv2.typing.MatLike:
    return cv2.threshold(field, 127, 255, cv2.THRESH_BINARY)[1]


def _kept(rings: list[NDArray[np.float64]], longer_side_mm: float) -> Outline:
    """Polygons of the rings that are no specks."""
    sized = [(ring, ring_area(ring)) for ring in rings]
    outers = [(ring, area) for ring, area in sized if area > 0]
    largest = max(area for _, area in outers)
    main = np.concatenate([ring for ring, area in outers if area >= 0.01 * largest])
    side_px = float(np.ptp(main, axis=0).max())
    if side_px < MIN_ART_SIDE_PX:
        raise ArtworkError(Reason.NO_SUBJECT, "The artwork holds nothing larger than a speck.")
    least = max(SPECK_AREA_MM2 * (side_px / longer_side_mm) ** 2, SPECK_AREA_SHARE * largest)
    least = min(least, largest)
    tolerance_px = max(SIMPLIFY_PX, SIMPLIFY_MM * side_px / longer_side_mm)
    pieces = [ring for ring, area in outers if area >= least]
    holes = _holes_of(pieces, [ring for ring, area in sized if -area >= least])
    polygons = [_polygon(ring, inner, tolerance_px) for ring, inner in zip(pieces, holes, strict=True)]
    specks = [(ring, area) for ring, area in outers if area < least]
    return Outline(
        art=polygons_of(shapely.union_all(polygons)),
        specks_dropped=len(specks),
        specks_area_px=sum(area for _, area in specks),
        specks_box_px=_box([ring for ring, _ in specks]),
    )


def _holes_of(pieces: list[NDArray[np.float64]], holes: list[NDArray[np.float64]]) -> list[list[NDArray[np.float64]]]:
    """The holes of each piece: a hole belongs to the smallest piece around it."""
    shapes = [Polygon(piece) for piece in pieces]
    found: list[list[NDArray[np.float64]]] = [[] for _ in pieces]
    tree = shapely.STRtree(shapes)
    for hole in holes:
        around = tree.query(Point(hole[0]), predicate="within")
        found[min(around, key=lambda number: shapes[number].area)].append(hole)
    return found


def _polygon(outer: NDArray[np.float64], holes: list[NDArray[np.float64]], tolerance_px: float) -> BaseGeometry:
    return Polygon(outer, holes).simplify(tolerance_px)


def _box(rings: list[NDArray[np.float64]]) -> tuple[float, float, float, float] | None:
    if not rings:
        return None
    every = np.concatenate(rings)
    (x_min, y_min), (x_max, y_max) = every.min(axis=0), every.max(axis=0)
    return float(x_min), float(y_min), float(x_max), float(y_max)
