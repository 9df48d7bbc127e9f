"""Each finding at each level it can reach, on art made for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from shapely import MultiPolygon, Point, Polygon, box

from cutline.domain.outputs import CutoutMethod, Finding, FindingLevel, OutputFormat
from cutline.domain.sticker_spec import IslandPolicy, StickerSpec, resolve
from cutline.imaging.pipeline import make_sticker
from cutline.imaging.shapes import polygons_of
from tests.support.drawn_art import artwork_of, bar, cutout_of, disc, discs, drawn, holed_disc, ring, star

PASS, WARN, FAIL, NOT_APPLICABLE = (
    FindingLevel.PASS,
    FindingLevel.WARN,
    FindingLevel.FAIL,
    FindingLevel.NOT_APPLICABLE,
)


def findings(
    art: MultiPolygon | NDArray[np.uint8],
    *,
    cutout: dict[str, Any] | None = None,
    vector: bool = False,
    **wishes: Any,
) -> dict[str, Finding]:
    """Findings by code."""
    rgba = drawn(art) if isinstance(art, MultiPolygon) else art
    spec = resolve(StickerSpec(**wishes, output_formats=(OutputFormat.REPORT_JSON,)))
    result = make_sticker(artwork_of(rgba, vector=vector), cutout_of(rgba, **(cutout or {})), spec)
    return {finding.code: finding for finding in result.findings}


def assert_level(finding: Finding, level: FindingLevel) -> None:
    """The level, and what a finding of that level must bring along."""
    assert finding.level is level, finding
    assert finding.message.endswith(".")
    assert bool(finding.fix) == (level in {WARN, FAIL})


@pytest.mark.parametrize(("width_mm", "level"), [(50.0, PASS), (75.0, WARN), (200.0, FAIL)])
def test_resolution(width_mm: float, level: FindingLevel) -> None:
    """600 px of art are 346, 221 and 79 dpi at 44, 69 and 194 mm."""
    finding = findings(disc(), width_mm=width_mm)["RESOLUTION"]

    assert_level(finding, level)
    assert finding.value == pytest.approx(600 / (width_mm - 6) * 25.4, rel=0.005)


def test_resolution_of_vector_art() -> None:
    """SVG art has no resolution of its own."""
    assert_level(findings(disc(), vector=True)["RESOLUTION"], NOT_APPLICABLE)


@pytest.mark.parametrize(
    ("wishes", "level"),
    [
        ({}, NOT_APPLICABLE),
        ({"border_color": "#ff0000"}, PASS),
        ({"border_color": "#ff0000", "bleed_mm": 0.5}, WARN),
        ({"border_mm": 0.0}, PASS),
        ({"border_mm": 0.0, "bleed_mm": 0.5}, WARN),
        ({"border_mm": 0.0, "bleed_mm": 0.0}, FAIL),
    ],
)
def test_bleed(wishes: dict[str, Any], level: FindingLevel) -> None:
    """A white border bleeds nothing; colour needs 1 mm; full bleed without any fails."""
    assert_level(findings(disc(), **wishes)["BLEED"], level)


@pytest.mark.parametrize(
    ("wishes", "level"),
    [
        ({}, PASS),
        ({"border_mm": 1.5}, WARN),
        ({"border_mm": 0.5}, FAIL),
        ({"border_mm": 0.0}, WARN),
        ({"safe_zone_mm": 0.0}, NOT_APPLICABLE),
    ],
)
def test_safe_zone(wishes: dict[str, Any], level: FindingLevel) -> None:
    """Art keeps 2 mm from the cut; a full-bleed sticker warns at most."""
    finding = findings(disc(), **wishes)["SAFE_ZONE"]

    assert_level(finding, level)
    if wishes.get("border_mm"):
        assert finding.value == pytest.approx(wishes["border_mm"], abs=0.06)


@pytest.mark.parametrize(("wishes", "level"), [({}, PASS), ({"min_radius_mm": 0.0}, NOT_APPLICABLE)])
def test_min_radius(wishes: dict[str, Any], level: FindingLevel) -> None:
    """The line keeps the radius it was rounded with, and the shape's own sharp corners are named."""
    finding = findings(star(), **wishes)["MIN_RADIUS"]

    assert_level(finding, level)
    if level is PASS:
        assert "sharp" in finding.message


