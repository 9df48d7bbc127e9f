"""From outline to cut line: border, size, islands, holes, liner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from shapely import MultiPolygon, Polygon, box

from cutline.domain.errors import ArtworkError, Reason
from cutline.domain.outputs import CutRole, SizeSource
from cutline.domain.sticker_spec import CutType, IslandPolicy, LinerShape, StickerSpec, resolve
from cutline.imaging.cut_line.build import build_cut_line
from cutline.imaging.cut_line.model import CutLine, JoinKind
from cutline.imaging.outline import Outline
from cutline.imaging.pipeline import process
from cutline.imaging.shapes import offset, opened, polygons_of
from cutline.imaging.specks import NO_SPECKS
from tests.support.drawn_art import bar, disc, discs, holed_disc, off_centre_l, ring, star

LIZARD = Path(__file__).parents[4] / "shared" / "art" / "cutouts" / "1f98e.png"
SHAPES = {"disc": disc, "l": off_centre_l, "star": star}


def cut(shape: MultiPolygon, spec: StickerSpec) -> CutLine:
    """The cut line of an exact outline."""
    outline = Outline(art=shape, specks=NO_SPECKS)
    return build_cut_line(outline, resolve(spec))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("border_mm", [3.0, 1.0, 0.0, -1.0])
@pytest.mark.parametrize(("width_mm", "height_mm"), [(50.0, None), (None, 62.5), (None, None)])
def test_the_size_asked_for_is_met_exactly(
    shape: str, border_mm: float, width_mm: float | None, height_mm: float | None
) -> None:
    """The binding side of the emitted curves has the size asked for to a micrometre or two."""
    line = cut(SHAPES[shape](), StickerSpec(border_mm=border_mm, width_mm=width_mm, height_mm=height_mm))

    x_min, y_min, x_max, y_max = line.finished[0].box
    if width_mm:
        assert x_max - x_min == pytest.approx(width_mm, abs=0.002)
    elif height_mm:
        assert y_max - y_min == pytest.approx(height_mm, abs=0.002)
    else:
        assert max(x_max - x_min, y_max - y_min) == pytest.approx(75, abs=0.002)
        assert line.size_source is SizeSource.DEFAULT
    assert (x_min, y_min) == pytest.approx((0, 0), abs=1e-4)


def test_the_tighter_of_two_sides_binds() -> None:
    """An L asked for as 60 x 60 mm is 60 mm along its longer side and less along the other."""
    line = cut(off_centre_l(), StickerSpec(width_mm=60, height_mm=60))

    assert line.cut_box.height_mm == pytest.approx(60, abs=0.002)
    assert line.cut_box.width_mm < 60


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("border_mm", [3.0, 1.0])
def test_art_and_border_are_inside_the_cut(shape: str, border_mm: float) -> None:
    """The face contains art grown by its border, within 0.05 mm."""
    line = cut(SHAPES[shape](), StickerSpec(border_mm=border_mm))

    grown = line.art.buffer(border_mm, quad_segs=64)
    assert line.face.buffer(0.05).covers(grown)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("border_mm", [3.0, 0.0, -1.0])
def test_paths_are_simple_and_smooth(shape: str, border_mm: float) -> None:
    """Every path is one simple closed ring and keeps the least radius of 1 mm, but for what can be measured."""
    line = cut(SHAPES[shape](), StickerSpec(border_mm=border_mm))

    for path in line.finished:
        assert Polygon(path.flattened()).is_valid
        assert np.allclose(path.control[:, 3], np.roll(path.control[:, 0], -1, axis=0))
        assert path.tightest[0] >= 0.95


def test_opening_takes_about_two_millimetres_off_a_stars_tips() -> None:
    """A star without border loses 2 to 3 mm at each tip, and nothing where its edges run straight."""
    line = cut(star(), StickerSpec(border_mm=0, width_mm=60, smoothing=0))

    tips = shapely.get_coordinates(line.art)[:-1]
    depths = sorted(line.face.distance(shapely.Point(tip)) for tip in tips)
    assert depths[-5:] == pytest.approx([2.4] * 5, abs=0.5)
    assert line.face.buffer(0.05).covers(opened(line.art, 1.2))


def test_smoothing_fills_corners_and_keeps_the_box() -> None:
    """More smoothing only adds area; box and scale stay."""
    lines = [cut(star(), StickerSpec(smoothing=smoothing)) for smoothing in (0.0, 0.25, 0.5, 0.75, 1.0)]

    areas = [line.face.area for line in lines]
    assert areas == sorted(areas)
    assert {round(line.mm_per_px, 9) for line in lines} == {round(lines[0].mm_per_px, 9)}
    assert [line.closing_radius_mm for line in lines] == [1, 2, 3, 4, 5]


def test_a_disc_needs_few_segments() -> None:
    """The cut around a disc has at most twelve segments."""
    assert len(cut(disc(), StickerSpec()).through[0].control) <= 12


def test_pieces_nearly_in_touch_grow_together() -> None:
    """Two borders 5 mm apart are one piece without a straight bridge, joined by more than 3 mm."""
    line = cut(discs((230, 400, 140), (570, 400, 140)), StickerSpec(border_mm=1))

    assert len(line.through) == 1
    assert [join.kind for join in line.joins] == [JoinKind.CLOSING]
    assert len(offset(line.face, -1.45).geoms) == 1


def test_a_wider_gap_gets_a_bridge() -> None:
    """Two borders nearly 14 mm apart hang together by a neck of at least 3 mm."""
    line = cut(discs((210, 400, 100), (520, 400, 100)), StickerSpec(border_mm=1))

    assert [join.kind for join in line.joins] == [JoinKind.BRIDGE]
    assert line.joins[0].gap_mm == pytest.approx(13.7, abs=0.2)
    assert len(line.through) == 1
    assert len(offset(line.face, -1.45).geoms) == 1


def test_a_gap_too_wide_for_a_bridge_gets_the_hull() -> None:
    """Two small discs 60 mm apart share their convex hull."""
    line = cut(discs((60, 400, 40), (740, 400, 40)), StickerSpec(border_mm=1))

    assert [join.kind for join in line.joins] == [JoinKind.HULL]
    assert line.face.area == pytest.approx(line.face.convex_hull.area, rel=1e-3)


def test_hull_and_keep_do_what_they_say() -> None:
    """HULL cuts around everything, KEEP cuts every piece by itself."""
    pieces = discs((150, 400, 100), (600, 400, 100))

    hull = cut(pieces, StickerSpec(island_policy=IslandPolicy.HULL))
    kept = cut(pieces, StickerSpec(island_policy=IslandPolicy.KEEP))

    assert len(hull.through) == 1
    assert hull.face.area == pytest.approx(hull.face.convex_hull.area, rel=1e-3)
    assert len(kept.through) == 2


def test_pieces_that_the_border_joins_get_their_hull_too() -> None:
    """HULL means one rubber band around all pieces, even where their borders already overlap."""
    line = cut(discs((250, 400, 140), (560, 400, 140)), StickerSpec(island_policy=IslandPolicy.HULL))

    assert [join.kind for join in line.joins] == [JoinKind.HULL]
    assert line.face.area == pytest.approx(line.face.convex_hull.area, rel=1e-3)


def test_holes_are_filled_unless_inner_cuts_are_asked_for() -> None:
    """A ring is cut as a disc; with inner cuts its hole is cut too, inset by the border."""
    filled = cut(ring(), StickerSpec())
    cut_out = cut(ring(), StickerSpec(inner_cuts=True))

    assert not filled.inner
    assert len(cut_out.inner) == 1
    x_min, _, x_max, _ = cut_out.inner[0].box
    assert x_max - x_min == pytest.approx(300 * cut_out.mm_per_px - 6, abs=0.05)
    assert [role for role, _ in cut_out.paths] == [CutRole.INNER, CutRole.THROUGH]


def test_a_hole_too_small_for_its_border_is_reported() -> None:
    """A hole of 5 mm cannot keep a border of 3 mm: it is filled and named."""
    line = cut(holed_disc(22), StickerSpec(inner_cuts=True))

    assert not line.inner
    assert line.holes_wanted == 1
    assert line.holes_lost[0].bounds[0] == pytest.approx(37.5 - 22 * line.mm_per_px, abs=0.1)


@pytest.mark.parametrize("shape", LinerShape)
def test_a_kiss_cut_has_a_liner_around_it(shape: LinerShape) -> None:
    """The kiss line has the finished size and the through cut lies the margin outside it; the origin is the liner's."""
    line = cut(star(), StickerSpec(cut_type=CutType.KISS_CUT, width_mm=50, liner_margin_mm=4, liner_shape=shape))

    assert line.cut_box.width_mm == pytest.approx(50, abs=0.002)
    assert line.trim_box.width_mm == pytest.approx(58, abs=0.05)
    assert (line.trim_box.x_mm, line.trim_box.y_mm) == (0, 0)
    outer, inner = Polygon(line.through[0].flattened()), Polygon(line.kiss[0].flattened())
    assert outer.exterior.distance(inner) == pytest.approx(4, abs=0.05)


