"""The plot of a launch day: submits, designs that wait, pods, and what waiting less costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from bench.scale.assumptions import LaunchDay
from bench.scale.scenarios import Row

SIZE_PX: Final = (1200, 1420)
_SCALE: Final = 2
"""Drawn so much larger and made smaller at the end: lines without steps."""
_LEFT, _RIGHT, _GAP, _TOP = 100, 40, 74, 96
_HEIGHTS: Final = (150, 330, 260, 250)
_INK, _FAINT, _GRID, _FILL = "#22272e", "#6b7480", "#e4e7eb", "#cfd8e3"
_COLORS: Final = ("#7b3294", "#2b6cb0", "#1b9e77", "#e08214", "#c0392b", "#555555")
_DOT_PX: Final = 8
_FONT: Final = {"title": 24, "label": 15, "tick": 14}


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear or logarithmic axis from a value to a value, ends included."""

    low: float
    high: float
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, 0 to 1; beyond the ends it stays at them."""
        if self.logarithmic:
            value = math.log10(max(value, self.low) / self.low) / math.log10(self.high / self.low)
        else:
            value = (value - self.low) / (self.high - self.low)
        return max(0.0, min(1.0, value))

    def ticks(self) -> list[float]:
        """Round values to write beside it: powers of ten, or about five steps of 1, 2 or 5."""
        if self.logarithmic:
            first, last = round(math.log10(self.low)), math.floor(math.log10(self.high) + 1e-9)
            return [10.0**power for power in range(first, last + 1)]
        rough = (self.high - self.low) / 5
        unit = 10.0 ** math.floor(math.log10(rough))
        step = unit * min((1, 2, 5, 10), key=lambda each: abs(each * unit - rough))
        return [step * number for number in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]


class Panel:
    """A frame with axes; coordinates in pixels of the finished picture."""

    def __init__(self, draw: ImageDraw.ImageDraw, top: int, height: int, x: Axis, y: Axis) -> None:
        self._draw = draw
        self._top = top
        self._height = height
        self._x = x
        self._y = y

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies on the large canvas."""
        width = SIZE_PX[0] - _LEFT - _RIGHT
        left = _LEFT + width * self._x.share(x)
        top = self._top + self._height * (1 - self._y.share(y))
        return _SCALE * left, _SCALE * top

    def frame(self, title: str, x_label: str) -> None:
        """Title, grid, ticks and the name of the horizontal axis."""
        _text(self._draw, (_LEFT, self._top - 30), title, "label", _INK)
        for value in self._y.ticks():
            (left, y), (right, _) = self.place(self._x.low, value), self.place(self._x.high, value)
            self._draw.line((left, y, right, y), _GRID, _SCALE)
            _text(self._draw, (_LEFT - 12, y / _SCALE), _number(value), "tick", _FAINT, anchor="rm")
        bottom = self._top + self._height
        for value in self._x.ticks():
            x, _ = self.place(value, self._y.low)
            self._draw.line((x, _SCALE * bottom, x, _SCALE * (bottom + 5)), _FAINT, _SCALE)
            _text(self._draw, (x / _SCALE, bottom + 9), _number(value), "tick", _FAINT, anchor="ma")
        self._draw.line((*self.place(self._x.low, self._y.low), *self.place(self._x.high, self._y.low)), _FAINT, _SCALE)
        _text(self._draw, (SIZE_PX[0] - _RIGHT, bottom + 28), x_label, "tick", _FAINT, anchor="ra")

    def line(self, points: Sequence[tuple[float, float]], color: str, width: int = 2) -> None:
        """A line through points."""
        self._draw.line([self.place(*point) for point in points], color, width * _SCALE, joint="curve")

    def area(self, points: Sequence[tuple[float, float]], color: str) -> None:
        """What lies below a line through points."""
        ends = [self.place(points[-1][0], self._y.low), self.place(points[0][0], self._y.low)]
        self._draw.polygon([*(self.place(*point) for point in points), *ends], fill=color)

    def dot(self, point: tuple[float, float], color: str, label: str) -> None:
        """A dot with its name beside it."""
        x, y = self.place(*point)
        radius = _DOT_PX * _SCALE
        self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), color, "white", _SCALE)
        is_low = y / _SCALE > self._top + self._height - 2 * _DOT_PX  # beside it, the label would lie on the axis
        place = (x / _SCALE, y / _SCALE - 12) if is_low else (x / _SCALE + 14, y / _SCALE)
        _text(self._draw, place, label, "tick", _INK, anchor="mb" if is_low else "lm")


