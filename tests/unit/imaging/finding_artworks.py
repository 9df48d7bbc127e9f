"""One artwork for each level that each finding can reach, under one spec a finding.

Only the artwork differs between the levels of a finding, so it alone moves the finding. A check that stops to apply
because of what was asked for, and not because of what was drawn, has that wish beside its artwork.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from shapely import MultiPolygon, Point, Polygon, box

from cutline.domain.outputs import Finding, FindingLevel, OutputFormat
from cutline.domain.sticker_spec import StickerSpec, resolve
from cutline.imaging.pipeline import make_sticker
from cutline.imaging.press_profile import PressProfile
from cutline.imaging.shapes import polygons_of
from tests.support.drawn_art import ORANGE, artwork_of, bar, cutout_of, disc, discs, drawn, holed_disc, ring, star
from tests.support.press_profiles import icc_profile
from tests.unit.imaging.pixel_art import composed, coverage, encoded, flat_colour, svg

PASS: Final = FindingLevel.PASS
WARN: Final = FindingLevel.WARN
FAIL: Final = FindingLevel.FAIL
NOT_APPLICABLE: Final = FindingLevel.NOT_APPLICABLE

BoxPx = tuple[float, float, float, float]
WHITE: Final = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Drawing:
    """An artwork for one level.

    Attributes:
        level: What the finding says of it.
        draw: Makes the file.
        at: Box (x_min, y_min, x_max, y_max) in px within which the finding's place must lie; None where the finding
            needs no place.
        wishes: What is asked for besides the finding's own spec; only for NOT_APPLICABLE.
        with_press: Whether it is made for a press that prints greys well and strong colours at half their strength.
    """

    level: FindingLevel
    draw: Callable[[], bytes]
    at: BoxPx | None = None
    wishes: dict[str, Any] = field(default_factory=dict)
    with_press: bool = False

    @property
    def press(self) -> PressProfile | None:
        """The press it is made for."""
        return PressProfile.read(icc_profile()) if self.with_press else None


@dataclass(frozen=True, slots=True)
class Case:
    """The spec and the artworks of one finding."""

    wishes: dict[str, Any]
    drawings: tuple[Drawing, ...]


def findings(
    shape: MultiPolygon | NDArray[np.uint8], *, cutout: dict[str, Any] | None = None, **wishes: Any
) -> dict[str, Finding]:
    """Findings by code."""
    rgba = drawn(shape) if isinstance(shape, MultiPolygon) else shape
    spec = resolve(StickerSpec(**wishes, output_formats=(OutputFormat.REPORT_JSON,)))
    result = make_sticker(artwork_of(rgba), cutout_of(rgba, **(cutout or {})), spec)
    return {finding.code: finding for finding in result.findings}


def _png(pixels: MultiPolygon | NDArray[np.uint8], rgb: tuple[int, int, int] = ORANGE) -> bytes:
    rgba = drawn(pixels, rgb=rgb) if isinstance(pixels, MultiPolygon) else pixels
    return encoded(Image.fromarray(rgba), "PNG", compress_level=1)


def _shape(*parts: Polygon | MultiPolygon) -> MultiPolygon:
    whole: Any = parts[0]
    for part in parts[1:]:
        whole = whole.union(part)
    return polygons_of(whole)


def _scaled_disc(side_px: int) -> bytes:
    """A disc over a canvas of that side."""
    shape = MultiPolygon([Point(side_px / 2, side_px / 2).buffer(side_px / 2 - 2, quad_segs=60)])
    return _png(drawn(shape, canvas_px=side_px))


def _on_white(level: int) -> bytes:
    """A grey disc on white paper, without transparency."""
    art = composed(coverage("disc"), (level, level, level), flat_colour(WHITE))
    return encoded(Image.fromarray(art.rgba[..., :3]), "PNG")


def _noise() -> bytes:
    """Coloured noise over the whole canvas."""
    return encoded(Image.fromarray(np.random.default_rng(3).integers(0, 256, (96, 96, 3), np.uint8)), "PNG")


def _frame_on_white() -> bytes:
    """An orange ring on white: the white in its middle looks like background."""
    art = composed(coverage("ring"), ORANGE, flat_colour(WHITE))
    return encoded(Image.fromarray(art.rgba[..., :3]), "PNG")


def _cog(teeth: int, radius_px: float = 380, depth_px: float = 30) -> MultiPolygon:
    """A wheel with pointed teeth."""
    angles = np.linspace(0, 2 * np.pi, 2 * teeth, endpoint=False)
    radii = np.where(np.arange(2 * teeth) % 2, radius_px, radius_px - depth_px)
    return MultiPolygon([Polygon(np.stack([400 + radii * np.cos(angles), 400 + radii * np.sin(angles)], axis=1))])


def _half_cog(teeth: int) -> MultiPolygon:
    """A disc whose right rim has teeth."""
    right = box(600, 0, 800, 800).intersection(_cog(teeth))
    return _shape(Point(400, 400).buffer(340, quad_segs=60), polygons_of(right))


def _rounded_square(radius_px: float) -> MultiPolygon:
    return MultiPolygon([box(100 + radius_px, 100 + radius_px, 700 - radius_px, 700 - radius_px).buffer(radius_px)])


def _needle() -> MultiPolygon:
    """A disc with one sharp spike to the right."""
    return _shape(Point(300, 400).buffer(200, quad_segs=60), Polygon([(300, 340), (780, 400), (300, 460)]))


def _lollipop(stick_px: float) -> MultiPolygon:
    return _shape(box(400 - stick_px / 2, 300, 400 + stick_px / 2, 780), Point(400, 200).buffer(180))


def _dumbbell(neck_px: float) -> MultiPolygon:
    rooms = Point(180, 400).buffer(160), Point(620, 400).buffer(160)
    return _shape(*rooms, box(180, 400 - neck_px / 2, 620, 400 + neck_px / 2))


def _striped(colored_px: float) -> bytes:
    """A white square whose left part is orange."""
    rgba = drawn(bar(600, 600), rgb=WHITE)
    rgba[:, : int(100 + colored_px), :3] = ORANGE
    return _png(rgba)


def _with_shadow() -> bytes:
    """A disc with a faint shadow to its lower right."""
    rgba = drawn(discs((350, 350, 250)))
    shadow = drawn(discs((410, 410, 250)))[..., 3] > 0
    rgba[..., 3] = np.maximum(rgba[..., 3], np.where(shadow, 60, 0))
    return _png(rgba)


def _with_window() -> bytes:
    """A disc with a half-transparent window."""
    rgba = drawn(disc())
    rgba[200:400, 420:600, 3] = 160
    return _png(rgba)


def _glass() -> bytes:
    """A disc that is see-through all over."""
    rgba = drawn(disc())
    rgba[..., 3] = (rgba[..., 3] * 0.8).astype(np.uint8)
    return _png(rgba)


def _half_white() -> bytes:
    """A disc whose right part is white."""
    rgba = drawn(disc())
    rgba[:, 300:, :3] = 250
    return _png(rgba)


def _white_outlined() -> bytes:
    """An orange disc with a white outline of its own."""
    rgba = drawn(disc(), rgb=WHITE)
    rgba[drawn(discs((400, 400, 270)))[..., 3] > 0, :3] = ORANGE
    return _png(rgba)


def _grey_with_red() -> bytes:
    """A grey disc with a square of pure red."""
    rgba = drawn(disc(), rgb=(128, 128, 128))
    rgba[250:450, 350:550, :3] = (255, 0, 0)
    return _png(rgba)


CASES: Final[dict[str, Case]] = {
    "SUBJECT": Case(
        {},
        (Drawing(PASS, lambda: _on_white(60)), Drawing(FAIL, _noise, at=(0, 0, 96, 96))),
    ),
    "CUTOUT_CONFIDENCE": Case(
        {},
        (
            Drawing(NOT_APPLICABLE, lambda: _png(disc())),
            Drawing(PASS, lambda: _on_white(60)),
            Drawing(WARN, lambda: _on_white(235), at=(50, 50, 270, 270)),
            Drawing(FAIL, lambda: _on_white(250), at=(50, 50, 270, 270)),
        ),
    ),
    "RESOLUTION": Case(
        {"width_mm": 30.0},
        (
            Drawing(NOT_APPLICABLE, lambda: svg('<circle cx="10" cy="5" r="5"/>')),
            Drawing(PASS, lambda: _scaled_disc(400)),
            Drawing(WARN, lambda: _scaled_disc(200), at=(0, 0, 200, 200)),
            Drawing(FAIL, lambda: _scaled_disc(100), at=(0, 0, 100, 100)),
        ),
    ),
    "STICKER_SIZE": Case(
        {"width_mm": 60.0, "border_mm": 1.0},
        (
            Drawing(PASS, lambda: _png(bar(600, 600))),
            Drawing(WARN, lambda: _png(bar(600, 150)), at=(80, 310, 720, 490)),
            Drawing(FAIL, lambda: _png(bar(600, 60)), at=(80, 355, 720, 445)),
        ),
    ),
    "ASPECT_RATIO": Case(
        {"width_mm": 50.0, "height_mm": 50.0},
        (
            Drawing(NOT_APPLICABLE, lambda: _png(disc()), wishes={"height_mm": None}),
            Drawing(PASS, lambda: _png(disc())),
            Drawing(WARN, lambda: _png(bar(600, 300)), at=(50, 200, 750, 600)),
        ),
    ),
    "BLEED": Case(
        {"border_mm": 0.0, "bleed_mm": 0.0},
        (
            Drawing(NOT_APPLICABLE, lambda: _png(disc()), wishes={"border_mm": 3.0}),
            Drawing(PASS, lambda: _png(disc(), WHITE)),
            Drawing(WARN, lambda: _striped(30), at=(90, 90, 140, 710)),
            Drawing(FAIL, lambda: _striped(300), at=(90, 90, 410, 710)),
        ),
    ),
    "SAFE_ZONE": Case(
        {"border_mm": 2.0, "min_radius_mm": 3.0, "safe_zone_mm": 2.0, "smoothing": 0.0},
        (
            Drawing(NOT_APPLICABLE, lambda: _png(disc()), wishes={"safe_zone_mm": 0.0}),
            Drawing(PASS, lambda: _png(disc())),
            Drawing(
                WARN,
                lambda: _png(_shape(Point(300, 400).buffer(200), box(300, 300, 700, 600))),
                at=(660, 260, 740, 640),
            ),
            Drawing(FAIL, lambda: _png(_needle()), at=(600, 350, 800, 450)),
        ),
    ),
    "MIN_RADIUS": Case(
        {"border_mm": 0.0, "min_radius_mm": 0.0, "smoothing": 0.0},
        (
            Drawing(PASS, lambda: _png(disc())),
            Drawing(WARN, lambda: _png(_rounded_square(6)), at=(90, 90, 710, 710)),
            Drawing(FAIL, lambda: _png(_needle()), at=(740, 370, 810, 430)),
        ),
    ),
    "THIN_PARTS": Case(
        {"border_mm": 0.2, "min_radius_mm": 0.2, "smoothing": 0.0},
        (
            Drawing(PASS, lambda: _png(_lollipop(60))),
            Drawing(WARN, lambda: _png(_lollipop(20)), at=(380, 350, 420, 790)),
            Drawing(FAIL, lambda: _png(_lollipop(4)), at=(390, 350, 410, 790)),
        ),
    ),
    "THIN_NECKS": Case(
        {"border_mm": 0.2, "min_radius_mm": 0.2, "smoothing": 0.0, "island_policy": "KEEP"},
        (
            Drawing(PASS, lambda: _png(_dumbbell(60))),
            Drawing(WARN, lambda: _png(_dumbbell(20)), at=(310, 370, 490, 430)),
            Drawing(FAIL, lambda: _png(_dumbbell(3)), at=(310, 370, 490, 430)),
        ),
    ),
    "CUT_COMPLEXITY": Case(
        {"border_mm": 0.0, "min_radius_mm": 0.1, "smoothing": 0.0, "width_mm": 300.0},
        (
            Drawing(PASS, lambda: _png(disc())),
            Drawing(WARN, lambda: _png(_half_cog(140)), at=(590, 100, 790, 700)),
            Drawing(FAIL, lambda: _png(_cog(240)), at=(0, 0, 800, 800)),
        ),
    ),
    "ISLANDS": Case(
        {"border_mm": 1.0},
        (
            Drawing(PASS, lambda: _png(disc())),
            Drawing(WARN, lambda: _png(discs((210, 400, 100), (520, 400, 100))), at=(240, 300, 490, 500)),
        ),
    ),
    "HOLES": Case(
        {"inner_cuts": True},
        (
            Drawing(NOT_APPLICABLE, lambda: _png(disc())),
            Drawing(PASS, lambda: _png(ring())),
            Drawing(WARN, lambda: _png(holed_disc(22)), at=(370, 370, 430, 430)),
        ),
    ),
    "ART_LOST": Case(
        {"border_mm": 0.0, "width_mm": 40.0},
        (
            Drawing(NOT_APPLICABLE, lambda: _png(star()), wishes={"border_mm": 3.0}),
            Drawing(PASS, lambda: _png(disc())),
            Drawing(WARN, lambda: _png(star()), at=(0, 0, 800, 800)),
            Drawing(FAIL, lambda: _png(_needle()), at=(500, 350, 790, 450)),
        ),
    ),
    "ART_CROPPED": Case(
        {},
        (
            Drawing(NOT_APPLICABLE, _noise),
            Drawing(PASS, lambda: _png(disc())),
            Drawing(WARN, lambda: _png(discs((400, 700, 300))), at=(100, 790, 700, 810)),
        ),
    ),
    "SPECKS": Case(
        {},
        (
            Drawing(PASS, lambda: _png(disc())),
            Drawing(WARN, lambda: _png(discs((400, 400, 250), (180, 180, 2.5))), at=(170, 170, 190, 190)),
        ),
    ),
    "ENCLOSED_BACKGROUND": Case(
        {},
        (
            Drawing(PASS, lambda: _on_white(60)),
            Drawing(WARN, _frame_on_white, at=(70, 70, 250, 250)),
        ),
    ),
    "SOFT_SHADOW": Case(
        {},
        (
            Drawing(NOT_APPLICABLE, lambda: _on_white(250)),
            Drawing(PASS, lambda: _png(disc())),
            Drawing(WARN, _with_shadow, at=(200, 200, 680, 680)),
        ),
    ),
    "TRANSPARENCY": Case(
        {},
        (
            Drawing(PASS, lambda: _png(disc())),
            Drawing(WARN, _with_window, at=(410, 190, 610, 410)),
        ),
    ),
    "EDGE_CONTRAST": Case(
        {},
        (
            Drawing(NOT_APPLICABLE, _glass),
            Drawing(PASS, lambda: _png(disc())),
            Drawing(WARN, _half_white, at=(290, 90, 710, 710)),
            Drawing(WARN, _white_outlined, at=(90, 90, 710, 710)),
            Drawing(FAIL, lambda: _png(disc(), WHITE), at=(90, 90, 710, 710)),
        ),
    ),
    "PRESS_GAMUT": Case(
        {},
        (
            Drawing(NOT_APPLICABLE, lambda: _png(disc())),
            Drawing(PASS, lambda: _png(disc(), (128, 128, 128)), with_press=True),
            Drawing(WARN, _grey_with_red, at=(340, 240, 560, 460), with_press=True),
        ),
    ),
}
