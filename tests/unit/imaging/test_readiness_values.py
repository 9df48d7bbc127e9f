"""What findings measure, and what wishes do to them; the levels that artwork alone reaches are in test_readiness."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image
from shapely import Point, Polygon, box

from cutline.domain.outputs import CutoutMethod, FindingLevel, OutputFormat
from cutline.domain.sticker_spec import CutType, IslandPolicy, StickerSpec, resolve
from cutline.imaging.appearance import on_paper
from cutline.imaging.pipeline import make_sticker, process
from cutline.imaging.shapes import polygons_of
from tests.support.drawn_art import artwork_of, bar, cutout_of, disc, discs, drawn, ring, star
from tests.support.print_files import PrintPdf
from tests.unit.imaging.finding_artworks import FAIL, PASS, WARN, findings
from tests.unit.imaging.pixel_art import encoded, svg


@pytest.mark.parametrize("width_mm", [50.0, 75.0, 200.0])
def test_resolution_is_pixels_by_printed_art(width_mm: float) -> None:
    """600 px of art are 346, 221 and 79 dpi at 44, 69 and 194 mm: the border is no art."""
    finding = findings(disc(), width_mm=width_mm)["RESOLUTION"]

    assert finding.value == pytest.approx(600 / (width_mm - 6) * 25.4, rel=0.005)


@pytest.mark.parametrize(
    ("wishes", "level"),
    [
        ({"border_color": "#ff0000"}, PASS),
        ({"border_color": "#ff0000", "bleed_mm": 0.0}, WARN),
        ({"border_mm": 0.0}, PASS),
        ({"border_mm": 0.0, "bleed_mm": 0.5}, WARN),
    ],
)
def test_enough_bleed_is_one_millimetre(wishes: dict[str, Any], level: FindingLevel) -> None:
    """A coloured border or full-bleed art wants 1 mm; less warns."""
    assert findings(disc(), **wishes)["BLEED"].level is level


@pytest.mark.parametrize(("border_mm", "level"), [(3.0, PASS), (1.5, WARN), (0.5, FAIL), (0.0, WARN)])
def test_the_safe_zone_is_measured_to_the_art(border_mm: float, level: FindingLevel) -> None:
    """Plain art lies as far from the cut as its border is wide; a full-bleed sticker warns at most."""
    finding = findings(disc(), border_mm=border_mm)["SAFE_ZONE"]

    assert finding.level is level
    assert finding.value == pytest.approx(border_mm, abs=0.06)


def test_the_least_radius_tells_what_the_shape_had() -> None:
    """The line keeps the radius it was rounded with, and the shape's own sharp corners are named."""
    finding = findings(star())["MIN_RADIUS"]

    assert finding.level is PASS
    assert "sharp" in finding.message


def test_pieces_are_told_by_how_they_were_joined() -> None:
    """Pieces that grow together pass; bridges, a hull and loose pieces warn, each in its own words."""
    near, far = discs((210, 400, 100), (520, 400, 100)), discs((60, 400, 40), (740, 400, 40))

    assert findings(discs((300, 400, 90), (500, 400, 90)))["ISLANDS"].level is PASS
    assert "bridged" in findings(near, border_mm=1.0)["ISLANDS"].message
    assert "far apart" in findings(far, border_mm=1.0)["ISLANDS"].message
    kept = findings(far, border_mm=1.0, island_policy=IslandPolicy.KEEP)["ISLANDS"]
    assert kept.level is WARN
    assert kept.value == 2


