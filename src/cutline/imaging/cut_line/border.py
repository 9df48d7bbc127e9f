"""Grows the art by its border and takes off what a blade of the least radius cannot follow."""

from __future__ import annotations

from typing import Final

import numpy as np
import shapely
from shapely import MultiPolygon
from shapely.geometry.base import BaseGeometry

from cutline.domain.sticker_spec import ResolvedSpec
from cutline.imaging.cut_line.bezier import type_points
from cutline.imaging.cut_line.rings import ring_points, smallest_radius_mm
from cutline.imaging.shapes import ARC_SAGITTA_MM, closed, filled, offset, opened, polygons_of

SLACKS_MM: Final = (0.002, 0.01, 0.03)
"""Corners are drawn this much wider than asked for, so that a curve fitted to them has room to be no tighter: concave
ones by moving the line inwards by as much, convex ones by moving it outwards. The second and third are for outlines so
rough that the first is not enough."""
OPENED_SLACK_MM: Final = 0.008
"""The same where convex corners are rounded too."""
EXACT: Final = 1 - 4e-4
"""Share of the least radius that parts are looked for with: the scale they are looked at is only as exact."""
TINY_RADIUS_MM: Final = 0.04
CHORDS_MM: Final = 0.001
"""Arcs of an offset are made of chords, which lose up to this much of their radius."""
WIDE: Final = 3.0
"""Times the least radius that no bend of the pieces is under, where convex corners need no slack. It would narrow the
gaps between pieces, and the neck across a gap nearly as wide as the closing disc moves by several times as much."""
MIN_PIECE_MM2: Final = 0.5
CRUMB_MM2: Final = MIN_PIECE_MM2 / 5
SMOOTHING_TO_MM: Final = 4.0
SPIKE_MM2: Final = 0.02
SPIKE_DEGREES: Final = 17.0
"""A convex vertex that turns more is a spike; the chords of arcs turn less."""
WIDER_DISCS: Final = (1.0, 1.25, 1.6, 2.0, 2.5, 3.2)
TOUCHING_MM: Final = 1e-6
HAIR_MM: Final = 5e-4
"""How far a spike may lie from what was lost at it, and the rim that is taken off with that: without it hairs stay."""
SPIKE_SLACK_MM: Final = 0.004
"""Spikes are taken off with a little less than the pieces' own radius: necks that just passed must pass again."""


def closing_radius_mm(spec: ResolvedSpec) -> float:
    """Radius concave corners are filled with."""
    return spec.min_radius_mm + SMOOTHING_TO_MM * spec.smoothing


def blade_radius_mm(spec: ResolvedSpec) -> float:
    """The least radius of the line; a tiny one is taken for a little more, because no offset draws it."""
    return max(spec.min_radius_mm, TINY_RADIUS_MM) if spec.min_radius_mm > 0 else 0.0


def opening_radius_mm(spec: ResolvedSpec) -> float:
    """Radius of convex corners where the border does not round them enough."""
    return blade_radius_mm(spec) + OPENED_SLACK_MM if spec.min_radius_mm > 0 else 0.0


def drawn_wider_mm(spec: ResolvedSpec) -> float:
    """How much wider what is left after opening is drawn, for the fit."""
    return opening_radius_mm(spec) - blade_radius_mm(spec)


def is_opened(spec: ResolvedSpec) -> bool:
    """Whether the border alone does not round convex corners enough."""
    return spec.border_mm < blade_radius_mm(spec)


def wanted_shape(art: BaseGeometry, spec: ResolvedSpec, *, sagitta_mm: float = ARC_SAGITTA_MM) -> MultiPolygon:
    """Art grown by the border with round joins (shrunk by a negative one), holes filled."""
    return filled(offset(filled(art), spec.border_mm, sagitta_mm=sagitta_mm))


def bordered_shape(art: BaseGeometry, spec: ResolvedSpec, *, sagitta_mm: float = ARC_SAGITTA_MM) -> MultiPolygon:
    """The wanted shape without the tips and threads that the blade cannot follow.

    Gaps narrower than the blade are filled first, so that a fringe stays a solid edge. What is left after opening is
    all kept: it is grown by a little more than it was shrunk, since opening with a wider disc would take off parts that
    are as wide as the blade just allows, and more of every tip. None of this depends on smoothing: the box, and with it
    the scale, is the same however smooth the line is asked to be.
    """
    wanted = wanted_shape(art, spec, sagitta_mm=sagitta_mm)
    if not is_opened(spec):
        return wanted
    solid = closed(wanted, blade_radius_mm(spec), sagitta_mm=sagitta_mm)
    reached = offset(solid, -EXACT * spec.min_radius_mm, sagitta_mm=sagitta_mm)
    kept = filled(offset(reached, opening_radius_mm(spec), sagitta_mm=sagitta_mm))
    # What is drawn wider for the fit is no art: whether a piece counts must not hang on it.
    wider_mm = drawn_wider_mm(spec)
    return polygons_of(
        MultiPolygon([part for part in kept.geoms if part.area - wider_mm * part.length >= MIN_PIECE_MM2])
    )