def test_a_side_that_follows_may_not_pass_the_limit() -> None:
    """A bar 20 times as high as wide cannot be 100 mm wide, and the error says why."""
    with pytest.raises(ArtworkError) as refused:
        cut(bar(30, 600), StickerSpec(width_mm=100))

    assert refused.value.reason is Reason.SIZE_IMPOSSIBLE
    assert "height_mm" in refused.value.message
    assert "1000" in refused.value.message


def test_art_that_vanishes_under_its_border_is_refused() -> None:
    """A bar of 4 mm has nothing left inside a border of -3 mm."""
    with pytest.raises(ArtworkError) as refused:
        cut(bar(10, 700), StickerSpec(height_mm=75, border_mm=-3))

    assert refused.value.reason is Reason.CUT_LINE_IMPOSSIBLE
    assert "border" in refused.value.message


def test_a_size_that_falls_between_thin_parts_is_still_met() -> None:
    """A disc with a thread that only a larger scale would keep is cut without it, at exactly the size asked for."""
    thread = box(400, 391, 790, 409)
    art = polygons_of(shapely.union(shapely.Point(400, 400).buffer(200), thread))

    for width in np.linspace(30, 90, 13):
        line = cut(art, StickerSpec(border_mm=0, width_mm=float(width)))
        assert line.cut_box.width_mm == pytest.approx(width, abs=0.002)


@pytest.mark.skipif(not LIZARD.is_file(), reason="the artwork lies beside the project, not in it")
@pytest.mark.parametrize("smoothing", [0.5, 1.0])
def test_drawn_art_is_never_too_ragged(smoothing: float) -> None:
    """A smooth lizard whose tail jumps in and out of a wide radius is cut, and its search is not given up as noise."""
    spec = resolve(StickerSpec(border_mm=3, smoothing=smoothing, min_radius_mm=10))

    geometry = process(LIZARD.read_bytes(), spec).geometry

    assert max(geometry.cut_width_mm, geometry.cut_height_mm) == pytest.approx(75, abs=0.01)


def test_the_same_input_gives_the_same_paths() -> None:
    """Two builds agree to the last digit."""
    assert cut(star(), StickerSpec()).cut_paths == cut(star(), StickerSpec()).cut_paths
