"""What a document asks of the renderer, in time and memory, told before anything is rendered.

The renderer can neither be interrupted nor bounded from inside this process. Filters are what makes a small document
cost hours, so their work is added up from figures measured with resvg-py 0.5; what merely paints is left to the
deadline and the memory limit of the process that runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from cutline.imaging.decode.bounds import refuse_as_too_large
from cutline.imaging.decode.svg_style import numbers

MOST_SECONDS: Final = 60.0
"""Filter work above this is not begun; a job may take two minutes in all."""
MOST_BYTES: Final = 1_500_000_000
"""Canvases kept at a time; a job may take 4 GB in all."""
LEAST_SHARE: Final = 0.5
"""How far below the wanted size a heavy document is rendered rather than refused: 300 dpi instead of 600."""
_STEPS: Final = 8
_MOST_CANVASES: Final = 12.0
"""What the renderer cuts a filter region down to, in canvases."""
_BYTES_PER_PX: Final = 4

_NS: Final = 1e-9
_PRIMITIVE_S: Final = 300 * _NS
_OCTAVE_S: Final = 80 * _NS
_TAP_S: Final = 3.7 * _NS
"""Seconds a pixel of any primitive, of one octave of noise, of one cell of a matrix or a neighbourhood."""


@dataclass(frozen=True, slots=True)
class Work:
    """Seconds of rendering for each pixel of the canvas: `constant + linear * p + square * p ** 2`.

    p is how many pixels a unit has. The neighbourhood that dilation and erosion search grows with it.
    """

    constant: float = 0.0
    linear: float = 0.0
    square: float = 0.0

    def plus(self, other: Work) -> Work:
        """Both, one after the other."""
        return Work(self.constant + other.constant, self.linear + other.linear, self.square + other.square)

    def times(self, factor: float) -> Work:
        """The work on so many times the area."""
        return Work(self.constant * factor, self.linear * factor, self.square * factor)


NO_WORK: Final = Work()


@dataclass(frozen=True, slots=True)
class Load:
    """What a whole document asks for.

    Attributes:
        work: Its filters.
        magnification: How many times larger than the canvas its transforms draw at most.
        layers: Canvases kept at a time.
        widest_tile: Longer side of the largest pattern tile, in units.
    """

    work: Work
    magnification: float
    layers: float
    widest_tile: float = 0.0

    def seconds(self, px_per_unit: float, pixels: float) -> float:
        """How long its filters take at that size."""
        p = px_per_unit * self.magnification
        return pixels * (self.work.constant + self.work.linear * p + self.work.square * p * p)

    def size_bytes(self, px_per_unit: float, pixels: float) -> float:
        """What its layers and its largest pattern tile take at that size."""
        tile_px = (self.widest_tile * px_per_unit * self.magnification) ** 2
        return _BYTES_PER_PX * (self.layers * pixels + tile_px)

    def affordable_share(self, px_per_unit: float, pixels: float) -> float:
        """The largest share of that size, 1 down to LEAST_SHARE, at which the document is affordable.

        Raises:
            ArtworkError: ARTWORK_TOO_LARGE where none is.
        """
        for step in range(_STEPS):
            share = 1 - (1 - LEAST_SHARE) * step / _STEPS
            if self._is_affordable(px_per_unit * share, pixels * share * share):
                return share
        least = (px_per_unit * LEAST_SHARE, pixels * LEAST_SHARE**2)
        if not self._is_affordable(*least):
            self._refuse(*least)
        return LEAST_SHARE

    def _is_affordable(self, px_per_unit: float, pixels: float) -> bool:
        size = (px_per_unit, pixels)
        return self.seconds(*size) <= MOST_SECONDS and self.size_bytes(*size) <= MOST_BYTES

    def _refuse(self, px_per_unit: float, pixels: float) -> NoReturn:
        seconds, gigabytes = self.seconds(px_per_unit, pixels), self.size_bytes(px_per_unit, pixels) / 1e9
        if seconds > MOST_SECONDS:
            refuse_as_too_large(f"SVG filters that take about {seconds:,.0f} s to render", f"{MOST_SECONDS:g} s")
        what = f"SVG groups, filters and patterns that take {gigabytes:,.1f} GB to render"
        refuse_as_too_large(what, f"{MOST_BYTES / 1e9:g} GB")


def primitive_work(name: str, attributes: Mapping[str, str], *, canvas_units: float, in_boxes: bool) -> Work:
    """What one filter primitive asks for.

    Args:
        name: Element name without prefix, such as feGaussianBlur.
        attributes: Its attributes.
        canvas_units: Longer side of the canvas.
        in_boxes: Whether lengths are shares of the filtered element's box, which is taken to be the canvas.
    """
    if not name.startswith("fe") or name.startswith(("feFunc", "feMergeNode")) or name.endswith("Light"):
        return NO_WORK
    base = Work(_PRIMITIVE_S)
    if name == "feTurbulence":
        octaves = max(numbers(attributes.get("numOctaves", "")), default=1.0)
        return base.plus(Work(_OCTAVE_S * octaves))
    if name == "feConvolveMatrix":
        order = numbers(attributes.get("order", "")) or [3.0]
        return base.plus(Work(_TAP_S * order[0] * order[-1]))
    if name == "feMorphology":
        radii = numbers(attributes.get("radius", "")) or [0.0]
        unit = canvas_units if in_boxes else 1.0
        across, down = 2 * radii[0] * unit, 2 * radii[-1] * unit
        return base.plus(Work(_TAP_S, _TAP_S * (across + down), _TAP_S * across * down))
    return base


def region_canvases(attributes: Mapping[str, str], *, canvas_units: float) -> float:
    """How many canvases a filter's region covers at most, from 1 up to what the renderer cuts it down to."""
    unit = canvas_units if attributes.get("filterUnits") == "userSpaceOnUse" else 1.0
    sides = [_share(attributes.get(key, "120%"), unit) for key in ("width", "height")]
    return min(max(sides[0] * sides[1] / 1.44, 1.0), _MOST_CANVASES)


def _share(text: str, unit: float) -> float:
    found = numbers(text)
    if not found:
        return 1.2
    return found[0] / 100 if text.strip().endswith("%") else found[0] / unit
