"""Vector artwork is rendered at 600 dpi of the art's final size, wherever on its canvas the art lies."""

from __future__ import annotations

from typing import Any

import pytest

from cutline.domain.artwork import ArtworkLimits
from cutline.domain.errors import ArtworkError, Reason
from cutline.domain.outputs import FindingLevel, OutputFormat
from cutline.domain.sticker_spec import StickerSpec, resolve
from cutline.imaging.pipeline import process
from cutline.imaging.vector_size import VECTOR_DPI
from tests.unit.imaging.pixel_art import svg

SQUARE = 'viewBox="0 0 100 100"'


def rendered_dpi(body: str, limits: ArtworkLimits | None = None, **wishes: Any) -> float:
    """Pixels of the finished canvas per inch of print."""
    spec = resolve(StickerSpec(**wishes, output_formats=(OutputFormat.CUTOUT_PNG,)))
    result = process(svg(body, SQUARE), spec, limits=limits)
    png = next(file.data for file in result.files if file.kind is OutputFormat.CUTOUT_PNG)
    finding = next(finding for finding in result.findings if finding.code == "RESOLUTION")
    assert finding.level is FindingLevel.NOT_APPLICABLE
    return int.from_bytes(png[16:20], "big") / (result.geometry.canvas_box.width_mm / 25.4)


@pytest.mark.parametrize(
    ("body", "wishes"),
    [
        ('<circle cx="50" cy="50" r="50"/>', {}),
        ('<circle cx="20" cy="70" r="15"/>', {"width_mm": 20.0}),
        ('<rect width="100" height="100" fill="white"/><circle cx="50" cy="50" r="25" fill="red"/>', {}),
        ('<path d="M50 5 60 90 30 40Z"/>', {"border_mm": 0.0, "width_mm": 25.0}),
        ('<circle cx="50" cy="50" r="40"/>', {"border_mm": -1.0, "height_mm": 30.0}),
    ],
    ids=["fills its canvas", "in a corner", "on a background", "corners rounded off", "inside its own edge"],
)
def test_the_art_has_600_dpi_at_its_final_size(body: str, wishes: dict[str, Any]) -> None:
    """Border, rounding, background and empty canvas are all reckoned in, within what a small render can tell."""
    assert rendered_dpi(body, **wishes) == pytest.approx(VECTOR_DPI, rel=0.01)


def test_the_pixel_limit_comes_first() -> None:
    """Where the limit does not allow 600 dpi, the canvas has as many pixels as it does."""
    assert rendered_dpi('<circle cx="50" cy="50" r="50"/>', ArtworkLimits(max_side_px=400)) < 200


def test_a_canvas_without_art_says_so() -> None:
    """A document that draws nothing is refused by the steps that look for the art, not by its render's size."""
    with pytest.raises(ArtworkError) as caught:
        rendered_dpi("")

    assert caught.value.reason is Reason.NO_SUBJECT
