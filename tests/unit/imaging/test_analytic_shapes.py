"""Cut lines of shapes known exactly: drawn at real resolutions, against their exact offset closed with the radius.

Where the border is smaller than the radius, the exact line is also opened with it, as the engine says it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from shapely import MultiPolygon, Point, Polygon, affinity, box
from shapely.geometry.base import BaseGeometry

from cutline.domain.sticker_spec import IslandPolicy, StickerSpec, resolve
from cutline.imaging.cut_line.build import build_cut_line
from cutline.imaging.cut_line.model import CutLine
from cutline.imaging.cut_line.scale import longer_side_mm
from cutline.imaging.outline import trace_outline

QUADRANT_SEGMENTS: Final = 256
FINER: Final = 16
PAD_PX: Final = 4
OFF_GRID_PX: Final = (0.37, 0.61)
BORDERS_MM: Final = (3.0, 1.0, 0.0, -1.0)
MIN_RADIUS_MM: Final = 1.0
SOFT_BOUND_MM: Final = 0.05
STEP_MM: Final = 0.03
MM_PER_INCH: Final = 25.4


def _round(x: float, y: float, radius: float) -> Polygon:
    return Point(x, y).buffer(radius, quad_segs=QUADRANT_SEGMENTS)


def _star() -> Polygon:
    angles = np.arange(10) * np.pi / 5
    radii = np.where(np.arange(10) % 2, 8.0, 20.0)
    return Polygon(np.stack([radii * np.sin(angles), -radii * np.cos(angles)], axis=1))


SHAPES: Final[dict[str, BaseGeometry]] = {
    "disc": _round(0, 0, 20),
    "square": box(-18, -18, 18, 18),
    "turned square": affinity.rotate(box(-18, -18, 18, 18), 20),
    "ring": _round(0, 0, 20).difference(_round(0, 0, 9)),
    "star": _star(),
    "two discs": MultiPolygon([_round(-11, 0, 10), _round(11.5, 3, 9)]),
}


@dataclass(frozen=True)
class Drawn:
    """Pixels of a shape, and the shape in their coordinates."""

    rgba: NDArray[np.uint8]
    shape_px: BaseGeometry


@cache
def drawn(name: str, dpi: int, *, is_hard: bool) -> Drawn:
    """The shape drawn off the pixel grid; each alpha is the share of the pixel that is covered, or its rounding."""
    shape_mm = SHAPES[name]
    scale = dpi / MM_PER_INCH
    x_min, y_min, x_max, y_max = shape_mm.bounds
    shift = np.array([PAD_PX + OFF_GRID_PX[0] - x_min * scale, PAD_PX + OFF_GRID_PX[1] - y_min * scale])
    shape_px = shapely.transform(shape_mm, lambda points: points * scale + shift)
    width, height = int((x_max - x_min) * scale) + 2 * PAD_PX + 2, int((y_max - y_min) * scale) + 2 * PAD_PX + 2
    mask = Image.new("L", (width * FINER, height * FINER))
    pen = ImageDraw.Draw(mask)
    for part in shapely.get_parts(shape_px):
        for ring, level in ((part.exterior, 255), *((hole, 0) for hole in part.interiors)):
            # Pillow's polygon points are pixel centres.
            pen.polygon([(x * FINER - 0.5, y * FINER - 0.5) for x, y in ring.coords], fill=level)
    alpha = np.asarray(mask).reshape(height, FINER, width, FINER).mean(axis=(1, 3))
    rgba = np.full((height, width, 4), 255, np.uint8)
    rgba[..., 3] = np.where(alpha >= 127.5, 255, 0) if is_hard else alpha.round()
    return Drawn(rgba, shape_px)


def cut(art: Drawn, width_mm: float, border_mm: float) -> CutLine:
    """The cut line without smoothing, pieces apart."""
    spec = resolve(
        StickerSpec(
            border_mm=border_mm,
            width_mm=width_mm,
            smoothing=0.0,
            min_radius_mm=MIN_RADIUS_MM,
            island_policy=IslandPolicy.KEEP,
        )
    )
    outline = trace_outline(art.rgba, alpha_threshold=0.5, longer_side_mm=longer_side_mm(spec))
    return build_cut_line(outline, spec)


def right_line(shape_mm: BaseGeometry, border_mm: float) -> BaseGeometry:
    """The exact offset of a shape, closed with the least radius, and opened where the border is smaller than that."""
    line = _closed(_offset(_filled(shape_mm), border_mm))
    if border_mm < MIN_RADIUS_MM:
        line = _closed(_offset(_offset(line, -MIN_RADIUS_MM), MIN_RADIUS_MM))
    return line


def bound_mm(name: str, dpi: int, border_mm: float, *, is_hard: bool) -> float:
    """How far a line may lie from the exact one: 0.05 mm, or a pixel of a hard edge.

    Where closing only just bridges a gap, the neck's width follows the gap's many times over. Hard edges tell where the
    art ends to half a pixel, so there the line may lie as far off as half a pixel more of art would move it.
    """
    if not is_hard:
        return SOFT_BOUND_MM
    pixel_mm = MM_PER_INCH / dpi
    if (name, border_mm) != ("two discs", 1.0):
        return pixel_mm
    shape = SHAPES[name]
    exact, wider = right_line(shape, border_mm), right_line(_offset(shape, pixel_mm / 2), border_mm)
    return float(shapely.distance(exact.boundary, _points(wider.boundary)).max())


def _offset(shape: BaseGeometry, distance_mm: float) -> BaseGeometry:
    return shape.buffer(distance_mm, quad_segs=QUADRANT_SEGMENTS) if distance_mm else shape


def _closed(shape: BaseGeometry) -> BaseGeometry:
    return _filled(_offset(_filled(_offset(_filled(shape), MIN_RADIUS_MM)), -MIN_RADIUS_MM))


def _filled(shape: BaseGeometry) -> BaseGeometry:
    return shapely.union_all([Polygon(part.exterior) for part in shapely.get_parts(shape)])


def _points(boundary: BaseGeometry) -> NDArray[np.object_]:
    return np.asarray(shapely.points(shapely.get_coordinates(shapely.segmentize(boundary, STEP_MM))))


@pytest.mark.parametrize("border_mm", BORDERS_MM)
@pytest.mark.parametrize("is_hard", [False, True], ids=["antialiased", "hard"])
@pytest.mark.parametrize("dpi", [150, 300, 600])
@pytest.mark.parametrize("name", SHAPES)
def test_the_cut_line_is_the_exact_offset(name: str, dpi: int, border_mm: float, *, is_hard: bool) -> None:
    """Looked at from either side, line and exact offset lie within 0.05 mm, or within a pixel of a hard edge."""
    x_min, _, x_max, _ = right_line(SHAPES[name], border_mm).bounds
    art = drawn(name, dpi, is_hard=is_hard)
    line = cut(art, x_max - x_min, border_mm)

    face = shapely.union_all([Polygon(path.flattened(0.0005)) for path in line.finished])
    shape = shapely.transform(art.shape_px, lambda points: points * line.mm_per_px + line.canvas_origin_mm)
    right = right_line(shape, border_mm)
    ours, exact = _points(face.boundary), _points(right.boundary)
    bound = bound_mm(name, dpi, border_mm, is_hard=is_hard)
    assert shapely.distance(right.boundary, ours).max() <= bound
    assert shapely.distance(face.boundary, exact).max() <= bound
    assert shapely.distance(face, exact).max() <= min(bound, max(SOFT_BOUND_MM, MM_PER_INCH / dpi))
    traced = _points(right_line(line.art, border_mm).boundary)
    assert shapely.distance(face, traced).max() <= SOFT_BOUND_MM
    assert min(path.tightest[0] for path in line.finished) >= MIN_RADIUS_MM * (1 - 1e-4)
    if name == "disc":
        assert sum(len(path.control) for path in line.finished) <= (60 if is_hard else 12)
