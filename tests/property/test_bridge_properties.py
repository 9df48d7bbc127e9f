"""What holds of every sticker whose pieces were joined."""

from __future__ import annotations

import math

import shapely
from hypothesis import assume, event, given
from hypothesis import strategies as st
from shapely import MultiPolygon, Point, Polygon, affinity, box
from shapely.geometry.base import BaseGeometry

from cutline.domain.errors import ArtworkError, Reason
from cutline.domain.sticker_spec import MIN_ART_SIDE_MM, IslandPolicy, StickerSpec, resolve
from cutline.imaging.cut_line.build import build_cut_line
from cutline.imaging.outline import Outline
from cutline.imaging.shapes import polygons_of
from cutline.imaging.specks import NO_SPECKS

NECK_MM = 3.0
MEASURING_MM = 0.1
"""What the fit of the line to its shape may take off a neck, on both sides together."""


@st.composite
def pieces(draw: st.DrawFn) -> MultiPolygon:
    """Discs, bars, crosses and dumb-bells in mm, each at some gap from those before; only dumb-bells have thin bars."""
    art = MultiPolygon()
    for _ in range(draw(st.integers(2, 7))):
        size = draw(st.floats(4, 14))
        part = draw(st.sampled_from([_disc, _bar, _cross, _dumb_bell]))(size, draw(st.floats(0.3, 1)))
        turned = affinity.rotate(part, draw(st.floats(0, 180)), origin=(0, 0))
        gap_mm = draw(st.floats(0.02, 14) | st.floats(0.02, 2) | st.floats(14, 17))
        art = polygons_of(shapely.union_all([art, _beside(art, turned, draw(st.floats(0, 6.28)), gap_mm)]))
    return art


def _beside(art: MultiPolygon, part: BaseGeometry, angle: float, gap_mm: float) -> BaseGeometry:
    """The part moved away in a direction as far as it takes to leave a gap."""
    near, far = 0.0, 200.0
    while far - near > 1e-3 and not art.is_empty:
        middle = (near + far) / 2
        moved = affinity.translate(part, middle * math.cos(angle), middle * math.sin(angle))
        near, far = (middle, far) if moved.distance(art) < gap_mm else (near, middle)
    return affinity.translate(part, far * math.cos(angle), far * math.sin(angle)) if not art.is_empty else part


def _disc(size: float, share: float) -> BaseGeometry:
    return affinity.scale(Point(0, 0).buffer(size / 2, quad_segs=24), max(share, 4 / size), 1.0)


def _bar(size: float, share: float) -> BaseGeometry:
    return box(-size / 2, -max(share * size, 4) / 2, size / 2, max(share * size, 4) / 2)


def _cross(size: float, share: float) -> BaseGeometry:
    bar = box(-size, -2 - share, size, 2 + share)
    return bar.union(affinity.rotate(bar, 90, origin=(0, 0)))


def _dumb_bell(size: float, share: float) -> BaseGeometry:
    ends = [Point(x, 0).buffer(2.5, quad_segs=24) for x in (-size, size)]
    return shapely.union_all([*ends, box(-size, -2 * share, size, 2 * share)])


@given(
    pieces(),
    st.sampled_from([3.0, 1.0, 0.0]) | st.floats(0, 5),
    st.sampled_from([0.0, 0.5]) | st.floats(0, 1),
    st.sampled_from([1.0, 0.0, 0.5]) | st.floats(0, 3),
)
def test_no_neck_is_under_three_millimetres(
    art: MultiPolygon, border_mm: float, smoothing: float, min_radius_mm: float
) -> None:
    """Pieces that are joined hang together, measured on the emitted line, by nowhere less than 3 mm."""
    x_min, _, x_max, _ = art.bounds
    assume(x_max - x_min >= MIN_ART_SIDE_MM)
    spec = resolve(
        StickerSpec(
            width_mm=x_max - x_min + 2 * border_mm,
            border_mm=border_mm,
            smoothing=smoothing,
            min_radius_mm=min_radius_mm,
            island_policy=IslandPolicy.BRIDGE,
        )
    )
    try:
        line = build_cut_line(Outline(art=art, specks=NO_SPECKS), spec)
    except ArtworkError as refused:  # a wide radius leaves nothing of thin art without border, or not at that size
        event(f"refused: {refused.reason}")
        assume(refused.reason is not Reason.CUT_LINE_IMPOSSIBLE or "crossings" in refused.message)
        raise
    event(" ".join(sorted({join.kind for join in line.joins})) or "the border joins them")

    assert len(line.finished) == 1
    face = Polygon(line.finished[0].flattened())
    rooms = polygons_of(face.buffer(-(NECK_MM - MEASURING_MM) / 2, quad_segs=16))
    # A room that small is the middle of a bar or a bridge about as wide as a neck.
    assert sum(room.area > 0.1 for room in rooms.geoms) == 1