@pytest.mark.parametrize(
    ("shape", "cropped_px"),
    [
        (Point(400, 700).buffer(300, quad_segs=60), 565.7),  # a chord of 2 x sqrt(300^2 - 100^2)
        (Point(0, 400).buffer(300, quad_segs=60), 600),
        (Point(0, 0).buffer(500, quad_segs=60), 1000),
        (Polygon([(300, 0), (500, 0), (700, 700), (100, 700)]), 200),
        (Point(400, 400).buffer(400.3, quad_segs=180), 0),
        (box(60, 60, 740, 740).buffer(60), 0),
        (box(0, 300, 800, 500), 0),
        (box(0, 0, 300, 800), 0),
        (box(300, 0, 500, 600), 0),
    ],
    ids=["low disc", "half disc", "corner disc", "wedge", "trimmed disc", "rounded square", "band", "half", "bar"],
)
def test_art_that_runs_off_its_image_is_measured(shape: Polygon, cropped_px: float) -> None:
    """Discs and wedges that go on beyond the canvas are told; what was trimmed or drawn along its edge is not."""
    sticker = polygons_of(shape.intersection(box(0, 0, 800, 800)))
    finding = findings(sticker)["ART_CROPPED"]
    x_min, y_min, x_max, y_max = sticker.bounds

    assert finding.level is (WARN if cropped_px else PASS)
    assert finding.value == pytest.approx(cropped_px * 69 / max(x_max - x_min, y_max - y_min), abs=0.7)


def test_vector_art_that_runs_off_its_page_is_told() -> None:
    """At 600 dpi more is thinned out of an outline, in pixels; a circle that its view box cuts off is told."""
    page = svg('<circle cx="50" cy="80" r="40"/>', 'viewBox="0 0 100 100"')
    spec = resolve(StickerSpec(width_mm=60.0, output_formats=(OutputFormat.REPORT_JSON,)))

    found = {finding.code: finding for finding in process(page, spec).findings}

    assert found["ART_CROPPED"].value == pytest.approx(69.28 * 54 / 80, abs=0.3)


def test_art_that_runs_off_a_photographed_sheet_is_told() -> None:
    """A disc cut off by the lower edge of a compressed opaque image is cropped, though its outline is no exact one."""
    picture = Image.fromarray(on_paper(drawn(discs((400, 700, 300))).reshape(-1, 4)).reshape(800, 800, 3))
    spec = resolve(StickerSpec(output_formats=(OutputFormat.REPORT_JSON,)))

    found = {finding.code: finding for finding in process(encoded(picture, "JPEG", quality=85), spec).findings}

    assert found["ART_CROPPED"].level is WARN
    assert found["ART_CROPPED"].value == pytest.approx(565.7 * 69 / 600, abs=1)


@pytest.mark.parametrize(
    ("dot", "level"),
    [((400, 400), PASS), ((720, 400), PASS), ((745, 400), WARN), ((60, 60), WARN)],
    ids=["in a hole", "in the border", "across the cut", "outside"],
)
def test_specks_count_where_the_cut_goes_past_them(dot: tuple[float, float], level: FindingLevel) -> None:
    """A dot that lies on the finished sticker is printed and no loss; one across the cut line or outside it is."""
    shape = polygons_of(ring().union(discs((*dot, 3.0))))

    finding = findings(shape, border_mm=5.0)["SPECKS"]

    assert finding.level is level
    assert finding.value == pytest.approx(np.pi * 3**2 * (65 / 600) ** 2 if level is WARN else 0, rel=0.05)
    assert "outside the cut line" in finding.message


def test_a_dot_in_a_hole_that_is_cut_out_is_lost() -> None:
    """Inside an inner cut there is no sticker."""
    finding = findings(polygons_of(ring().union(discs((400, 400, 3.0)))), inner_cuts=True)["SPECKS"]

    assert finding.level is WARN


@pytest.mark.parametrize("sides", [(800.0, 800.0), (100.0, 720.0)])
def test_a_sticker_can_be_too_long_for_machines(sides: tuple[float, float]) -> None:
    """Over 700 mm the longer side is what is told."""
    finding = findings(bar(700 * sides[0] / max(sides), 700), height_mm=sides[1])["STICKER_SIZE"]

    assert finding.level is WARN
    assert finding.value == pytest.approx(sides[1], abs=0.01)


