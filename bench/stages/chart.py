"""The steps as a picture: one bar per case, in units of its codec floor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from bench.stages.measure import CaseFigures
from bench.stages.verdicts import MOST_RATIO

_COLORS: Final = (
    "#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#edc948",
    "#b07aa1", "#ff9da7", "#9c755f", "#bab0ac", "#d37295", "#86bcb6",
)  # fmt: skip
_ROW_PX: Final = 30
_BAR_PX: Final = 18
_LABEL_PX: Final = 330
_FLOOR_PX: Final = 190
_MARGIN_PX: Final = 20
_LEGEND_PX: Final = 60
_END_PX: Final = 130
_INK: Final = "#222222"
_MOST_SHOWN: Final = 6.0
"""Longer bars end here; their figure says how long they are."""


def write_chart(measured: Sequence[CaseFigures], path: Path) -> None:
    """Draws the bars; a black mark stands where each case's bound is."""
    steps = list(dict.fromkeys(name for one in measured for name in one.steps))
    colors = dict(zip(steps, _COLORS, strict=False))
    longest = min(_MOST_SHOWN, max(one.ratio for one in measured))
    width = _LABEL_PX + round(_FLOOR_PX * max(longest, *MOST_RATIO.values())) + _END_PX
    height = _LEGEND_PX + _ROW_PX * len(measured) + 2 * _MARGIN_PX
    picture = Image.new("RGB", (width, height), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    _draw_legend(draw, font, colors, width)
    for row, one in enumerate(measured):
        _draw_bar(draw, font, one, colors, _MARGIN_PX + _LEGEND_PX + row * _ROW_PX)
    path.parent.mkdir(exist_ok=True)
    picture.save(path, "PNG", optimize=True)


def _draw_legend(
    draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, colors: dict[str, str], width: int
) -> None:
    x, y = _MARGIN_PX, _MARGIN_PX
    for name, color in colors.items():
        needed = round(draw.textlength(name, font)) + 34
        if x + needed > width - _MARGIN_PX:
            x, y = _MARGIN_PX, y + 22
        draw.rectangle((x, y + 2, x + 12, y + 14), fill=color)
        draw.text((x + 18, y), name, _INK, font)
        x += needed
    draw.text((x, y), "1 = decode once + encode the cutout once", _INK, font)


def _draw_bar(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    one: CaseFigures,
    colors: dict[str, str],
    top: int,
) -> None:
    draw.text((_MARGIN_PX, top), one.case.name, _INK if one.case.is_bounded else "#888888", font)
    # Steps share the bar as they share the run; its length is the ratio.
    unit = _FLOOR_PX * one.ratio / sum(step.wall_s for step in one.steps.values())
    x = float(_LABEL_PX)
    for name, step in one.steps.items():
        end = min(x + step.wall_s * unit, _LABEL_PX + _FLOOR_PX * _MOST_SHOWN)
        draw.rectangle((round(x), top, max(round(x), round(end) - 1), top + _BAR_PX), fill=colors[name])
        x = end
    draw.text((round(x) + 8, top), f"{one.ratio:.2f}  {1000 * one.total_s:.0f} ms", _INK, font)
    if one.case.is_bounded:
        bound = _LABEL_PX + round(_FLOOR_PX * MOST_RATIO[one.case.upload.megapixels])
        draw.line((bound, top - 4, bound, top + _BAR_PX + 4), fill="black", width=2)
