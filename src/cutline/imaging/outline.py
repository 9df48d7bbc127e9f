"""Step: alpha to outline, the subpixel boundary of the art in pixel coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from cutline.domain.errors import ArtworkError, Reason
from cutline.imaging.boundary import Boundaries, trace_boundaries
from cutline.imaging.corners import sharpened
from cutline.imaging.model import type_rgba
from cutline.imaging.shapes import polygons_of
from cutline.imaging.specks import MAIN_SHARE, Specks, least_area_px, without_specks

PAD_PX: Final = 4
"""Transparent pixels added around the art: a corner may be looked at that far out."""
MIN_ART_SIDE_PX: Final = 2.0
"""Art smaller than this has no outline to speak of."""
SIMPLIFY_PX: Final = 0.05
SIMPLIFY_MM: Final = 0.008
"""Points closer than the larger of these to the line through their neighbours are left out: neither the pixels nor a
blade say more."""

SHORT_OF_TIP_MM: Final = 0.044
SHORT_OF_TIP_PX_PER_MM: Final = 11.0
"""How far a tip may stop short of where its edges meet; less at fewer pixels per mm, which are inexact enough."""


@dataclass(frozen=True, slots=True)
class Outline:
    """Boundary of the art in pixel coordinates (x right, y down, canvas corner at 0, 0).

    Attributes:
        art: Polygons with holes, not overlapping, largest first.
        specks: Pieces too small to keep.
    """

    art: MultiPolygon
    specks: Specks

    @property
    def box_px(self) -> tuple[float, float, float, float]:
        """x_min, y_min, x_max, y_max of the art."""
        x_min, y_min, x_max, y_max = self.art.bounds
        return x_min, y_min, x_max, y_max


def trace_outline(rgba: type_rgba, *, alpha_threshold: float, longer_side_mm: float) -> Outline:
    """Traces where alpha passes the threshold.

    An antialiased edge is placed where a straight edge would give its pixels their alpha, a soft one where
    interpolated alpha meets the threshold, and a hard one on the boundary between its two pixels. Corners between
    straight edges are drawn out to where the edges meet. Art that touches the canvas's edge is closed exactly there.

    Args:
        rgba: uint8 of shape (height_px, width_px, 4).
        alpha_threshold: Alpha from which a pixel counts as art, above 0 and below 1.
        longer_side_mm: Roughly how long the art's longer side will be; it tells specks from design.

    Raises:
        ArtworkError: NO_SUBJECT: no pixel reaches the threshold, or only specks do. CUT_LINE_IMPOSSIBLE: the edge is
            noise.
    """
    field, left_px, top_px = _padded_field(cv2.extractChannel(rgba, 3), alpha_threshold)
    field, specks = without_specks(field, longer_side_mm)
    boundaries = trace_boundaries(field)
    return _kept(boundaries, field, np.array([left_px - PAD_PX, top_px - PAD_PX]), longer_side_mm, specks)


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
    padded = cv2.copyMakeBorder(part, PAD_PX, PAD_PX, PAD_PX, PAD_PX, cv2.BORDER_CONSTANT, value=(0,))
    return np.asarray(padded, np.uint8), left_in, top_in


def _kept(
    boundaries: Boundaries, field: NDArray[np.uint8], origin: NDArray[np.intp], longer_side_mm: float, specks: Specks
) -> Outline:
    """Polygons of the boundaries that are no specks; specks found before are counted with the others."""
    areas = np.abs(boundaries.areas)
    outer = boundaries.parents < 0
    largest = float(areas[outer].max())
    boxes = boundaries.boxes
    main = boxes[outer & (areas >= MAIN_SHARE * largest)]
    side_px = float((main[:, 2:].max(axis=0) - main[:, :2].min(axis=0)).max())
    if side_px < MIN_ART_SIDE_PX:
        raise ArtworkError(Reason.NO_SUBJECT, "The artwork holds nothing larger than a speck.")
    least = min(least_area_px(side_px, longer_side_mm, largest), largest)
    px_per_mm = side_px / longer_side_mm
    short_px = SHORT_OF_TIP_MM * px_per_mm * min(1.0, px_per_mm / SHORT_OF_TIP_PX_PER_MM)
    tolerance_px = max(SIMPLIFY_PX, SIMPLIFY_MM * side_px / longer_side_mm)

    def ring(number: int) -> NDArray[np.float64]:
        is_hard = bool(boundaries.hard[number])
        points, smooth = boundaries.ring(number), boundaries.smooth_ring(number)
        return sharpened(points, smooth, field, short_px, is_hard=is_hard) + origin

    polygons = []
    for piece in np.flatnonzero(outer & (areas >= least)).tolist():
        holes = np.flatnonzero((boundaries.parents == piece) & (areas >= least)).tolist()
        polygons.append(_polygon(ring(piece), [ring(hole) for hole in holes], tolerance_px))
    small = outer & (areas < least)
    specks += Specks(boxes[small], areas[small])
    art = MultiPolygon([part for part in polygons if isinstance(part, Polygon)])
    apart = len(art.geoms) == len(polygons) and art.is_valid
    return Outline(
        art=polygons_of(art if apart else shapely.union_all(polygons)),
        specks=specks.moved(origin),
    )


def _polygon(outer: NDArray[np.float64], holes: list[NDArray[np.float64]], tolerance_px: float) -> BaseGeometry:
    exact = Polygon(outer, holes)
    simple = exact.simplify(tolerance_px, preserve_topology=False)
    if isinstance(simple, Polygon) and simple.is_valid and len(simple.interiors) == len(holes):
        return simple
    return shapely.make_valid(exact).simplify(tolerance_px)
