"""Reads cut lines and art back from finished files, independently of the code that wrote them."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree as ET

import ezdxf
import numpy as np
import pikepdf
from numpy.typing import NDArray
from shapely import LinearRing

PT_PER_MM: Final = 72 / 25.4
_STEPS: Final = np.linspace(0, 1, 33)[:-1]


@dataclass(frozen=True)
class PdfCut:
    """A stroked path of a PDF: its spot colour and points on it in mm, origin at the trim box's top left, y down."""

    spot: str
    points: NDArray[np.float64]


@dataclass(frozen=True)
class PdfArt:
    """The art image of a PDF: alpha, and the matrix from its pixels to mm in the same frame."""

    alpha: NDArray[np.uint8]
    mm_per_px: float
    origin_mm: tuple[float, float]

    def edge_points(self) -> NDArray[np.float64]:
        """Points in mm where alpha passes one half, between neighbouring pixels of a row or column."""
        found = []
        alpha = np.pad(self.alpha.astype(float), 1) / 255
        for axis in (0, 1):
            before = np.take(alpha, range(alpha.shape[axis] - 1), axis)
            after = np.take(alpha, range(1, alpha.shape[axis]), axis)
            rows, columns = np.nonzero((before >= 0.5) != (after >= 0.5))
            low, high = before[rows, columns], after[rows, columns]
            share = (0.5 - low) / (high - low)
            y = rows - 0.5 + (share if axis == 0 else 0)
            x = columns - 0.5 + (share if axis == 1 else 0)
            found.append(np.stack([x, y], axis=1))
        return np.asarray(np.concatenate(found) * self.mm_per_px + np.array(self.origin_mm))


class PrintPdf:
    """A print PDF opened for reading."""

    def __init__(self, data: bytes) -> None:
        self.pdf = pikepdf.open(io.BytesIO(data))
        self.page = self.pdf.pages[0]

    def box_mm(self, name: str) -> tuple[float, ...]:
        """A page box as x_min, y_min, x_max, y_max in mm."""
        return tuple(float(side) / PT_PER_MM for side in self.page[f"/{name}"])

    def layers(self) -> dict[str, Any]:
        """Layers by title."""
        return {str(group.Name): group for group in self.pdf.Root.OCProperties.OCGs}

    def instructions(self) -> list[tuple[str, list[Any]]]:
        """Every operator of the page with its operands."""
        parsed: list[Any] = list(pikepdf.parse_content_stream(self.page))
        return [(str(operator), list(operands)) for operands, operator in parsed]

    def keep_layers(self, *names: str) -> None:
        """Takes out of the page what every layer draws but these, named as its resources are."""
        kept, drop = [], False
        for operator, operands in self.instructions():
            if operator == "BDC":
                drop = str(operands[1]) not in names
            if not drop:
                kept.append((operands, pikepdf.Operator(operator)))
            if operator == "EMC":
                drop = False
        self.page.Contents = self.pdf.make_stream(pikepdf.unparse_content_stream(kept))

    def cuts(self) -> list[PdfCut]:
        """Every stroked path with its spot colour."""
        found: list[PdfCut] = []
        spot, start = "", np.zeros(2)
        points: list[NDArray[np.float64]] = []
        for operator, operands in self.instructions():
            numbers = [float(value) for value in operands] if operator in {"m", "l", "c"} else []
            match operator:
                case "CS":
                    spot = str(self.page.Resources.ColorSpace[str(operands[0])][1])[1:]
                case "m":
                    points, start = [], np.array(numbers)
                case "c":
                    control = np.concatenate([start, numbers]).reshape(4, 2)
                    points.append(_on_cubic(control))
                    start = control[3]
                case "S":
                    found.append(PdfCut(spot, self._mm(np.concatenate(points))))
        return found

    def art(self) -> PdfArt:
        """The art image where it is placed."""
        matrix: list[float] = []
        for operator, operands in self.instructions():
            if operator == "cm":
                matrix = [float(value) for value in operands]
            if operator == "Do" and str(operands[0]) == "/ImArt":
                break
        image = self.page.Resources.XObject.ImArt
        width, height = int(image.Width), int(image.Height)
        alpha = np.frombuffer(image.SMask.read_bytes(), np.uint8).reshape(height, width)
        corner = self._mm(np.array([[matrix[4], matrix[5] + matrix[3]]]))[0]
        return PdfArt(alpha, matrix[0] / PT_PER_MM / width, (float(corner[0]), float(corner[1])))

    def art_rgb(self) -> NDArray[np.uint8]:
        """The art image's colours."""
        image = self.page.Resources.XObject.ImArt
        return np.frombuffer(image.read_bytes(), np.uint8).reshape(int(image.Height), int(image.Width), 3)

    def _mm(self, points_pt: NDArray[np.float64]) -> NDArray[np.float64]:
        left, _, _, top = self.box_mm("TrimBox")
        mm = points_pt / PT_PER_MM
        return np.stack([mm[:, 0] - left, top - mm[:, 1]], axis=1)


def svg_points(data: bytes) -> list[NDArray[np.float64]]:
    """Points in mm on every path of an SVG, by its width, height and viewBox."""
    root = ET.fromstring(data)  # noqa: S314  (the project's own file)
    width, height = (float(root.attrib[name].removesuffix("mm")) for name in ("width", "height"))
    _, _, units_x, units_y = map(float, root.attrib["viewBox"].split())
    scale = np.array([width / units_x, height / units_y])
    return [path_points(path.attrib["d"]) * scale for path in root.iter("{http://www.w3.org/2000/svg}path")]


def path_points(path_data: str) -> NDArray[np.float64]:
    """Points on absolute M, C, Z path data."""
    numbers = np.array([float(number) for number in re.findall(r"-?\d+\.?\d*", path_data)]).reshape(-1, 2)
    found, start = [], numbers[0]
    for control in numbers[1:].reshape(-1, 3, 2):
        cubic = np.concatenate([start[None], control])
        found.append(_on_cubic(cubic))
        start = control[2]
    return np.concatenate(found)


def dxf_points(data: bytes) -> list[NDArray[np.float64]]:
    """Vertices in mm of every closed polyline of a DXF, y turned downwards from the drawing's top."""
    document = ezdxf.read(io.StringIO(data.decode()))  # type: ignore[attr-defined]
    lines: list[Any] = list(document.modelspace().query("LWPOLYLINE"))
    rings = [np.array(line.get_points("xy")) for line in lines if line.closed]
    top = max(ring[:, 1].max() for ring in rings)
    return [np.stack([ring[:, 0], top - ring[:, 1]], axis=1) for ring in rings]


def apart_mm(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Hausdorff distance of two closed lines given as points."""
    return float(LinearRing(first).hausdorff_distance(LinearRing(second)))


def _on_cubic(control: NDArray[np.float64]) -> NDArray[np.float64]:
    t = _STEPS[:, None]
    s = 1 - t
    return np.asarray(s**3 * control[0] + 3 * s * s * t * control[1] + 3 * s * t * t * control[2] + t**3 * control[3])
