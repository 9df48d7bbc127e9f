"""Follows a PDF page's content stream and tells everything that is painted, in order.

Knows the operators of ISO 32000-1 for paths, clips, colours, images and marked content; others that paint are refused.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import pikepdf
import shapely
from numpy.typing import NDArray
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

PT_PER_MM: Final = 72 / 25.4
_T: Final = np.linspace(0, 1, 25)[1:, None]
_FILLS: Final = frozenset({"f", "F", "f*", "B", "B*", "b", "b*"})
_STROKES: Final = frozenset({"S", "s", "B", "B*", "b", "b*"})
_CLOSE: Final = frozenset({"h", "s", "b", "b*"})
_UNKNOWN: Final = frozenset({"sh", "BI", "Tj", "TJ", "'", '"'})
Subpath = tuple[NDArray[np.float64], bool]


@dataclass(frozen=True)
class Paint:
    """One act of painting; coordinates in mm from the page's bottom left corner, y up.

    Attributes:
        fill_spot: Spot colour that fills; None where nothing is filled, "" for other colours.
        stroke_spot: The same of the stroke.
        subpaths: Points of each subpath, and whether it was closed.
        clip: Where painting shows.
        shown: Whether its layer is switched on.
    """

    fill_spot: str | None
    stroke_spot: str | None
    subpaths: tuple[Subpath, ...]
    clip: BaseGeometry | None
    shown: bool

    def region(self) -> BaseGeometry:
        """What is covered."""
        region = _even_odd(self.subpaths)
        return region if self.clip is None else region.intersection(self.clip)


@dataclass(frozen=True)
class _State:
    matrix: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    fill: str = ""
    stroke: str = ""
    clip: BaseGeometry | None = None


def paints_of(data: bytes) -> Iterator[Paint]:
    """Everything the first page paints, in order."""
    return _Reader(pikepdf.open(io.BytesIO(data))).run()


class _Reader:
    """The state of the page while its operators are followed."""

    def __init__(self, pdf: pikepdf.Pdf) -> None:
        self._pdf = pdf  # its objects die with it
        self._page = pdf.pages[0]
        default = pdf.Root.OCProperties.D
        self._hidden = {group.objgen for group in default.OFF} if "/OFF" in default else set()
        self._state, self._saved = _State(), list[_State]()
        self._path: list[tuple[list[NDArray[np.float64]], bool]] = []
        self._layers: list[bool] = []
        self._clips = False

    def run(self) -> Iterator[Paint]:
        """Follows the operators."""
        instructions: list[Any] = list(pikepdf.parse_content_stream(self._page))
        for operands, operator in instructions:
            name = str(operator)
            if name in _UNKNOWN:
                message = f"{name} does not belong in a print file of this project"
                raise AssertionError(message)
            handler = _HANDLERS.get(name)
            if handler is not None:
                handler(self, list(operands))
            if name in _CLOSE and self._path:
                self._path[-1] = (self._path[-1][0], True)
            if name in _FILLS or name in _STROKES:
                yield self._painted(name)
            if name == "Do":
                corners = self._points([0, 0, 1, 0, 1, 1, 0, 1])
                yield Paint("", None, ((corners, True),), self._state.clip, all(self._layers))
            if name in _FILLS or name in _STROKES or name == "n":
                self._end_path()

    def _painted(self, name: str) -> Paint:
        return Paint(
            self._state.fill if name in _FILLS else None,
            self._state.stroke if name in _STROKES else None,
            self._subpaths(),
            self._state.clip,
            all(self._layers),
        )

    def _subpaths(self) -> tuple[Subpath, ...]:
        return tuple((np.concatenate(parts), closed) for parts, closed in self._path)

    def _end_path(self) -> None:
        if self._clips:
            region = _even_odd(self._subpaths())
            clip = self._state.clip
            self._state = replace(self._state, clip=region if clip is None else clip.intersection(region))
        self._path, self._clips = [], False

    def _points(self, numbers: list[Any]) -> NDArray[np.float64]:
        points = np.array([float(number) for number in numbers]).reshape(-1, 2)
        return np.asarray((np.c_[points, np.ones(len(points))] @ self._state.matrix)[:, :2] / PT_PER_MM)

    def save(self, _: list[Any]) -> None:
        self._saved.append(self._state)

    def restore(self, _: list[Any]) -> None:
        self._state = self._saved.pop()

    def concatenate(self, numbers: list[Any]) -> None:
        a, b, c, d, e, f = (float(number) for number in numbers)
        matrix = np.array([(a, b, 0), (c, d, 0), (e, f, 1)]) @ self._state.matrix
        self._state = replace(self._state, matrix=matrix)

    def move(self, numbers: list[Any]) -> None:
        self._path.append(([self._points(numbers)], False))

    def line(self, numbers: list[Any]) -> None:
        self._path[-1][0].append(self._points(numbers))

    def curve(self, numbers: list[Any]) -> None:
        start, (first, second, end) = self._path[-1][0][-1][-1], self._points(numbers)
        s = 1 - _T
        self._path[-1][0].append(s**3 * start + 3 * s * s * _T * first + 3 * s * _T * _T * second + _T**3 * end)

    def rectangle(self, numbers: list[Any]) -> None:
        x, y, width, height = (float(number) for number in numbers)
        corners = self._points([x, y, x + width, y, x + width, y + height, x, y + height])
        self._path.append(([corners], True))

    def fill_space(self, names: list[Any]) -> None:
        self._state = replace(self._state, fill=self._spot(str(names[0])))

    def stroke_space(self, names: list[Any]) -> None:
        self._state = replace(self._state, stroke=self._spot(str(names[0])))

    def fill_device(self, _: list[Any]) -> None:
        self._state = replace(self._state, fill="")

    def stroke_device(self, _: list[Any]) -> None:
        self._state = replace(self._state, stroke="")

    def clip(self, _: list[Any]) -> None:
        self._clips = True

    def begin_layer(self, operands: list[Any]) -> None:
        shown = True
        if str(operands[0]) == "/OC":
            shown = self._page.Resources.Properties[str(operands[1])].objgen not in self._hidden
        self._layers.append(shown)

    def end_layer(self, _: list[Any]) -> None:
        self._layers.pop()

    def _spot(self, name: str) -> str:
        space = self._page.Resources.ColorSpace.get(name)
        if isinstance(space, pikepdf.Array) and str(space[0]) == "/Separation":
            return str(space[1])[1:]
        return ""


_HANDLERS: Final[dict[str, Callable[[_Reader, list[Any]], None]]] = {
    "q": _Reader.save,
    "Q": _Reader.restore,
    "cm": _Reader.concatenate,
    "m": _Reader.move,
    "l": _Reader.line,
    "c": _Reader.curve,
    "re": _Reader.rectangle,
    "cs": _Reader.fill_space,
    "CS": _Reader.stroke_space,
    **dict.fromkeys(("g", "rg", "k"), _Reader.fill_device),
    **dict.fromkeys(("G", "RG", "K"), _Reader.stroke_device),
    "W": _Reader.clip,
    "W*": _Reader.clip,
    "BDC": _Reader.begin_layer,
    "BMC": _Reader.begin_layer,
    "EMC": _Reader.end_layer,
}


def _even_odd(subpaths: tuple[Subpath, ...]) -> BaseGeometry:
    region: BaseGeometry = Polygon()
    for points, _ in subpaths:
        region = shapely.symmetric_difference(region, shapely.make_valid(Polygon(points)))
    return region
