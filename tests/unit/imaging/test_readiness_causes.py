"""What findings name as the cause, and what they advise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from shapely import MultiPolygon, Point, Polygon, box

from cutline.domain.outputs import CutoutMethod, OutputFormat
from cutline.domain.sticker_spec import IslandPolicy, StickerSpec, resolve
from cutline.imaging.pipeline import make_sticker
from cutline.imaging.shapes import polygons_of
from tests.support.drawn_art import artwork_of, cutout_of, disc, discs, drawn, holed_disc, ring, star
from tests.unit.imaging.finding_artworks import FAIL, PASS, WARN, findings


@pytest.mark.parametrize(
    ("background", "border", "color"),
    [((20, 60, 160), "#ffffff", "#143ca0"), ((250, 250, 250), "#ffffff", "#202020"), (None, "#202020", "#ffffff")],
    ids=["the background's", "dark", "light"],
)
def test_a_blank_sticker_is_told_a_colour_for_its_border(
    background: tuple[int, int, int] | None, border: str, color: str
) -> None:
    """It is the colour of the background that was taken off, unless the art is lost on that too."""
    rgba = drawn(disc(), rgb=(250, 250, 250) if border == "#ffffff" else (32, 32, 32))
    sheet = rgba.copy()
    if background is not None:
        sheet[rgba[..., 3] < 255] = (*background, 255)
    spec = resolve(StickerSpec(border_color=border, output_formats=(OutputFormat.REPORT_JSON,)))
    cutout = cutout_of(rgba, method=CutoutMethod.ALPHA if background is None else CutoutMethod.FLAT)
    result = make_sticker(artwork_of(sheet), cutout, spec)
    finding = next(finding for finding in result.findings if finding.code == "EDGE_CONTRAST")

    assert finding.level is FAIL
    assert f"such as {color}," in finding.fix
    assert ("cutout method ALPHA" in finding.fix) == (background is not None)


def lettering() -> MultiPolygon:
    """Strokes like those of an H beside an E, 3 mm apart at 75 mm."""
    rects = [(100, 300, 140, 500), (140, 380, 200, 420), (200, 300, 240, 500)]
    rects += [(270, 300, 310, 500), (310, 300, 400, 330), (310, 385, 400, 415), (310, 470, 400, 500)]
    return polygons_of(shapely.union_all([box(*rect) for rect in rects]))


def test_gaps_that_are_filled_without_a_border_are_told() -> None:
    """Lettering that closing fills with its own colour is told by the share of its gaps, and where the largest lies."""
    finding = findings(lettering(), border_mm=0.0)["EDGE_CONTRAST"]

    assert finding.level is WARN
    assert finding.limit == pytest.approx(0.03)
    assert finding.value is not None
    assert 0.1 < finding.value < 0.5
    assert finding.place is not None
    assert 0 < finding.place.width_mm < 75
    assert "border" in finding.fix
    assert findings(lettering(), border_mm=1.0)["EDGE_CONTRAST"].level is PASS


def test_the_share_of_filled_gaps_is_that_of_the_drawing() -> None:
    """Under a hull of two discs, what lies between them is told as its share of the finished face."""
    pair = discs((200, 400, 100), (600, 400, 100))

    finding = findings(pair, border_mm=0.0, island_policy=IslandPolicy.HULL)["EDGE_CONTRAST"]

    hull = pair.convex_hull.area
    assert finding.value == pytest.approx((hull - pair.area) / hull, abs=0.01)


@pytest.mark.parametrize("width_mm", [20.0, 60.0])
@pytest.mark.parametrize("border_mm", [0.0, -1.0])
def test_rounded_notches_are_no_filled_gaps(width_mm: float, border_mm: float) -> None:
    """The slivers that closing leaves in the notches of a star change no shape."""
    assert findings(star(), border_mm=border_mm, width_mm=width_mm)["EDGE_CONTRAST"].level is PASS


def test_gaps_that_a_white_outline_is_carried_into_stay_paper() -> None:
    """Lettering with a white outline of its own can be read: white goes on in its gaps."""
    rgba = drawn(polygons_of(lettering().buffer(12)), rgb=(255, 255, 255))
    rgba[drawn(lettering())[..., 3] > 0, :3] = (20, 20, 120)

    assert findings(rgba, border_mm=0.0)["EDGE_CONTRAST"].level is PASS


@pytest.mark.parametrize(
    ("shape", "wishes", "reason", "remedy"),
    [
        (ring().union(Point(400, 400).buffer(40)), {"border_mm": 0.0}, "a piece of the art lies inside", "Remove"),
        (ring().union(Point(400, 400).buffer(40)), {"island_policy": IslandPolicy.KEEP}, "lies inside", "Remove"),
        (holed_disc(22), {}, "once the border is taken off", "smaller border"),
        (holed_disc(8), {"border_mm": 0.0}, "a radius of 1 mm", "min_radius_mm"),
        (disc().difference(Point(620, 400).buffer(75)), {"border_mm": 0.0}, "less than 1 mm", "larger border"),
    ],
    ids=["island", "island kept", "border", "blade", "wall"],
)
def test_a_hole_that_is_not_cut_is_told_why(shape: Any, wishes: dict[str, Any], reason: str, remedy: str) -> None:
    """A piece inside, the border, the blade and the wall that would stay are told apart, each with what helps."""
    finding = findings(polygons_of(shape), inner_cuts=True, **wishes)["HOLES"]

    assert finding.level is WARN
    assert reason in finding.message
    assert remedy in finding.fix


def test_a_hull_is_told_by_its_cause() -> None:
    """A hull that was asked for is no fault; of the others, a gap too wide and too many pieces are told apart."""
    far = discs((60, 400, 40), (740, 400, 40))
    many = discs(*((x, y, 20) for x in range(40, 800, 80) for y in range(40, 800, 80)))

    asked_for = findings(far, island_policy=IslandPolicy.HULL)["ISLANDS"]
    assert asked_for.level is PASS
    assert "asks for" in asked_for.message
    gap = findings(far)["ISLANDS"]
    assert gap.level is WARN
    assert "too far apart" in gap.message
    assert "15 mm" in gap.message
    count = findings(many, border_mm=0.0, width_mm=200.0)["ISLANDS"]
    assert count.level is WARN
    assert "more than 40 separate parts" in count.message
    assert "far apart" not in count.message


@pytest.mark.parametrize("neck_px", [24, 26, 28, 32, 36])
def test_a_neck_that_warns_is_narrower_than_its_limit(neck_px: int) -> None:
    """A neck is measured to a tenth; it passes from within 0.2 mm of the limit on."""
    neck = box(180, 400 - neck_px / 2, 620, 400 + neck_px / 2)
    shape = polygons_of(shapely.union_all([Point(180, 400).buffer(160), Point(620, 400).buffer(160), neck]))
    wishes: dict[str, Any] = {"border_mm": 0.2, "min_radius_mm": 0.2, "smoothing": 0.0, "width_mm": 75.0}

    finding = findings(shape, **wishes)["THIN_NECKS"]

    drawn_mm = neck_px * 74.6 / 760 + 0.4
    assert finding.level is (WARN if drawn_mm < 2.8 else PASS)
    if finding.level is WARN:
        assert finding.value is not None
        assert finding.value == pytest.approx(drawn_mm, abs=0.15)
        assert f"{finding.value:g} mm" in finding.message
        assert finding.value < 3.0


def test_bridges_of_ours_are_no_thin_necks() -> None:
    """Pieces that were bridged hang together by about 3 mm."""
    found = findings(discs((210, 400, 100), (520, 400, 100)), border_mm=0.0, width_mm=60.0)

    assert "bridged" in found["ISLANDS"].message
    assert found["THIN_NECKS"].level is PASS


@pytest.mark.parametrize(("width_mm", "cause"), [(300.0, "dpi"), (60.0, "smoothing")])
def test_a_line_of_many_segments_is_told_by_its_cause(width_mm: float, cause: str) -> None:
    """Where pixels are coarser than print wants, the resolution is the cause; elsewhere the shape is."""
    angles = np.linspace(0, 2 * np.pi, 480, endpoint=False)
    radii = np.where(np.arange(480) % 2, 380, 350)
    cog = MultiPolygon([Polygon(np.stack([400 + radii * np.cos(angles), 400 + radii * np.sin(angles)], axis=1))])

    finding = findings(cog, border_mm=0.0, min_radius_mm=0.1, smoothing=0.0, width_mm=width_mm)["CUT_COMPLEXITY"]

    assert finding.level in {WARN, FAIL}
    assert cause in finding.fix