@pytest.mark.parametrize(("border_mm", "width_px", "level"), [(3.0, 40, PASS), (1.0, 8, WARN), (0.2, 4, FAIL)])
def test_thin_parts(border_mm: float, width_px: float, level: FindingLevel) -> None:
    """A lollipop's stick of 9, 2.7 and less than 1 mm."""
    stick = box(400 - width_px / 2, 300, 400 + width_px / 2, 780)
    lollipop = polygons_of(stick.union(Point(400, 200).buffer(180)))

    finding = findings(lollipop, border_mm=border_mm, smoothing=0.0, min_radius_mm=0.2)["THIN_PARTS"]

    assert_level(finding, level)


def test_islands() -> None:
    """One piece passes, pieces that grow together pass, bridges, hull and loose pieces warn."""
    near = ((210, 400, 100), (520, 400, 100))
    far = ((60, 400, 40), (740, 400, 40))
    touching = ((300, 400, 90), (500, 400, 90))

    assert_level(findings(disc())["ISLANDS"], PASS)
    assert_level(findings(discs(*touching))["ISLANDS"], PASS)
    assert_level(findings(discs(*near), border_mm=1.0)["ISLANDS"], WARN)
    assert_level(findings(discs(*far), border_mm=1.0)["ISLANDS"], WARN)
    kept = findings(discs(*far), border_mm=1.0, island_policy=IslandPolicy.KEEP)["ISLANDS"]
    assert_level(kept, WARN)
    assert kept.value == 2


def test_holes() -> None:
    """Holes that are cut or left alone pass, one that cannot be cut warns."""
    assert_level(findings(disc())["HOLES"], NOT_APPLICABLE)
    assert_level(findings(ring())["HOLES"], PASS)
    assert_level(findings(ring(), inner_cuts=True)["HOLES"], PASS)
    assert_level(findings(holed_disc(22), inner_cuts=True)["HOLES"], WARN)


def test_art_lost() -> None:
    """A border rounds corners by itself; a star without one loses its tips, a thin one half of itself."""
    thin = polygons_of(bar(30, 700).union(Point(400, 400).buffer(150)))

    assert_level(findings(star())["ART_LOST"], NOT_APPLICABLE)
    assert_level(findings(disc(), border_mm=0.0)["ART_LOST"], PASS)
    finding = findings(star(), border_mm=0.0)["ART_LOST"]
    assert_level(finding, WARN)
    assert finding.value == pytest.approx(2.4, abs=0.5)
    assert_level(findings(thin, border_mm=-1.0, width_mm=20.0)["ART_LOST"], FAIL)


def test_specks() -> None:
    """No dirt passes, a dot of 0.4 mm2 is named."""
    assert_level(findings(disc())["SPECKS"], PASS)
    finding = findings(discs((400, 400, 250), (60, 60, 2.5)))["SPECKS"]
    assert_level(finding, WARN)
    assert finding.place is not None


@pytest.mark.parametrize(
    ("wide_px", "wishes", "level"),
    [
        (600, {}, PASS),
        (600, {"width_mm": 15.0, "border_mm": 1.0}, WARN),
        (600, {"width_mm": 8.0, "border_mm": 1.0}, FAIL),
        (600, {"width_mm": 800.0}, WARN),
    ],
)
def test_sticker_size(wide_px: float, wishes: dict[str, Any], level: FindingLevel) -> None:
    """75 mm is fine, 15 mm is small, 8 mm too small, 800 mm too large for most machines."""
    assert_level(findings(bar(wide_px, wide_px), **wishes)["STICKER_SIZE"], level)


def test_aspect_ratio() -> None:
    """One side says nothing; two that fit pass; two that do not fit warn."""
    assert_level(findings(disc(), width_mm=50.0)["ASPECT_RATIO"], NOT_APPLICABLE)
    assert_level(findings(disc(), width_mm=50.0, height_mm=51.0)["ASPECT_RATIO"], PASS)
    assert_level(findings(disc(), width_mm=50.0, height_mm=80.0)["ASPECT_RATIO"], WARN)