def test_enclosed_background_that_was_removed_passes() -> None:
    """Places are counted, the largest is pointed at, and removing them on request is no fault."""
    places: dict[str, Any] = {"enclosed_background_px": ((300, 300, 40, 40), (380, 380, 50, 60))}

    finding = findings(disc(), cutout=places)["ENCLOSED_BACKGROUND"]

    assert finding.value == 2
    assert finding.place is not None
    assert finding.place.width_mm == pytest.approx(50 * 69 / 600, abs=0.05)
    removed = findings(disc(), cutout=places, remove_enclosed_background=True)["ENCLOSED_BACKGROUND"]
    assert removed.level is PASS


def test_a_shadow_is_measured() -> None:
    """A faint halo of 45 px around a disc reaches as far as it was drawn."""
    rgba = drawn(disc())
    halo = drawn(discs((400, 400, 345)))[..., 3] > 0
    rgba[..., 3] = np.maximum(rgba[..., 3], np.where(halo, 60, 0))

    assert findings(rgba)["SOFT_SHADOW"].value == pytest.approx(45 * 69 / 600, abs=0.6)


def test_a_shadow_cannot_be_told_beside_a_doubtful_cutout() -> None:
    """Background removal that fails its own confidence may have kept a shadow as art, and says what to look for."""
    doubtful = {"method": CutoutMethod.FLAT, "confidence": 0.1}

    found = findings(disc(), cutout=doubtful)

    assert found["SOFT_SHADOW"].level is FindingLevel.NOT_APPLICABLE
    assert found["CUTOUT_CONFIDENCE"].level is FAIL
    assert "shadow or glow" in found["CUTOUT_CONFIDENCE"].message
    assert "transparent background" in found["CUTOUT_CONFIDENCE"].fix
    sure = findings(disc(), cutout={"method": CutoutMethod.FLAT, "confidence": 0.9})
    assert sure["SOFT_SHADOW"].level is PASS


def test_see_through_art_is_measured() -> None:
    """A window of half-transparent pixels is told as its share of the art."""
    rgba = drawn(disc())
    rgba[300:500, 300:500, 3] = 160

    assert findings(rgba)["TRANSPARENCY"].value == pytest.approx(40_000 / disc().area, abs=0.03)


def test_contrast_is_against_the_border_that_was_asked_for() -> None:
    """White art is lost on a white border, and stands out from a dark one."""
    white = drawn(disc(), rgb=(250, 250, 250))

    assert findings(white)["EDGE_CONTRAST"].level is FAIL
    assert findings(white, border_color="#202020")["EDGE_CONTRAST"].level is PASS


@pytest.mark.parametrize("cut_type", CutType)
@pytest.mark.parametrize(("border_mm", "bleed_mm"), [(-5.0, 0.0), (-5.0, 2.0), (-1.0, 2.0), (0.0, 0.0), (3.0, 2.0)])
def test_every_place_lies_on_the_page(border_mm: float, bleed_mm: float, cut_type: CutType) -> None:
    """Art beyond a full-bleed page, tips that are cut off and specks far away are pointed at on the page all the same.

    The page is the trim box, whose corner places count from, grown by the bleed.
    """
    rgba = drawn(polygons_of(star().union(discs((20, 20, 2.5)))))
    spec = resolve(StickerSpec(width_mm=60.0, border_mm=border_mm, bleed_mm=bleed_mm, cut_type=cut_type))
    result = make_sticker(artwork_of(rgba), cutout_of(rgba), spec)
    page = PrintPdf(next(file.data for file in result.files if file.kind is OutputFormat.PRINT_PDF)).box_mm("MediaBox")
    places = {finding.code: finding.place for finding in result.findings if finding.place is not None}

    assert {"RESOLUTION", "SPECKS"} <= places.keys()
    for code, place in places.items():
        assert -bleed_mm - 1e-3 <= place.x_mm <= place.x_mm + place.width_mm <= page[2] - bleed_mm + 1e-3, code
        assert -bleed_mm - 1e-3 <= place.y_mm <= place.y_mm + place.height_mm <= page[3] - bleed_mm + 1e-3, code
