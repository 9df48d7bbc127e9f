"""Grows the art by its border and takes off what a blade of the least radius cannot follow."""

from __future__ import annotations

from typing import Final

from shapely import MultiPolygon
from shapely.geometry.base import BaseGeometry

from cutline.domain.sticker_spec import ResolvedSpec
from cutline.imaging.shapes import closed, filled, offset, opened, polygons_of

ROUNDING_MARGIN: Final = 1.1
"""Corners are rounded with this much more than the least radius: a fitted curve bends a little tighter in places."""
MIN_PIECE_MM2: Final = 0.5
SMOOTHING_TO_MM: Final = 4.0
SPIKE_MM2: Final = 0.02
SPIKE_RADIUS_SHARE: Final = 0.96
"""Spikes are taken off with a little less than the pieces' own radius: necks that just passed must pass again."""


def closing_radius_mm(spec: ResolvedSpec) -> float:
    """Radius concave corners are filled with."""
    return spec.min_radius_mm + SMOOTHING_TO_MM * spec.smoothing


def blade_radius_mm(spec: ResolvedSpec) -> float:
    """Radius corners are rounded with, so that the fitted line keeps min_radius_mm."""
    return spec.min_radius_mm * ROUNDING_MARGIN


def is_opened(spec: ResolvedSpec) -> bool:
    """Whether the border alone does not round convex corners enough."""
    return spec.border_mm < spec.min_radius_mm


def wanted_shape(art: BaseGeometry, spec: ResolvedSpec) -> MultiPolygon:
    """Art grown by the border with round joins (shrunk by a negative one), holes filled."""
    return filled(offset(filled(art), spec.border_mm))


def bordered_shape(art: BaseGeometry, spec: ResolvedSpec) -> MultiPolygon:
    """The wanted shape without the tips and threads that the blade cannot follow.

    Gaps narrower than the blade are filled first, so that a fringe stays a solid edge. None of this depends on
    smoothing: the box, and with it the scale, is the same however smooth the line is asked to be.
    """
    wanted = wanted_shape(art, spec)
    if not is_opened(spec):
        return wanted
    radius = blade_radius_mm(spec)
    kept = filled(opened(closed(wanted, radius), radius))
    return polygons_of(MultiPolygon([part for part in kept.geoms if part.area >= MIN_PIECE_MM2]))


def smoothed(pieces: MultiPolygon, spec: ResolvedSpec) -> MultiPolygon:
    """The pieces with their concave corners filled; this is what the blade follows.

    Where a channel is about as wide as the closing disc, discs from both its ends leave sharp spikes between them.
    Opening takes those off. It takes off nothing else, because the pieces have no tighter convex corner.
    """
    blade = blade_radius_mm(spec)
    convex = SPIKE_RADIUS_SHARE * (blade if is_opened(spec) else min(blade, spec.border_mm))
    shape = filled(closed(pieces, max(closing_radius_mm(spec), blade)))
    rounded = filled(opened(shape, convex))
    if shape.area - rounded.area < SPIKE_MM2:
        return rounded
    return filled(closed(rounded, blade))