def write_chart(rows: Sequence[Row], day: LaunchDay, path: Path) -> None:
    """Draws the thresholds of the rows; other scenarios are left to the table."""
    shown = [row for row in rows if row.name.startswith("threshold")]
    picture = Image.new("RGB", (SIZE_PX[0] * _SCALE, SIZE_PX[1] * _SCALE), "white")
    draw = ImageDraw.Draw(picture)
    colors = dict(zip((row.name for row in shown), _COLORS, strict=False))
    end_s = day.duration_s + 600
    minutes = Axis(0, end_s / 60)
    _text(draw, (_LEFT, 16), "A launch day: designs that wait, and the pods they bring", "title", _INK)
    _legend(draw, colors)
    tops = [_TOP + 40 + sum(_HEIGHTS[:number]) + number * _GAP for number in range(len(_HEIGHTS))]

    panel = Panel(draw, tops[0], _HEIGHTS[0], minutes, Axis(0, 1.1 * day.base_per_s * day.peak_factor))
    panel.frame("designs submitted a second", "minutes")
    looks_s = [5.0 * step for step in range(int(end_s / 5) + 1)]
    panel.area([(at_s / 60, day.rate_per_s(at_s) if at_s < day.duration_s else 0.0) for at_s in looks_s], _FILL)

    most = max(max(row.series["imaging waiting"]) for row in shown)
    panel = Panel(draw, tops[1], _HEIGHTS[1], minutes, Axis(1, 10 ** math.ceil(math.log10(most + 1)), logarithmic=True))
    panel.frame("designs in imaging or waiting for it, at the broker and in the database (logarithmic)", "minutes")
    _lines(panel, shown, colors, "imaging waiting", end_s)

    panel = Panel(
        draw, tops[2], _HEIGHTS[2], minutes, Axis(0, 1.1 * max(max(row.series["imaging pods"]) for row in shown))
    )
    panel.frame("imaging pods that are ready", "minutes")
    _lines(panel, shown, colors, "imaging pods", end_s)

    _trade(draw, tops[3], [row for row in rows if row in shown or row.name.startswith("no autoscaler")], colors)
    picture.resize(SIZE_PX, Image.Resampling.LANCZOS).save(path, "PNG", optimize=True)


def _lines(panel: Panel, rows: Sequence[Row], colors: dict[str, str], name: str, end_s: float) -> None:
    for row in rows:
        step_s = row.series["step_s"][0]
        points = [(number * step_s / 60, value) for number, value in enumerate(row.series[name])]
        panel.line([point for point in points if point[0] <= end_s / 60], colors[row.name])


def _trade(draw: ImageDraw.ImageDraw, top: int, rows: Sequence[Row], colors: dict[str, str]) -> None:
    """What a shorter wait costs: one dot a threshold, a grey one without an autoscaler."""
    hours, waits_s = [row.core_hours for row in rows], [row.wait_p99_s for row in rows]
    across = Axis(0.9 * min(hours), min(hours) + 1.25 * (max(hours) - min(hours)) + 1)
    panel = Panel(draw, top, _HEIGHTS[3], across, Axis(0, 1.15 * max(waits_s)))
    panel.frame("seconds within which 99 of 100 designs begin", "core hours of imaging and mockup")
    for row in rows:
        is_threshold = row.name in colors
        label = f"{row.threshold:g}" if is_threshold else row.name
        panel.dot((row.core_hours, row.wait_p99_s), colors.get(row.name, _FAINT), label)


def _legend(draw: ImageDraw.ImageDraw, colors: dict[str, str]) -> None:
    x = float(_LEFT)
    _text(draw, (x, 58), "lag for each pod:", "label", _FAINT)
    x += 130
    for name, color in colors.items():
        label = name.removeprefix("threshold ")
        draw.line((_SCALE * x, _SCALE * 67, _SCALE * (x + 26), _SCALE * 67), color, 4 * _SCALE)
        _text(draw, (x + 34, 58), label, "label", _INK)
        x += 62 + draw.textlength(label, _font("label")) / _SCALE


def _text(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size: str, color: str, *, anchor: str = "la"
) -> None:
    draw.text((_SCALE * place[0], _SCALE * place[1]), text, color, _font(size), anchor=anchor)


def _font(size: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_SCALE * _FONT[size])


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 or value == 0 else f"{value:g}"
