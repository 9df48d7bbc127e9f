"""Solves the scale at which the finished box has exactly the size asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import shapely
from shapely import MultiPolygon, affinity, box
from shapely.geometry.base import BaseGeometry

from cutline.domain.errors import ArtworkError, Reason
from cutline.domain.outputs import SizeSource
from cutline.domain.sticker_spec import DEFAULT_LONGER_SIDE_MM, LIMITS, ResolvedSpec
from cutline.imaging.cut_line.border import bordered_shape, drawn_wider_mm, is_opened
from cutline.imaging.shapes import ARC_SAGITTA_MM, offset, polygons_of

ROUNDS: Final = 40
HALVED: Final = 2
"""Which of three steps halves the bracket."""
CLOSE_ENOUGH: Final = 2e-4
"""Relative error the search stops at; the rest is taken up by scaling the whole sticker."""
COARSE_MM: Final = 0.03
COARSE_SAGITTA_MM: Final = 0.006
"""Precision of the outline and of its arcs that the search begins with: a quarter of the points find nearly the same
scale."""
NARROWEST: Final = 1e-7
"""Share of the scale that a search narrows down to at most."""
JUMP_WIDTHS: Final = (1e-4, 1e-6)
JUMP: Final = 100.0
"""Within that share, first of a coarse outline, then of the outline, a box that grows so many times faster than the
scale jumps."""
MOST_JUMPS: Final = 8
MOST_GROWN: Final = 8.0
"""Times the plain scale at which something of the art has to be left."""
MOST_POINTS: Final = 60_000
"""Points of outlines that one search goes through, all rounds together: noise has as many in a few rounds, and each
round takes a second."""
HOPELESS_POINTS: Final = 200_000
"""Points of an outline that no search is begun with: thinning those of thousands of pieces takes half a minute."""
DRAWN_POINTS: Final = 4_000
MOST_DRAWN_POINTS: Final = 300_000
"""The same for outlines of so few points, which drawn art has: a search among jumps may take a hundred rounds."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """Art in mm at the scale that meets the size.

    Attributes:
        art: The outline in mm, the canvas corner still at 0, 0.
        bordered: Art with its border, as the blade can follow it.
        box: x_min, y_min, x_max, y_max the finished line must have.
        mm_per_px: The scale.
        source: Where the size came from.
    """

    art: MultiPolygon
    bordered: MultiPolygon
    box: tuple[float, float, float, float]
    mm_per_px: float
    source: SizeSource


def size_source(spec: ResolvedSpec) -> SizeSource:
    """Whether a size was asked for."""
    return SizeSource.DEFAULT if spec.width_mm is None and spec.height_mm is None else SizeSource.EXPLICIT


def longer_side_mm(spec: ResolvedSpec) -> float:
    """Roughly how long the art's longer side becomes, before its aspect is known."""
    asked = max(spec.width_mm or 0.0, spec.height_mm or 0.0) or DEFAULT_LONGER_SIDE_MM
    return max(asked - 2 * spec.border_mm, 1.0)


def solve_scale(art_px: MultiPolygon, spec: ResolvedSpec) -> Scaled:
    """Scales the art so that the box after border and corner rounding has the size asked for.

    One side given: it is met, the other follows. Both: the one that binds is met, the other is at most its value.
    None: the longer side is DEFAULT_LONGER_SIDE_MM.

    Raises:
        ArtworkError: SIZE_IMPOSSIBLE: the other side would pass the size limit. CUT_LINE_IMPOSSIBLE: nothing of the
            art is left after border and rounding.
    """
    if not is_opened(spec):
        scale = _linear_scale(art_px, spec)
        return _checked(_at_scale(art_px, scale, spec), spec)
    return _checked(_searched(art_px, spec), spec)


def _linear_scale(art_px: MultiPolygon, spec: ResolvedSpec) -> float:
    """The scale where the box is the art's plus a border on each side, which it is unless tips are taken off."""
    x_min, y_min, x_max, y_max = art_px.bounds
    sides_px = (x_max - x_min, y_max - y_min)
    if size_source(spec) is SizeSource.DEFAULT:
        return (DEFAULT_LONGER_SIDE_MM - 2 * spec.border_mm) / max(sides_px)
    asked = (spec.width_mm, spec.height_mm)
    return min((side - 2 * spec.border_mm) / px for side, px in zip(asked, sides_px, strict=True) if side is not None)


