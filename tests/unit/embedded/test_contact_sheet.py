"""The contact sheet: its size and what stands where."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from cutline.embedded.contact_sheet import MAX_WIDTH_PX, SheetRow, contact_sheet

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9" fill="#ff0000"/></svg>'


def picture(color: tuple[int, ...], kind: str = "PNG", size: tuple[int, int] = (400, 300)) -> bytes:
    """A file of one colour."""
    file = io.BytesIO()
    Image.new("RGBA" if len(color) == 4 else "RGB", size, color).save(file, kind)
    return file.getvalue()


def row(mockups: int = 4, artwork: bytes = SVG) -> SheetRow:
    """Red artwork, a clear cutout, a green preview and blue mockups."""
    blue = picture((0, 0, 255), "JPEG")
    return SheetRow("Red", artwork, picture((0, 0, 0, 0)), picture((0, 128, 0)), (blue,) * mockups)


def tile_centres(sheet: Image.Image, columns: int, top_px: int) -> list[tuple[int, ...]]:
    """Colours in the middle of a row's tiles."""
    step = (sheet.width - 96 + 18) / columns
    return [sheet.getpixel((int(48 + (column + 0.45) * step), top_px)) for column in range(columns)]  # type: ignore[misc]


@pytest.mark.parametrize(
    "artwork", [SVG, picture((255, 0, 0)), picture((255, 0, 0), "TIFF"), picture((255, 0, 0), "WEBP")]
)
def test_a_row_shows_artwork_cutout_cut_line_and_mockups(artwork: bytes) -> None:
    """In order: the artwork (of any type), the cutout on light checks, the preview, every mockup."""
    sheet = contact_sheet([row(artwork=artwork)])
    red, checks, green, *blues = tile_centres(sheet, 7, 156 + 58 + 150)
    assert red[0] > 240
    assert max(red[1:]) < 20
    assert min(checks) > 220
    assert (green[0], green[2]) == (0, 0)
    assert all(blue[2] > 240 and max(blue[:2]) < 20 for blue in blues)
    assert len(blues) == 4


@pytest.mark.parametrize("mockups", [0, 1, 4, 9])
def test_the_sheet_is_never_too_wide(mockups: int) -> None:
    """With any number of mockups the sheet is at most 2,400 px wide."""
    assert contact_sheet([row(mockups)]).width <= MAX_WIDTH_PX == 2400


def test_every_row_adds_the_same_height() -> None:
    """Rows follow each other evenly, also where one has fewer mockups."""
    heights = [contact_sheet([row(), row(2), row(0)][:count]).height for count in (1, 2, 3)]
    assert heights[2] - heights[1] == heights[1] - heights[0] > 300


def test_a_clear_cutout_shows_two_kinds_of_checks() -> None:
    """Behind a clear cutout lie the two tones of the pattern for transparency."""
    tile = contact_sheet([row()]).crop((400, 300, 600, 480))
    assert {(255, 255, 255), (230, 232, 238)} == {color for _, color in tile.getcolors() or []}


def test_a_sheet_of_nothing_is_refused() -> None:
    """Without rows there is nothing to draw."""
    with pytest.raises(ValueError, match="at least one row"):
        contact_sheet([])
