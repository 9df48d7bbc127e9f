"""Finds in finished files what makes printers send cut lines back: open, covered, nested and filled paths.

Written against the formats, not against the code that writes them: it knows nothing of how Cutline draws.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations
from typing import Any, Final
from xml.etree import ElementTree as ET

import ezdxf
import numpy as np
from numpy.typing import NDArray
from shapely import LinearRing, Polygon, box
from shapely.geometry.base import BaseGeometry

from tests.support.pdf_paint import Paint, paints_of
from tests.support.print_files import path_points

_SVG: Final = "{http://www.w3.org/2000/svg}"


class Failure(StrEnum):
    """Why a cut line cannot be cut as it is."""

    OPEN = "OPEN"
    COVERED = "COVERED"
    NESTED = "NESTED"
    FILLED = "FILLED"


@dataclass
class _Findings:
    """What was found so far, and the cut paths by spot."""

    failures: set[Failure] = field(default_factory=set)
    paths: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)

    def add_path(self, spot: str, points: NDArray[np.float64], *, closed: bool) -> None:
        """Notes a cut path."""
        if not closed:
            self.failures.add(Failure.OPEN)
        self.paths.setdefault(spot, []).append(points)

    def cover(self, region: BaseGeometry) -> None:
        """Notes something that is painted now, over the cut paths there are."""
        if any(LinearRing(path).intersects(region) for paths in self.paths.values() for path in paths):
            self.failures.add(Failure.COVERED)

    def told(self, *, inner_cuts: int) -> frozenset[Failure]:
        """The failures, with those between paths of one spot."""
        if not self.paths:
            message = "the file has no cut path at all"
            raise AssertionError(message)
        inside = 0
        for paths in self.paths.values():
            for first, second in combinations(paths, 2):
                if LinearRing(first).intersects(LinearRing(second)):
                    self.failures.add(Failure.NESTED)
                elif Polygon(first).contains(Polygon(second)) or Polygon(second).contains(Polygon(first)):
                    inside += 1
        if inside > inner_cuts:
            self.failures.add(Failure.NESTED)
        return frozenset(self.failures)


def pdf_failures(data: bytes, spots: Iterable[str], *, inner_cuts: int = 0) -> frozenset[Failure]:
    """The failures of a print PDF.

    Args:
        data: The file.
        spots: Names of the spot colours that are cut.
        inner_cuts: How many paths may lie inside another one of their spot.
    """
    wanted, found = frozenset(spots), _Findings()
    for paint in paints_of(data):
        if paint.fill_spot in wanted:
            found.failures.add(Failure.FILLED)
        if paint.stroke_spot in wanted:
            for ring, closed in paint.subpaths:
                found.add_path(paint.stroke_spot, ring, closed=closed)
            if not paint.shown:
                found.failures.add(Failure.COVERED)
        else:
            _cover(found, paint)
    return found.told(inner_cuts=inner_cuts)


def _cover(found: _Findings, paint: Paint) -> None:
    if found.paths:
        found.cover(paint.region())


def svg_failures(data: bytes, *, inner_cuts: int = 0) -> frozenset[Failure]:
    """The failures of a cut line SVG, whose groups carry their spot colour as `data-spot`."""
    found = _Findings()
    _read_svg(ET.fromstring(data), {"fill": "black"}, found)  # noqa: S314  (the project's own file)
    return found.told(inner_cuts=inner_cuts)


def _read_svg(element: ET.Element, inherited: dict[str, str], found: _Findings) -> None:
    style = inherited | {name: element.attrib[name] for name in ("fill", "data-spot") if name in element.attrib}
    if element.tag == f"{_SVG}path" and "data-spot" in style:
        if style["fill"] != "none":
            found.failures.add(Failure.FILLED)
        for part in filter(None, element.attrib["d"].split("M")):
            found.add_path(style["data-spot"], path_points(part), closed=part.rstrip().endswith("Z"))
    elif element.tag in {f"{_SVG}rect", f"{_SVG}image"}:
        left, top, width, height = (float(element.attrib[name]) for name in ("x", "y", "width", "height"))
        found.cover(box(left, top, left + width, top + height))
    for child in element:
        _read_svg(child, style, found)


def dxf_failures(data: bytes, layers: Iterable[str], *, inner_cuts: int = 0) -> frozenset[Failure]:
    """The failures of a cut line DXF, whose layers are named as the spot colours."""
    wanted, found = frozenset(layers), _Findings()
    entities: list[Any] = list(ezdxf.read(io.StringIO(data.decode())).modelspace())  # type: ignore[attr-defined]
    for entity in entities:
        match entity.dxftype():
            case "LWPOLYLINE":
                assert entity.dxf.layer in wanted
                found.add_path(entity.dxf.layer, np.array(entity.get_points("xy")), closed=entity.closed)
            case "HATCH" if entity.dxf.layer in wanted:
                found.failures.add(Failure.FILLED)
            case "HATCH":
                found.cover(Polygon([(x, y) for x, y, *_ in entity.paths[0].vertices]))
            case other:
                message = f"{other} does not belong in a cut file"
                raise AssertionError(message)
    return found.told(inner_cuts=inner_cuts)