def _searched(art_px: MultiPolygon, spec: ResolvedSpec) -> Scaled:
    """Finds the scale on a coarse outline, then on the outline itself, which takes a step or two more."""
    plain = _linear_scale(art_px, spec)
    points = int(shapely.get_num_coordinates(art_px))
    drawn = points <= DRAWN_POINTS
    most_points = MOST_DRAWN_POINTS if drawn else MOST_POINTS
    if points > HOPELESS_POINTS:
        raise _too_ragged(art_px, most_points)
    coarse = _Search(spec, COARSE_SAGITTA_MM, MOST_GROWN * plain, most_points, JUMP_WIDTHS[0])
    roughly, jumps = coarse.without_jumps(polygons_of(art_px.simplify(COARSE_MM / plain)), plain)
    start, art = plain, art_px
    if jumps and drawn:  # the outline itself may jump elsewhere
        start = jumps[0].mm_per_px
    elif roughly is not None:
        start = roughly.mm_per_px
        for jump in jumps:
            art = polygons_of(art.intersection(jump.area_px))
    exact = _Search(spec, ARC_SAGITTA_MM, MOST_GROWN * plain, coarse.points_left, JUMP_WIDTHS[1])
    found, _ = exact.without_jumps(art, start)
    if found is not None:
        # What was left out is art all the same: it is printed, and lost behind the line.
        return replace(found, art=affinity.scale(art_px, found.mm_per_px, found.mm_per_px, origin=(0, 0)))
    if min(coarse.points_left, exact.points_left) < 0:
        raise _too_ragged(art_px, most_points)
    raise ArtworkError(
        Reason.CUT_LINE_IMPOSSIBLE,
        "The art is too thin for the cut: at no scale does what is left after border and corner rounding have the size"
        " asked for. A larger border, a smaller min_radius_mm or a larger size helps.",
    )


def _too_ragged(art_px: MultiPolygon, most_points: int) -> ArtworkError:
    points = shapely.get_num_coordinates(art_px)
    return ArtworkError(
        Reason.CUT_LINE_IMPOSSIBLE,
        f"The art's edge is too ragged for a cut so close to it: {points:,} points in {len(art_px.geoms):,} pieces, and"
        f" all rounds of finding its size may go through {most_points:,}. Clean its transparency of specks, or let"
        " border_mm be min_radius_mm or more.",
        metadata={"value": f"{points:,} points", "limit": f"{most_points:,} points"},
    )


@dataclass(frozen=True, slots=True)
class _Jump:
    """A scale at which the box is about to jump past the size asked for, and the area in pixels that is art there."""

    mm_per_px: float
    area_px: MultiPolygon


@dataclass(slots=True)
class _Search:
    """A search at one precision.

    Attributes:
        spec: Says what the size is to be.
        sagitta_mm: Precision of the arcs of offsets.
        most_scale: Scale at which something of the art has to be left.
        points_left: Points of outlines that it may still go through.
        jump_width: Share of the scale within which a box may be seen to jump.
    """

    spec: ResolvedSpec
    sagitta_mm: float
    most_scale: float
    points_left: int
    jump_width: float

    def without_jumps(self, art: MultiPolygon, start: float) -> tuple[Scaled | None, list[_Jump]]:
        """The art at its scale, and what it was cut down to on the way.

        The box jumps where a thin part becomes thick enough to be kept. If the size asked for falls into such a jump,
        the part is left out for good and the search goes on with the rest, whose box grows smoothly.
        """
        jumps: list[_Jump] = []
        for _ in range(MOST_JUMPS):
            found, low = self._bracketed(art, start)
            if found is not None or low is None:
                return found, jumps
            reach = self.spec.min_radius_mm - min(self.spec.border_mm, 0.0) + 0.1
            to_px = 1 / low.mm_per_px
            area_px = affinity.scale(offset(low.bordered, reach), to_px, to_px, origin=(0, 0))
            jumps.append(_Jump(low.mm_per_px, area_px))
            art, start = polygons_of(art.intersection(area_px)), low.mm_per_px
        return None, jumps

    def _bracketed(self, art: MultiPolygon, scale: float) -> tuple[Scaled | None, Scaled | None]:
        """Searches for an excess of 0 by a bracketed secant on the real box, from a scale on.

        Returns:
            What was found, and the largest sticker known to be too small.
        """
        low, low_excess, low_scaled = 0.0, -1.0, None
        high, high_excess, high_scaled = None, 0.0, None
        points = int(shapely.get_num_coordinates(art))
        for number in range(ROUNDS):
            self.points_left -= points
            if self.points_left < 0 or scale > self.most_scale:
                break
            scaled = _at_scale(art, scale, self.spec, self.sagitta_mm)
            excess = _excess(scaled.bordered, self.spec)
            if abs(excess) < CLOSE_ENOUGH:
                return _resized(scaled, 1 / (1 + excess)), None
            if excess < 0:
                low, low_excess = scale, excess
                low_scaled = scaled if not scaled.bordered.is_empty else low_scaled
            else:
                high, high_excess, high_scaled = scale, excess, scaled
            if high is None:
                scale *= min(max(1 / (1 + excess), 1.0002), 2.0) if excess > -0.99 else 1.5
                continue
            width = (high - low) / high
            if width < NARROWEST or (width < self.jump_width and high_excess - low_excess > JUMP * width):
                break
            # A secant alone creeps towards a jump.
            share = 0.5 if number % 3 == HALVED else -low_excess / (high_excess - low_excess)
            scale = low + (high - low) * min(max(share, 0.02), 0.98)
        if high_scaled is not None and self._is_drawn_too_long(high_scaled.bordered):
            return _resized(high_scaled, 1 / (1 + high_excess)), None
        return None, low_scaled

    def _is_drawn_too_long(self, shape: MultiPolygon) -> bool:
        """Whether only what is drawn wider for the fit makes a shape too long: nothing is left out for that."""
        x_min, y_min, x_max, y_max = shape.bounds
        wider = drawn_wider_mm(self.spec) + self.sagitta_mm
        return _excess(box(x_min + wider, y_min + wider, x_max - wider, y_max - wider), self.spec) <= 0


