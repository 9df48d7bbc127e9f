"""Cut lines at the limits of what a blade can follow, each found by a random artwork."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely import LinearRing, MultiPolygon, Point, Polygon, affinity, box
from shapely.geometry.base import BaseGeometry

from cutline.domain.sticker_spec import CutType, IslandPolicy, LinerShape, StickerSpec, resolve
from cutline.imaging.cut_line.bezier import radii_along, tightest_of
from cutline.imaging.cut_line.build import build_cut_line
from cutline.imaging.cut_line.fit import fit_ring
from cutline.imaging.cut_line.islands import join_islands
from cutline.imaging.cut_line.model import CutLine, JoinKind
from cutline.imaging.cut_line.rings import ring_points
from cutline.imaging.outline import Outline
from cutline.imaging.shapes import closed, filled, offset, opened, polygons_of
from cutline.imaging.specks import NO_SPECKS
from tests.support.drawn_art import star


def cut(art_mm: BaseGeometry, **wishes: object) -> CutLine:
    """The cut line of art drawn in mm, at its own size unless another is asked for."""
    art = polygons_of(art_mm)
    x_min, _, x_max, _ = art.bounds
    border_mm = float(str(wishes.get("border_mm", 3.0)))
    spec = StickerSpec(**{"width_mm": x_max - x_min + 2 * border_mm, "smoothing": 0.0, **wishes})  # type: ignore[arg-type]
    return build_cut_line(Outline(art=art, specks=NO_SPECKS), resolve(spec))


def test_a_shape_moved_by_next_to_nothing_keeps_all_its_pieces() -> None:
    """A border of a billionth of a billionth of a millimetre loses neither of two pieces."""
    pieces = MultiPolygon([Point(0, 0).buffer(10), box(20, 0, 31.3, 17.7)])

    assert offset(pieces, -1.6e-131).area == pytest.approx(pieces.area)


@pytest.mark.parametrize("wider_mm", [0.0, 0.001, 0.01])
def test_a_part_as_wide_as_the_blade_allows_is_kept_to_its_tip(wider_mm: float) -> None:
    """A finger in which a disc of the least radius just fits lies inside the line, within 0.05 mm."""
    radius_mm = 1.5
    finger = box(0, -radius_mm - wider_mm / 2, 30, radius_mm + wider_mm / 2)
    line = cut(shapely.union(Point(0, 0).buffer(15, quad_segs=64), finger), border_mm=0.0, min_radius_mm=radius_mm)

    wanted = opened(closed(filled(line.art), radius_mm), radius_mm * (1 - 1e-6))
    assert line.cut_box.width_mm == pytest.approx(45, abs=0.01)
    assert line.face.buffer(0.055).covers(wanted)


@pytest.mark.parametrize("degrees", [3.0, 36.0, 170.0])
def test_what_opening_leaves_of_a_tip_is_all_inside(degrees: float) -> None:
    """However sharp a tip is, the line contains as much of it as a disc of the least radius reaches."""
    half = np.tan(np.radians(degrees) / 2)
    line = cut(Polygon([(0, 0), (40, -40 * half), (40, 40 * half)]), border_mm=0.0, min_radius_mm=1.0)

    assert line.face.buffer(0.055).covers(opened(line.art, 1.0))


def test_the_cap_of_a_thin_bar_is_no_single_cubic() -> None:
    """The half circles at the ends of a bar as thin as the blade allows keep the least radius."""
    line = cut(box(0, 0, 14.3, 3.63), border_mm=-1.3, min_radius_mm=0.5)

    assert line.finished[0].tightest[0] >= 0.5


def test_wide_arcs_that_meet_at_an_angle_stay_where_they_are() -> None:
    """Two circles of 11.6 mm that meet at 13 degrees, with a tiny round corner between them, are followed closely."""
    discs = shapely.union(Point(0, 0).buffer(11.6, quad_segs=120), Point(2.6, 0.4).buffer(11.6, quad_segs=120))
    shape = closed(discs, 0.4).geoms[0]

    path = fit_ring(ring_points(shape), tolerance_mm=0.018, min_radius_mm=0.04)

    assert LinearRing(path.flattened(0.0005)).hausdorff_distance(shape.exterior) <= 0.04


def test_the_tightest_bend_is_found_between_samples() -> None:
    """A narrow peak of curvature counts: its radius is under 0.5 mm, though 33 samples see none under 0.501."""
    cubic = np.array([[53.324766, 46.587464], [53.910779, 46.519911], [53.887951, 46.619972], [54.306747, 46.261397]])

    radii_mm, places = tightest_of(cubic[None])

    assert radii_along(cubic[None], 33).min() > 0.501
    assert radii_mm[0] == pytest.approx(0.499856, abs=1e-5)
    assert np.abs(places[0] - cubic).min() < 0.1


def test_of_two_places_that_bend_alike_the_tighter_one_is_found() -> None:
    """A cubic that turns one way and back counts as tight as it gets, whichever bend a sample comes nearer to."""
    cubic = np.array([[12.2676, 17.2181], [12.4573, 17.2551], [12.4947, 17.283], [12.7807, 17.3257]])

    radii_mm, _ = tightest_of(cubic[None])

    assert radii_mm[0] == pytest.approx(radii_along(cubic[None], 4001).min(), rel=2e-5)


def test_a_bridge_to_a_piece_as_wide_as_itself_has_no_corners() -> None:
    """Where a bridge ends at a disc that is hardly wider, the line bends no tighter than asked for."""
    art = MultiPolygon([Point(0, 0).buffer(2.95, quad_segs=60), box(-20, -8, -14, 8)])

    line = cut(art, border_mm=0.0, min_radius_mm=2.9)

    assert [join.kind for join in line.joins] == [JoinKind.BRIDGE]
    assert line.through[0].tightest[0] >= 2.9


@pytest.mark.parametrize("wall_mm", [0.5, 1.99, 2.05])
def test_inner_cuts_that_run_into_each_other_are_one(wall_mm: float) -> None:
    """Of a wall between two holes that full bleed takes all, or a hair less, nothing is left between their cuts."""
    holes = shapely.union(box(-6, -3, -wall_mm / 2, 3), box(wall_mm / 2, -3, 6, 3))
    art = box(-12, -12, 12, 12).difference(holes)

    line = cut(art, border_mm=-1.0, inner_cuts=True)

    assert len(line.inner) == 1
    assert not line.holes_lost


def test_rounding_to_what_files_hold_bends_nothing_any_more() -> None:
    """The radius that was checked is the radius that is emitted, to the last digit, however short a handle is."""
    line = cut(star_mm(), border_mm=0.0, min_radius_mm=2.5359)
    paths = [path for _, path in line.paths]

    assert all(np.array_equal(path.control, path.rounded().control) for path in paths)
    assert min(path.tightest[0] for path in paths) >= 2.5359


@pytest.mark.parametrize("min_radius_mm", [0.0, 2.99, 6.0, 10.0])
def test_the_line_around_a_liner_keeps_the_least_radius(min_radius_mm: float) -> None:
    """A liner follows the kiss line with corners that are round enough, even where the kiss line has sharp ones."""
    line = cut(star_mm(), cut_type=CutType.KISS_CUT, liner_shape=LinerShape.OFFSET, min_radius_mm=min_radius_mm)

    assert line.through[0].tightest[0] >= max(min_radius_mm, 0.5)
    assert Polygon(line.through[0].flattened()).contains(Polygon(line.kiss[0].flattened()))


@pytest.mark.parametrize("gap_mm", np.linspace(1.6, 2.0, 9).tolist())
def test_pieces_across_a_gap_as_wide_as_the_disc_have_no_spikes(gap_mm: float) -> None:
    """Whether closing joins two pieces or only just does not, no bend of either is too tight."""
    art = shapely.union(Point(0, 0).buffer(9, quad_segs=48), Point(18 + gap_mm, 0).buffer(9, quad_segs=48))
    line = cut(art, border_mm=0.0, min_radius_mm=1.0, island_policy=IslandPolicy.KEEP)

    assert min(path.tightest[0] for path in line.finished) >= 1.0


def test_a_narrow_neck_of_the_art_is_widened_when_pieces_are_joined() -> None:
    """A neck of 1.5 mm between two wide parts counts as a gap, though discs of 3 mm in both parts overlap over it."""
    waist = shapely.union(Point(0, 0).buffer(4), Point(7.85, 0).buffer(4))
    pieces = polygons_of(shapely.union(waist, Point(15.4, 0).buffer(3)))

    joined, joins = join_islands(pieces, IslandPolicy.BRIDGE)

    assert len(offset(waist, -1.45).geoms) == 2
    assert {join.kind for join in joins} <= {JoinKind.CLOSING, JoinKind.BRIDGE}
    assert [room.area > 1 for room in offset(joined, -1.45).geoms] == [True]


def star_mm() -> BaseGeometry:
    """A star about 72 mm wide."""
    return affinity.scale(star(), 0.1, 0.1, origin=(0, 0))
