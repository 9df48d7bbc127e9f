"""One picture of what became of several artworks: original, cutout, cut line and mockups, a row each."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import resvg_py
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

MAX_WIDTH_PX: Final = 2400

_TILE_PX: Final = 312
_GAP_PX: Final = 18
_MARGIN_PX: Final = 48
_HEADER_PX: Final = 156
_TITLE_PX: Final = 58
_CORNER_PX: Final = 14
_OVERSAMPLING: Final = 4

_PAPER: Final = "#f5f2ec"
_INK: Final = "#231d33"
_QUIET: Final = "#857d90"
_ACCENT: Final = "#ec008c"
_CHECKS: Final = ((255, 255, 255), (230, 232, 238))
_CHECK_PX: Final = 13
_COLUMNS: Final = ("Artwork", "Cutout", "Cut line")


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One artwork and its results, each as the bytes of a file.

    Attributes:
        title: What stands above the row.
        artwork: The artwork as it was sent: any raster type Pillow reads, or SVG.
        cutout_png: The art without its background.
        preview_png: The art with the cut line over it.
        mockups: Pictures of the sticker in scenes, in the order of the columns.
    """

    title: str
    artwork: bytes
    cutout_png: bytes
    preview_png: bytes
    mockups: tuple[bytes, ...] = ()


def contact_sheet(rows: Sequence[SheetRow]) -> Image.Image:
    """Draws the sheet: RGB, at most MAX_WIDTH_PX wide; tiles shrink where many mockups would make it wider.

    Raises:
        ValueError: There is no row.
    """
    if not rows:
        msg = "a contact sheet needs at least one row"
        raise ValueError(msg)
    columns = len(_COLUMNS) + max(len(row.mockups) for row in rows)
    room_px = MAX_WIDTH_PX - 2 * _MARGIN_PX - (columns - 1) * _GAP_PX
    tile_px = min(_TILE_PX, room_px // columns)
    row_px = _TITLE_PX + tile_px + _GAP_PX
    width_px = 2 * _MARGIN_PX + columns * tile_px + (columns - 1) * _GAP_PX
    sheet = Image.new("RGB", (width_px, _HEADER_PX + len(rows) * row_px + _MARGIN_PX), _PAPER)
    _draw_header(sheet, columns, tile_px)
    for index, row in enumerate(rows):
        _draw_row(sheet, row, _HEADER_PX + index * row_px, tile_px)
    return sheet


def _draw_header(sheet: Image.Image, columns: int, tile_px: int) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN_PX, 34), "Cutline", fill=_INK, font=ImageFont.load_default(52))
    name_px = draw.textlength("Cutline", font=ImageFont.load_default(52))
    slogan = "Artwork in, print-ready die-cut stickers out"
    draw.text((_MARGIN_PX + name_px + 24, 58), slogan, fill=_QUIET, font=ImageFont.load_default(26))
    right = sheet.width - _MARGIN_PX
    for left in range(_MARGIN_PX, right, 22):  # a dashed line, as cut lines are drawn
        draw.line((left, 108, min(left + 13, right), 108), fill=_ACCENT, width=3)
    for column, label in enumerate((*_COLUMNS, "Mockups")[:columns]):
        left = _MARGIN_PX + column * (tile_px + _GAP_PX)
        draw.text((left + 2, 124), label, fill=_QUIET, font=ImageFont.load_default(20))


def _draw_row(sheet: Image.Image, row: SheetRow, top_px: int, tile_px: int) -> None:
    title = ImageFont.load_default(25)
    ImageDraw.Draw(sheet).text((_MARGIN_PX + 2, top_px + _TITLE_PX - 14), row.title, fill=_INK, font=title, anchor="ls")
    tiles = [
        _on_checks(_opened(row.artwork, tile_px), tile_px),
        _on_checks(_opened(row.cutout_png, tile_px), tile_px),
        _on_white(_opened(row.preview_png, tile_px), tile_px),
    ]
    tiles += [ImageOps.fit(_opened(data, tile_px).convert("RGB"), (tile_px, tile_px)) for data in row.mockups]
    for column, tile in enumerate(tiles):
        _paste(sheet, tile, (_MARGIN_PX + column * (tile_px + _GAP_PX), top_px + _TITLE_PX))


def _paste(sheet: Image.Image, tile: Image.Image, place_px: tuple[int, int]) -> None:
    """Puts a tile down with round corners and a soft shadow."""
    mask = _rounded(tile.width)
    pad = 24
    shadow = Image.new("L", (tile.width + 2 * pad, tile.height + 2 * pad), 0)
    shadow.paste(mask.point(lambda value: value * 0.22), (pad, pad + 5))
    shadow = shadow.filter(ImageFilter.GaussianBlur(8))
    sheet.paste(Image.new("RGB", shadow.size, _INK), (place_px[0] - pad, place_px[1] - pad), shadow)
    sheet.paste(tile, place_px, mask)


def _rounded(side_px: int) -> Image.Image:
    large = Image.new("L", (side_px * _OVERSAMPLING, side_px * _OVERSAMPLING), 0)
    box = (0, 0, large.width - 1, large.height - 1)
    ImageDraw.Draw(large).rounded_rectangle(box, _CORNER_PX * _OVERSAMPLING, fill=255)
    return large.resize((side_px, side_px), Image.Resampling.BOX)


def _opened(data: bytes, side_px: int) -> Image.Image:
    """A picture as RGBA, not much larger than a tile needs."""
    head = data[:1000].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"<"):
        data = resvg_py.svg_to_bytes(svg_string=data.decode("utf-8-sig"), width=2 * side_px, skip_system_fonts=True)
    with Image.open(io.BytesIO(data)) as picture:
        picture.draft("RGB", (2 * side_px, 2 * side_px))  # a JPEG is decoded smaller at once
        upright = ImageOps.exif_transpose(picture).convert("RGBA")
    upright.thumbnail((3 * side_px, 3 * side_px), Image.Resampling.BOX)
    return upright


def _on_checks(picture: Image.Image, side_px: int) -> Image.Image:
    """The picture on the pattern that stands for transparency; an opaque picture fills the tile."""
    ground = Image.new("RGB", (side_px, side_px), _CHECKS[0])
    draw = ImageDraw.Draw(ground)
    for top in range(0, side_px, _CHECK_PX):
        for left in range(top // _CHECK_PX % 2 * _CHECK_PX, side_px, 2 * _CHECK_PX):
            draw.rectangle((left, top, left + _CHECK_PX - 1, top + _CHECK_PX - 1), fill=_CHECKS[1])
    if picture.getchannel("A").getextrema()[0] == 255:
        return ImageOps.fit(picture.convert("RGB"), (side_px, side_px))
    return _contained(picture, ground)


def _on_white(picture: Image.Image, side_px: int) -> Image.Image:
    return _contained(picture, Image.new("RGB", (side_px, side_px), "white"))


def _contained(picture: Image.Image, ground: Image.Image) -> Image.Image:
    inner = ground.width - 2 * _CORNER_PX
    fitted = ImageOps.contain(picture, (inner, inner), Image.Resampling.LANCZOS)
    ground.paste(fitted, ((ground.width - fitted.width) // 2, (ground.height - fitted.height) // 2), fitted)
    return ground
