"""What holds of every cut line, whatever the art and the spec."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, currently_in_test_context, event, given, note
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon, affinity

from cutline.domain.errors import ArtworkError, InvalidInputError, Reason
from cutline.domain.outputs import OutputFormat
from cutline.domain.sticker_spec import CutType, IslandPolicy, LinerShape, ResolvedSpec, StickerSpec, resolve
from cutline.imaging.cut_line.border import is_opened
from cutline.imaging.cut_line.build import build_cut_line
from cutline.imaging.cut_line.model import CutLine
from cutline.imaging.cut_line.scale import longer_side_mm
from cutline.imaging.outline import Outline, trace_outline
from cutline.imaging.pipeline import make_sticker
from cutline.imaging.shapes import closed, filled, offset, polygons_of
from tests.support.drawn_art import artwork_of, cutout_of
from tests.support.print_files import apart_mm, dxf_points, path_points, svg_points

_OWN_REASONS = {Reason.NO_SUBJECT, Reason.SIZE_IMPOSSIBLE, Reason.CUT_LINE_IMPOSSIBLE}
"""Why art can be no sticker; that no line could be fitted to it is never one of them."""

BLADE_MM = 0.04
"""The least radius that is drawn, where one above 0 is asked for."""


@st.composite
def masks(draw: st.DrawFn) -> NDArray[np.uint8]:
    """RGBA of a few soft ellipses and bars, some of them holes, hard or antialiased."""
    side = draw(st.integers(40, 160))
    y, x = np.mgrid[0:side, 0:side] + 0.5
    inside = np.zeros((side, side))
    share = st.floats(0.05, 0.95)
    for number in range(draw(st.integers(1, 4))):
        centre_x, centre_y = draw(share) * side, draw(share) * side
        half_x, half_y = draw(st.floats(0.02, 0.45)) * side, draw(st.floats(0.02, 0.45)) * side
        turn = draw(st.floats(0, np.pi))
        along = (x - centre_x) * np.cos(turn) + (y - centre_y) * np.sin(turn)
        across = (y - centre_y) * np.cos(turn) - (x - centre_x) * np.sin(turn)
        if draw(st.booleans()):
            depth = (1 - np.hypot(along / half_x, across / half_y)) * min(half_x, half_y)
        else:
            depth = np.minimum(half_x - np.abs(along), half_y - np.abs(across))
        cover = np.clip(depth + 0.5, 0, 1)
        hole = number > 0 and draw(st.booleans()) and draw(st.booleans())
        inside = np.minimum(inside, 1 - cover) if hole else np.maximum(inside, cover)
    if draw(st.booleans()):
        inside = (inside >= 0.5).astype(float)
    rgba = np.full((side, side, 4), 200, np.uint8)
    rgba[..., 3] = np.round(inside * 255)
    return rgba


@st.composite
def specs(draw: st.DrawFn) -> ResolvedSpec:
    """Specs from all over their limits, most of them near what people ask for."""
    side = st.one_of(st.floats(20, 100), st.floats(6, 300))
    wish = StickerSpec(
        width_mm=draw(st.none() | side),
        height_mm=draw(st.none() | side),
        border_mm=draw(st.sampled_from([3.0, 0.0, 1.0, -1.0]) | st.floats(-3, 12)),
        smoothing=draw(st.floats(0, 1)),
        min_radius_mm=draw(st.sampled_from([1.0, 0.0, 0.5]) | st.floats(0, 3)),
        bleed_mm=draw(st.floats(0, 5)),
        inner_cuts=draw(st.booleans()),
        island_policy=draw(st.sampled_from(IslandPolicy)),
        cut_type=draw(st.sampled_from(CutType)),
        liner_shape=draw(st.sampled_from(LinerShape)),
        alpha_threshold=draw(st.sampled_from([0.5, 0.1, 0.9])),
        white_ink=draw(st.booleans()),
        border_color=draw(st.sampled_from(["#ffffff", "none", "#3366cc"])),
    )
    try:
        return resolve(wish)
    except InvalidInputError:  # a size that leaves no room for the art inside its border
        assume(False)
        raise


def cut_or_assume(rgba: NDArray[np.uint8], spec: ResolvedSpec) -> tuple[Outline, CutLine]:
    """Outline and cut line; art that is refused for a reason of its own is no example."""
    try:
        outline = trace_outline(rgba, alpha_threshold=spec.alpha_threshold, longer_side_mm=longer_side_mm(spec))
        return outline, build_cut_line(outline, spec)
    except ArtworkError as refused:
        event(f"refused: {refused.reason}")
        note(refused.message)
        if refused.reason not in _OWN_REASONS or "crossings" in refused.message:
            raise
        assume(False)
        raise


@given(masks(), specs())
def test_every_cut_line_keeps_its_promises(rgba: NDArray[np.uint8], spec: ResolvedSpec) -> None:
    """Paths are closed and simple, the size is exact, art is inside, no bend is too tight, px and mm convert."""
    outline, line = cut_or_assume(rgba, spec)
    assert_promises_kept(outline, line, spec)


def assert_promises_kept(outline: Outline, line: CutLine, spec: ResolvedSpec) -> None:
    """All that is promised of any cut line."""
    assert_closed_and_simple(line)
    assert_size_is_exact(line, spec)
    assert_art_is_inside(line, spec)
    assert_no_bend_is_too_tight(line, spec)
    assert_pixels_convert(outline, line)


def assert_closed_and_simple(line: CutLine) -> None:
    """Each path ends where it starts and never meets itself or another."""
    faces = []
    for _, path in line.paths:
        assert np.array_equal(path.control[:, 3], np.roll(path.control[:, 0], -1, axis=0))
        faces.append(Polygon(path.flattened()))
        assert faces[-1].is_valid
    assert all(
        not first.exterior.crosses(second.exterior) for number, first in enumerate(faces) for second in faces[:number]
    )


def assert_size_is_exact(line: CutLine, spec: ResolvedSpec) -> None:
    """The side that binds has its size within 0.01 mm, no side is longer than asked."""
    boxes = np.array([path.box for path in line.finished])
    sides = boxes[:, 2:].max(axis=0) - boxes[:, :2].min(axis=0)
    asked = np.array(asked_sides_mm(spec))
    assert (sides <= asked + 0.01).all()
    assert np.abs(sides - asked).min() <= 0.01


def asked_sides_mm(spec: ResolvedSpec) -> tuple[float, float]:
    """The longest that width and height may be; at least one is as long."""
    if spec.width_mm is None and spec.height_mm is None:
        return 75.0, 75.0
    return spec.width_mm or np.inf, spec.height_mm or np.inf


def assert_art_is_inside(line: CutLine, spec: ResolvedSpec) -> None:
    """The face contains art + border within 0.05 mm; where corners are opened, all of the opened art + border."""
    wanted = opened_art(line.art, spec) if is_opened(spec) else offset(filled(line.art), spec.border_mm)
    outside = wanted.difference(line.outer_face.buffer(0.055))
    assert filled(outside).area < 1e-6


def opened_art(art: MultiPolygon, spec: ResolvedSpec) -> MultiPolygon:
    """Art + border that a blade of the least radius can follow.

    Where a thin part becomes thick enough to be kept, the size may jump past the one asked for: without the part the
    sticker is too small, with it too large at any scale. Only then art is left out: all that is not kept at the largest
    scale before the jump. Of the rest, all is kept that the blade can follow. That may be less than was kept before the
    jump: gaps that were narrow for the blade are wider now, and what it reached through them alone goes with the part.
    """
    kept = _kept_at(1.0, art, spec)
    if _too_long_mm(kept, spec) <= 0.1:
        return kept
    if currently_in_test_context():
        event("a part was left out for the size")
    below, above = _jump(art, spec)
    before, after = _kept_at(below, art, spec), _kept_at(above, art, spec)
    jumped_mm = _too_long_mm(after, spec) - _too_long_mm(before, spec)
    assert jumped_mm > 1e-4 * min(asked_sides_mm(spec)), "the size could have been met with all of the art"
    # A little before it, since a part as thick as the blade just allows may count or not.
    scale = 0.999 * below
    still_kept = affinity.scale(_kept_at(scale, art, spec), 1 / scale, 1 / scale, origin=(0, 0))
    return opened_art(polygons_of(art.intersection(offset(still_kept, max(-spec.border_mm, 0.0)))), spec)


def _kept_at(scale: float, art: MultiPolygon, spec: ResolvedSpec) -> MultiPolygon:
    """What the blade can follow of the art at another scale.

    A tiny radius is drawn as if it were BLADE_MM: gaps are filled and corners bend with that. Yet all that a disc of
    the radius asked for can reach is kept, threads thinner than the blade too. So it is drawn wider than it is, and a
    part counts as large as it is drawn: measured without that, other parts would come and go at other scales.
    """
    radius = spec.min_radius_mm
    blade = max(radius, BLADE_MM) if radius > 0 else 0.0
    wanted = offset(filled(affinity.scale(art, scale, scale, origin=(0, 0))), spec.border_mm)
    kept = offset(offset(closed(wanted, blade), -radius), blade)
    return MultiPolygon([part for part in kept.geoms if part.area >= 0.5])


def _too_long_mm(kept: MultiPolygon, spec: ResolvedSpec) -> float:
    """By how much the side that binds is longer than asked for."""
    asked = asked_sides_mm(spec)
    if kept.is_empty:
        return -min(asked)
    x_min, y_min, x_max, y_max = kept.bounds
    sides = (x_max - x_min, y_max - y_min)
    return max(side - wish for side, wish in zip(sides, asked, strict=True))


def _jump(art: MultiPolygon, spec: ResolvedSpec) -> tuple[float, float]:
    """Scales next to each other, at the first of which the art is too short and at the second too long."""
    below, above = 0.01, 1.0
    while above - below > 1e-6:
        middle = (below + above) / 2
        below, above = (middle, above) if _too_long_mm(_kept_at(middle, art, spec), spec) < 0 else (below, middle)
    return below, above


def assert_no_bend_is_too_tight(line: CutLine, spec: ResolvedSpec) -> None:
    """Nowhere on the emitted curves is the radius under min_radius_mm, but for one part in ten thousand."""
    for _, path in line.paths:
        assert path.tightest[0] >= spec.min_radius_mm * (1 - 1e-4)
        assert least_radius_mm(path.path_data) >= spec.min_radius_mm * (1 - 1e-4)


def least_radius_mm(path_data: str) -> float:
    """Smallest radius along the cubics of SVG path data, looked at in two hundred places of each."""
    p0, p1, p2, p3 = (cubics_of(path_data)[:, None, number] for number in range(4))
    t = np.linspace(0, 1, 200)[:, None]
    first = (1 - t) ** 2 * (p1 - p0) + 2 * t * (1 - t) * (p2 - p1) + t**2 * (p3 - p2)
    second = (1 - t) * (p2 - 2 * p1 + p0) + t * (p3 - 2 * p2 + p1)
    bend = 2 * np.abs(first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0])
    return float((3 * np.linalg.norm(first, axis=2) ** 3 / np.maximum(bend, 1e-12)).min())


def cubics_of(path_data: str) -> NDArray[np.float64]:
    """Control points (segments, 4, 2) of absolute M, C, Z path data."""
    points = np.array(re.findall(r"-?\d+\.?\d*", path_data), np.float64).reshape(-1, 2)
    return np.concatenate([points[:-1:3, None], points[1:].reshape(-1, 3, 2)], axis=1)


def assert_pixels_convert(outline: Outline, line: CutLine) -> None:
    """The art's box in pixels, brought to mm and back, is the same, and is where the art in mm lies."""
    place = line.place_px(outline.box_px)
    placed = np.array([place.x_mm, place.y_mm, place.x_mm + place.width_mm, place.y_mm + place.height_mm])
    assert placed == pytest.approx(line.art.bounds, abs=0.002)
    back = (placed - np.tile(line.canvas_origin_mm, 2)) / line.mm_per_px
    assert back == pytest.approx(outline.box_px, abs=0.002 / line.mm_per_px)