def test_cut_complexity() -> None:
    """A disc passes; the ragged edge of noise has more segments than a cutter likes."""
    assert_level(findings(disc())["CUT_COMPLEXITY"], PASS)
    ragged: dict[str, Any] = {"border_mm": 0.0, "min_radius_mm": 0.0, "smoothing": 0.0}
    assert_level(findings(_cog(60), width_mm=200.0, **ragged)["CUT_COMPLEXITY"], WARN)
    assert_level(findings(_cog(200), width_mm=300.0, **ragged)["CUT_COMPLEXITY"], FAIL)


def _cog(teeth: int) -> MultiPolygon:
    """A wheel with pointed teeth."""
    angles = np.linspace(0, 2 * np.pi, 2 * teeth, endpoint=False)
    radii = np.where(np.arange(2 * teeth) % 2, 380, 350)
    points = np.stack([400 + radii * np.cos(angles), 400 + radii * np.sin(angles)], axis=1)
    return MultiPolygon([Polygon(points)])


@pytest.mark.parametrize(("confidence", "level"), [(0.9, PASS), (0.5, WARN), (0.1, FAIL)])
def test_cutout_confidence(confidence: float, level: FindingLevel) -> None:
    """What background removal says of itself; art with its own alpha needs none."""
    flat = {"method": CutoutMethod.FLAT, "confidence": confidence}

    assert_level(findings(disc(), cutout=flat)["CUTOUT_CONFIDENCE"], level)
    assert_level(findings(disc())["CUTOUT_CONFIDENCE"], NOT_APPLICABLE)


def test_subject() -> None:
    """Art that fills its canvas because no background was found fails."""
    everything = {"method": CutoutMethod.GRABCUT, "confidence": 0.1, "subject_is_everything": True}
    canvas = np.full((300, 400, 4), 255, np.uint8)

    assert_level(findings(canvas, cutout=everything)["SUBJECT"], FAIL)
    assert_level(findings(disc())["SUBJECT"], PASS)


def test_enclosed_background() -> None:
    """Kept background inside the art warns with its place; removed on request it passes."""
    places: dict[str, Any] = {"enclosed_background_px": ((300, 300, 40, 40), (380, 380, 50, 60))}

    assert_level(findings(disc())["ENCLOSED_BACKGROUND"], PASS)
    finding = findings(disc(), cutout=places)["ENCLOSED_BACKGROUND"]
    assert_level(finding, WARN)
    assert finding.place is not None
    assert finding.place.width_mm == pytest.approx(50 * 69 / 600, abs=0.05)
    assert_level(findings(disc(), cutout=places, remove_enclosed_background=True)["ENCLOSED_BACKGROUND"], PASS)


def test_soft_shadow() -> None:
    """A faint halo of 5 mm around a disc is measured; a plain antialiased edge is not a shadow."""
    rgba = drawn(disc())
    halo = drawn(discs((400, 400, 345)))[..., 3] > 0
    rgba[..., 3] = np.maximum(rgba[..., 3], np.where(halo, 60, 0))

    assert_level(findings(disc())["SOFT_SHADOW"], PASS)
    finding = findings(rgba)["SOFT_SHADOW"]
    assert_level(finding, WARN)
    assert finding.value == pytest.approx(45 * 69 / 600, abs=0.6)


def test_transparency() -> None:
    """A window of half-transparent pixels warns with its share."""
    rgba = drawn(disc())
    rgba[300:500, 300:500, 3] = 160

    assert_level(findings(disc())["TRANSPARENCY"], PASS)
    finding = findings(rgba)["TRANSPARENCY"]
    assert_level(finding, WARN)
    assert finding.value == pytest.approx(40_000 / disc().area, abs=0.03)


def test_edge_contrast() -> None:
    """Orange stands out from white, white does not, and without border there is nothing to compare."""
    assert_level(findings(disc())["EDGE_CONTRAST"], PASS)
    assert_level(findings(drawn(disc(), rgb=(250, 250, 250)))["EDGE_CONTRAST"], WARN)
    assert_level(findings(drawn(disc(), rgb=(250, 250, 250)), border_color="#202020")["EDGE_CONTRAST"], PASS)
    assert_level(findings(disc(), border_mm=0.0)["EDGE_CONTRAST"], NOT_APPLICABLE)