def smoothed(pieces: MultiPolygon, spec: ResolvedSpec, slack_mm: float = SLACKS_MM[0]) -> MultiPolygon:
    """The pieces with their concave corners filled; this is what the blade follows.

    Each of its parts holds a piece, and no piece is this small: what is smaller is a crumb of the arithmetic, which may
    even lie inside of another part.
    """
    shape = _smoothed(pieces, spec, slack_mm)
    return MultiPolygon([part for part in shape.geoms if part.area >= CRUMB_MM2])


def _smoothed(pieces: MultiPolygon, spec: ResolvedSpec, slack_mm: float) -> MultiPolygon:
    """The same, crumbs included.

    Where a channel is about as wide as the closing disc, discs from both its ends leave sharp spikes between them.
    Opening takes those off. It takes off nothing else, because the pieces have no tighter convex corner.
    """
    least = blade_radius_mm(spec)
    radius = max(closing_radius_mm(spec), least)
    if least == 0:
        shape = closed(pieces, radius) if radius > CHORDS_MM else filled(pieces)
        # Chords take something off the tips of needles; the union gives it back, and more points.
        return filled(shape.union(pieces)) if slack_mm > SLACKS_MM[0] else shape
    inwards = slack_mm if radius < least + slack_mm else 0.0
    outwards = 0.0
    # A bend of few degrees looks wider than it is: with more slack than usual, none is looked for.
    bends = slack_mm > SLACKS_MM[0] or smallest_radius_mm(pieces) < WIDE * least
    if spec.border_mm < least + inwards + CHORDS_MM and bends:
        outwards = inwards + CHORDS_MM + slack_mm
    if is_opened(spec):
        outwards = max(0.0, inwards + slack_mm - OPENED_SLACK_MM)
    shape = filled(offset(offset(pieces, radius + outwards), -radius - inwards))
    if not _has_spikes(shape):
        return shape
    convex = opening_radius_mm(spec) if is_opened(spec) else spec.border_mm + outwards - inwards
    rounding_mm = min(convex - SPIKE_SLACK_MM, least + SPIKE_SLACK_MM + CHORDS_MM)
    rounded = filled(opened(shape, rounding_mm))
    if shape.area - rounded.area < SPIKE_MM2:
        return rounded
    # Discs that nearly meet leave cusps between them: where nothing else was sharp, they alone are taken off.
    without_cusps = filled(shape.difference(_lost_at(_spikes(shape), shape, rounded).buffer(HAIR_MM, quad_segs=1)))
    if not _has_spikes(without_cusps):
        return without_cusps
    # What was taken off leaves corners. Where closing them leaves spikes again, a wider disc fills the place.
    whole = rounded
    for wider in WIDER_DISCS:
        whole = closed(rounded, wider * (least + slack_mm))
        if not _has_spikes(whole):
            return whole
    return filled(opened(whole, rounding_mm))


def _lost_at(points: type_points, shape: MultiPolygon, rounded: MultiPolygon) -> MultiPolygon:
    """The parts of a shape that rounding it took off at any of some points; necks elsewhere are none of them."""
    sharp = shapely.multipoints(points)
    lost = polygons_of(shape.difference(rounded))
    return MultiPolygon([part for part in lost.geoms if part.distance(sharp) < TOUCHING_MM])


def _has_spikes(shape: MultiPolygon) -> bool:
    return len(_spikes(shape)) > 0


def _spikes(shape: MultiPolygon) -> type_points:
    """Where outer rings turn convexly in one point, (n, 2)."""
    found = [np.empty((0, 2))]
    for part in shape.geoms:
        points = ring_points(part)  # without the jogs of a micrometre that offsets leave
        into = points - np.roll(points, 1, axis=0)
        out = np.roll(into, -1, axis=0)
        cross = into[:, 0] * out[:, 1] - into[:, 1] * out[:, 0]
        turns = np.degrees(np.arctan2(cross, (into * out).sum(axis=1)))
        found.append(points[(turns if part.exterior.is_ccw else -turns) > SPIKE_DEGREES])
    return np.concatenate(found)