@given(masks(), specs(), st.floats(0, 1))
def test_smoothing_only_adds_area(rgba: NDArray[np.uint8], spec: ResolvedSpec, other: float) -> None:
    """Of two smoothings the larger one gives at least the area of the smaller, at the same scale."""
    less, more = sorted((spec.smoothing, other))
    _, first = cut_or_assume(rgba, replace(spec, smoothing=less))
    _, second = cut_or_assume(rgba, replace(spec, smoothing=more))

    assert first.mm_per_px == pytest.approx(second.mm_per_px, rel=1e-9)
    slack = 0.06 * sum(path.length_mm for path in first.finished)  # both lines are fitted within 0.04 mm
    assert second.outer_face.area >= first.outer_face.area - slack


@given(masks(), specs())
def test_files_agree_and_repeat(rgba: NDArray[np.uint8], spec: ResolvedSpec) -> None:
    """A second run makes the same bytes, and SVG and DXF hold the report's paths within 0.02 mm."""
    cut_or_assume(rgba, spec)
    runs = [make_sticker(artwork_of(rgba), cutout_of(rgba), spec) for _ in range(2)]

    assert runs[0].files == runs[1].files
    files = {file.kind: file.data for file in runs[0].files}
    paths = [path_points(path.path_data) for path in runs[0].cut_paths]
    for lines in (svg_points(files[OutputFormat.CUT_LINE_SVG]), dxf_points(files[OutputFormat.CUT_LINE_DXF])):
        assert len(lines) == len(paths)
        for path in paths:
            assert min(apart_mm(path, other) for other in lines) <= 0.02
