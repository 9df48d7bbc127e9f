"""Step: outline to cut line. Scale, border, islands, smoothing, holes, fit, liner, in this order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from typing import Final

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon, affinity

from cutline.domain.errors import ArtworkError, Reason
from cutline.domain.outputs import BoxMm
from cutline.domain.sticker_spec import CutType, ResolvedSpec
from cutline.imaging.cut_line.bezier import DECIMALS, BezierPath, line
from cutline.imaging.cut_line.border import (
    SLACKS_MM,
    SPIKE_SLACK_MM,
    blade_radius_mm,
    closing_radius_mm,
    is_opened,
    smoothed,
    wanted_shape,
)
from cutline.imaging.cut_line.fillets import filleted
from cutline.imaging.cut_line.fit import fit_ring
from cutline.imaging.cut_line.holes import InnerCuts, inner_cuts, roomier
from cutline.imaging.cut_line.islands import NECK_MM, join_islands
from cutline.imaging.cut_line.liner import liner_path, outline_of
from cutline.imaging.cut_line.model import CutLine, Join, box_mm
from cutline.imaging.cut_line.radius import eased
from cutline.imaging.cut_line.rings import ring_points, smallest_radius_mm
from cutline.imaging.cut_line.rounded import capsule
from cutline.imaging.cut_line.scale import Scaled, solve_scale
from cutline.imaging.cut_line.spline import spline_of
from cutline.imaging.outline import Outline
from cutline.imaging.shapes import polygons_of

FIT_TOLERANCE_MM: Final = 0.015
"""How far the fitted line may lie from the shape."""
PIXELS_TOLERANCE: Final = 0.15
MOST_TOLERANCE_MM: Final = 0.025
"""The same as a share of a pixel, up to that: an edge of few pixels is not known any better."""
TRIES: Final = ((1.0, 0.0), (0.6, 0.0), (1.0, 0.07), (0.4, 0.0))
"""What is tried in turn where the line fails its own checks: a share of that tolerance, and how long edges are at least
as a share of the least radius. Arcs of two offsets whose points alternate look like arcs with fewer points."""
WIDER_SLACKS_MM: Final = (0.03, 0.06, 0.1)
CLOSER_TRIES: Final = ((0.6, 0.0), (1.0, 0.07), (0.25, 0.0))
"""What is tried besides where no try held the least radius, and the best came near."""
SPLINES: Final = (0.2, 0.15, 0.1)
"""What is tried after that: splines whose steps, and whose smoothing, are these shares of the least radius.
Smoothing narrows a circle by half of the square of its share; longer steps would bend too far where curvature jumps."""
NEAR: Final = 0.5
"""Share of the least radius that is near: a line that bends tighter follows a ragged edge, which nothing here mends."""
USUAL_TRIES: Final = len(TRIES) * len(SLACKS_MM)
STRAIGHT_TOLERANCE_MM: Final = 0.01
MOST_EASED_MM: Final = 0.03
"""How far a point of the line may be moved at once to make a bend no tighter than allowed."""
EASINGS: Final = 3
"""Times the line is eased: each time it is stretched to its exact box again, which bends it a little."""
HELD: Final = 1.00002
"""Share of the least radius that counts as held; what is above 1 is for programs that measure it elsewhere."""
NO_PATHS: Final[tuple[BezierPath, ...]] = ()
CONTAINMENT_MM: Final = 0.05
"""Art with border may stand out of the finished line by this much at most."""


@dataclass(frozen=True)
class _Fitted:
    outer: tuple[BezierPath, ...]
    inner: tuple[BezierPath, ...]

    @cached_property
    def radius_mm(self) -> float:
        """The tightest bend."""
        return min(path.tightest[0] for path in (*self.outer, *self.inner))


def build_cut_line(outline: Outline, spec: ResolvedSpec) -> CutLine:
    """Builds the paths of the blade for an outline.

    Raises:
        ArtworkError: SIZE_IMPOSSIBLE or CUT_LINE_IMPOSSIBLE, with the reason in its message.
    """
    scaled = solve_scale(outline.art, spec)
    pieces = scaled.bordered
    joins: tuple[Join, ...] = ()
    if len(outline.art.geoms) > 1 or len(pieces.geoms) > 1:
        neck_mm = max(NECK_MM, 2 * spec.min_radius_mm)
        corner_mm = max(spec.min_radius_mm - SPIKE_SLACK_MM, 0.0)
        pieces, joins = join_islands(pieces, spec.island_policy, neck_mm=neck_mm, corner_mm=corner_mm)
    holes = inner_cuts(scaled.art, smoothed(pieces, spec), spec) if spec.inner_cuts else InnerCuts((), 0, ())
    fitted = _fitted(pieces, holes, scaled, spec)
    return _placed(fitted, scaled, spec, joins, holes)


def _fitted(pieces: MultiPolygon, holes: InnerCuts, scaled: Scaled, spec: ResolvedSpec) -> _Fitted:
    """The first try that holds everything, else the one that bends widest of those that are sound."""
    best: _Fitted | None = None
    shapes: dict[float, MultiPolygon] = {}
    for number, (slack_mm, fit) in enumerate(_fits(scaled, spec)):
        if number == USUAL_TRIES and (best is None or best.radius_mm < NEAR * spec.min_radius_mm):
            break
        if slack_mm not in shapes:
            shapes[slack_mm] = smoothed(pieces, spec, slack_mm)
        shape = shapes[slack_mm]
        if slack_mm > SLACKS_MM[0] and shape.equals_exact(shapes[SLACKS_MM[0]], 0.0):
            continue  # a line that is closed with a wide radius has no use for slack
        cuts = holes.cut if number < USUAL_TRIES else tuple(roomier(hole, spec, slack_mm) for hole in holes.cut)
        tried = _tried(shape, cuts, scaled, spec, fit)
        if not _is_sound(tried, scaled.bordered, shape):
            continue
        if tried.radius_mm >= spec.min_radius_mm * HELD:
            return tried
        if best is None or tried.radius_mm > best.radius_mm:
            best = tried
    narrow = None if holes.cut else _capsule(shapes[SLACKS_MM[0]], scaled, spec)
    if narrow is not None and (best is None or best.radius_mm < narrow.radius_mm):
        return narrow
    return best or _edge_by_edge(shapes, holes.cut, scaled, spec)


def _capsule(shape: MultiPolygon, scaled: Scaled, spec: ResolvedSpec) -> _Fitted | None:
    """All that can be drawn as narrow as the tightest bend; None where the shape is another."""
    path = capsule(scaled.box, least_radius_mm=blade_radius_mm(spec), tolerance_mm=FIT_TOLERANCE_MM)
    drawn = _Fitted((path.rounded(),), ())
    return drawn if _is_sound(drawn, scaled.bordered, shape) else None


def _edge_by_edge(
    shapes: dict[float, MultiPolygon], cuts: tuple[Polygon, ...], scaled: Scaled, spec: ResolvedSpec
) -> _Fitted:
    """Straight segments, their corners rounded where that holds the least radius.

    A ragged edge leaves no room for that; findings about radius and complexity say what it is.
    """
    rounded = partial(filleted, radius_mm=blade_radius_mm(spec), tolerance_mm=STRAIGHT_TOLERANCE_MM)
    ways: tuple[Callable[[Polygon], BezierPath], ...] = (rounded, _straight)
    for corners, slack_mm in product(ways, (SLACKS_MM[0], SLACKS_MM[-1])):
        tried = _tried(shapes[slack_mm], cuts, scaled, spec, corners)
        if corners is rounded and tried.radius_mm < spec.min_radius_mm * HELD:
            continue
        if _is_sound(tried, scaled.bordered, shapes[slack_mm]):
            return tried
    raise ArtworkError(
        Reason.CUT_LINE_IMPOSSIBLE,
        "No line without crossings follows this art; more smoothing or a larger border makes it simpler.",
    )


def _fits(scaled: Scaled, spec: ResolvedSpec) -> Iterator[tuple[float, Callable[[Polygon], BezierPath]]]:
    """What is tried in turn: the slack of the shape, and how its rings become paths."""
    tolerance_mm = min(max(FIT_TOLERANCE_MM, PIXELS_TOLERANCE * scaled.mm_per_px), MOST_TOLERANCE_MM)
    for tries, slacks_mm in ((TRIES, SLACKS_MM), (CLOSER_TRIES, WIDER_SLACKS_MM)):
        for (share, edge), slack_mm in product(tries, slacks_mm):
            yield slack_mm, partial(_fit, tolerance_mm=share * tolerance_mm, edge=edge, spec=spec)
    radius_mm = blade_radius_mm(spec)
    for share, slack_mm in product(SPLINES, WIDER_SLACKS_MM):
        yield slack_mm, partial(spline_of, step_mm=share * radius_mm, smoothing_mm=share * radius_mm)


def _tried(
    shape: MultiPolygon,
    cuts: tuple[Polygon, ...],
    scaled: Scaled,
    spec: ResolvedSpec,
    fit: Callable[[Polygon], BezierPath],
) -> _Fitted:
    outer = _fill_box(tuple(fit(part) for part in shape.geoms), scaled.box)
    for _ in range(EASINGS if fit is not _straight else 0):
        eased_outer = tuple(_eased(path, spec) for path in outer)
        if all(new.control is old.control for new, old in zip(eased_outer, outer, strict=True)):
            break
        outer = _fill_box(eased_outer, scaled.box)
    inner = tuple(fit(part) if fit is _straight else _eased(fit(part), spec) for part in cuts)
    return _Fitted(tuple(path.rounded() for path in outer), tuple(path.rounded() for path in inner))


def _straight(polygon: Polygon) -> BezierPath:
    points = np.array(polygon.exterior.simplify(STRAIGHT_TOLERANCE_MM).coords)[:-1, :2]
    return BezierPath(np.stack([line(*ends) for ends in zip(points, np.roll(points, -1, axis=0), strict=True)]))


def _fit(polygon: Polygon, *, tolerance_mm: float, edge: float, spec: ResolvedSpec) -> BezierPath:
    radius_mm = blade_radius_mm(spec)
    return fit_ring(ring_points(polygon, edge * radius_mm), tolerance_mm=tolerance_mm, min_radius_mm=radius_mm)


def _eased(path: BezierPath, spec: ResolvedSpec) -> BezierPath:
    return BezierPath(eased(path.control, blade_radius_mm(spec), MOST_EASED_MM))


def _fill_box(paths: tuple[BezierPath, ...], bounds: tuple[float, float, float, float]) -> tuple[BezierPath, ...]:
    """Stretches the paths by the little that the fit lost or won, so that their common box is exactly the shape's."""
    low, high = _box_of(paths)
    goal_low, goal_high = np.array(bounds[:2]), np.array(bounds[2:])
    scale = (goal_high - goal_low) / (high - low)
    shift = goal_low - low * scale
    return tuple(path.moved((scale[0], scale[1]), (shift[0], shift[1])) for path in paths)