def _excess(shape: BaseGeometry, spec: ResolvedSpec) -> float:
    """How much the binding side is too long, as a share of it; -1 if nothing is there."""
    if shape.is_empty:
        return -1.0
    x_min, y_min, x_max, y_max = shape.bounds
    sides = (x_max - x_min, y_max - y_min)
    if size_source(spec) is SizeSource.DEFAULT:
        return max(sides) / DEFAULT_LONGER_SIDE_MM - 1
    asked = (spec.width_mm, spec.height_mm)
    return max(side / wish for side, wish in zip(sides, asked, strict=True) if wish is not None) - 1


def _at_scale(art_px: MultiPolygon, scale: float, spec: ResolvedSpec, arcs_mm: float = ARC_SAGITTA_MM) -> Scaled:
    art = affinity.scale(art_px, scale, scale, origin=(0, 0))
    bordered = bordered_shape(art, spec, sagitta_mm=arcs_mm)
    bounds = bordered.bounds
    if not is_opened(spec):  # the arcs of an offset are polygons, whose box is a little too small
        x_min, y_min, x_max, y_max = art.bounds
        border = spec.border_mm
        bounds = (x_min - border, y_min - border, x_max + border, y_max + border)
    return Scaled(art, bordered, bounds, scale, size_source(spec))


def _resized(scaled: Scaled, factor: float) -> Scaled:
    x_min, y_min, x_max, y_max = scaled.box
    return Scaled(
        box=(x_min * factor, y_min * factor, x_max * factor, y_max * factor),
        art=affinity.scale(scaled.art, factor, factor, origin=(0, 0)),
        bordered=affinity.scale(scaled.bordered, factor, factor, origin=(0, 0)),
        mm_per_px=scaled.mm_per_px * factor,
        source=scaled.source,
    )


def _checked(scaled: Scaled, spec: ResolvedSpec) -> Scaled:
    if scaled.bordered.is_empty:
        raise ArtworkError(
            Reason.CUT_LINE_IMPOSSIBLE,
            f"Nothing of the art is left at this size after a border of {spec.border_mm:g} mm and corners of"
            f" {spec.min_radius_mm:g} mm.",
        )
    x_min, y_min, x_max, y_max = scaled.bordered.bounds
    for name, side in (("width_mm", x_max - x_min), ("height_mm", y_max - y_min)):
        if getattr(spec, name) is None and side > LIMITS[name].high + 0.01:
            raise ArtworkError(
                Reason.SIZE_IMPOSSIBLE,
                f"The art's shape makes {name} {side:.1f} mm; it may be {LIMITS[name].high:g} mm at most.",
                metadata={"field": name, "value": f"{side:.1f}", "limit": f"{LIMITS[name].high:g}"},
            )
    return scaled
