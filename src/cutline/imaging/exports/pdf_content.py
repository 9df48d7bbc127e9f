"""Content stream operators for shapes given in mm in the trim frame (y down)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon

from cutline.domain.outputs import BoxMm
from cutline.imaging.cut_line.bezier import BezierPath

PT_PER_MM: Final = 72 / 25.4


@dataclass(frozen=True, slots=True)
class PageFrame:
    """Where the trim frame lies on the page: the trim box's height and the bleed around it, in mm."""

    height_mm: float
    bleed_mm: float

    def point(self, x_mm: float, y_mm: float) -> str:
        """A point as page coordinates in points, y up."""
        x, y = (x_mm + self.bleed_mm) * PT_PER_MM, (self.height_mm + self.bleed_mm - y_mm) * PT_PER_MM
        return f"{_number(x)} {_number(y)}"

    def bezier(self, path: BezierPath) -> str:
        """Operators that build a closed path of curves."""
        operators = [f"{self.point(*path.control[0, 0])} m"]
        operators += [
            f"{self.point(*first)} {self.point(*second)} {self.point(*end)} c"
            for _, first, second, end in path.control.tolist()
        ]
        return "\n".join([*operators, "h"])

    def polygons(self, shape: MultiPolygon) -> str:
        """Operators that build the rings of polygons; to be filled or clipped by the even-odd rule."""
        rings = (ring for part in shape.geoms for ring in (part.exterior, *part.interiors))
        return "\n".join(self._ring(shapely.get_coordinates(ring)[:-1]) for ring in rings)

    def _ring(self, points_mm: NDArray[np.float64]) -> str:
        """Polygons have thousands of points, which are written at once, to a thousandth of a point."""
        offset = (self.bleed_mm, -self.height_mm - self.bleed_mm)
        points = (points_mm + offset) * (PT_PER_MM, -PT_PER_MM)
        # Adding 0 turns -0 into 0.
        first, *rest = (f"{x:.3f} {y:.3f}" for x, y in (points.round(3) + 0.0).tolist())
        return "\n".join([f"{first} m", *(f"{point} l" for point in rest), "h"])

    def image(self, name: str, box: BoxMm) -> str:
        """Operators that draw an image over a box."""
        width, height = _number(box.width_mm * PT_PER_MM), _number(box.height_mm * PT_PER_MM)
        corner = self.point(box.x_mm, box.y_mm + box.height_mm)
        return f"q {width} 0 0 {height} {corner} cm /{name} Do Q"


def in_layer(name: str, *operators: str) -> str:
    """The operators as content of a layer, their graphics state kept to themselves."""
    return "\n".join([f"/OC /{name} BDC", "q", *filter(None, operators), "Q", "EMC"])


def clipped(path: str) -> str:
    """Clips what follows to the path."""
    return f"{path}\nW* n"


def _number(value: float) -> str:
    text = f"{value:.5f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