def _box_of(paths: tuple[BezierPath, ...]) -> tuple[np.ndarray, np.ndarray]:
    boxes = np.array([path.box for path in paths])
    return boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)


def _is_sound(fitted: _Fitted, bordered: MultiPolygon, shape: MultiPolygon) -> bool:
    """Whether every path is simple, none meets another, holes lie inside, and art with border is contained.

    The line may not stray outwards from its shape either.
    """
    faces = [outline_of(path) for path in fitted.outer]
    holes = [outline_of(path) for path in fitted.inner]
    if not all(part.is_valid and part.area > 0 for part in (*faces, *holes)):
        return False
    face = MultiPolygon(faces)
    if not face.is_valid or not MultiPolygon(holes).is_valid:
        return False
    shapely.prepare(face)
    if not all(face.contains_properly(hole) for hole in holes):
        return False
    if not face.buffer(CONTAINMENT_MM, quad_segs=4).covers(bordered):
        return False
    return bool(shape.buffer(CONTAINMENT_MM, quad_segs=4).covers(face))


def _placed(fitted: _Fitted, scaled: Scaled, spec: ResolvedSpec, joins: tuple[Join, ...], holes: InnerCuts) -> CutLine:
    """Moves everything into the trim frame, by as many digits as files hold: no rounding bends the paths again."""
    through, kiss = fitted.outer, NO_PATHS
    if spec.cut_type is CutType.KISS_CUT:
        face = MultiPolygon([outline_of(path) for path in fitted.outer])
        liner = liner_path(face, spec, tolerance_mm=FIT_TOLERANCE_MM)
        through, kiss = (liner,), fitted.outer
    low, _ = _box_of(through)
    shift = (-round(float(low[0]), DECIMALS), -round(float(low[1]), DECIMALS))

    def moved(paths: tuple[BezierPath, ...]) -> tuple[BezierPath, ...]:
        return tuple(path.moved((1.0, 1.0), shift).rounded() for path in paths)

    def shifted(shape: MultiPolygon) -> MultiPolygon:
        return affinity.translate(shape, *shift)

    through, kiss, inner = moved(through), moved(kiss), moved(fitted.inner)
    outside = shapely.union_all([outline_of(path) for path in kiss or through])
    holes_cut = shapely.union_all([outline_of(path) for path in inner])
    wanted = wanted_shape(scaled.art, spec) if is_opened(spec) else scaled.bordered
    return CutLine(
        through=through,
        kiss=kiss,
        inner=inner,
        art=shifted(scaled.art),
        wanted=shifted(wanted),
        face=polygons_of(outside.difference(holes_cut)),
        mm_per_px=scaled.mm_per_px,
        canvas_origin_mm=shift,
        trim_box=_box(through),
        cut_box=_box(kiss or through),
        closing_radius_mm=closing_radius_mm(spec),
        shape_min_radius_mm=smallest_radius_mm(wanted),
        size_source=scaled.source,
        art_pieces=len(scaled.art.geoms),
        joins=tuple(_moved_join(join, shift) for join in joins),
        holes_wanted=holes.wanted,
        holes_lost=tuple(affinity.translate(hole, *shift) for hole in holes.lost),
    )


def _box(paths: tuple[BezierPath, ...]) -> BoxMm:
    low, high = _box_of(paths)
    return box_mm((float(low[0]), float(low[1]), float(high[0]), float(high[1])))


def _moved_join(join: Join, shift: tuple[float, float]) -> Join:
    x_min, y_min, x_max, y_max = join.box
    dx, dy = shift
    return Join(join.kind, join.gap_mm, (x_min + dx, y_min + dy, x_max + dx, y_max + dy))
