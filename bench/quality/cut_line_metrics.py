"""Measures of emitted cut paths against the exact offset of exact alpha.

Nothing of the engine's own geometry is used: paths are read from their path data, and the reference is traced,
offset and closed here, with 256 segments a quadrant. Drawn art is traced before it became pixels: contours between
pixels cut its corners, by a third of a pixel and more. All in mm in the paths' own frame.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import contourpy
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LinearRing, Polygon, STRtree
from shapely.geometry.base import BaseGeometry

from bench.quality.drawing import FineAlpha

QUADRANT_SEGMENTS: Final = 256
SPECK_AREA_MM2: Final = 0.5
"""A smaller piece of art is dirt by the rules of cut lines, unless it is all there is."""
SPECK_AREA_SHARE: Final = 1e-4
SIMPLIFY_MM: Final = 0.0005
CUSP_MM2: Final = 0.001
DECIDING_MM: Final = 0.01
UNDECIDED_MM: Final = 0.05
EMPTY: Final[BaseGeometry] = Polygon()
CORNER_DEGREES: Final = 3.0
STEP_MM: Final = 0.05
_SAMPLES: Final = 64
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")

type_points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reference:
    """The right answer for one artwork.

    Attributes:
        wanted: Art grown by the border, holes filled; a cut line must contain it.
        line: The same, closed with the closing radius and without cusps; a cut line must follow its edge.
        undecided: Where DECIDING_MM more or less of radius close a gap or leave it open, and around cusps, so that
            more than one line is right.
    """

    wanted: BaseGeometry
    line: BaseGeometry
    undecided: BaseGeometry = EMPTY


@dataclass(frozen=True, slots=True)
class CutLineMeasures:
    """How the paths compare.

    Attributes:
        out_of_line_mm: How far wanted art stands out of the paths at most; 0 for containment.
        max_deviation_mm: Greatest distance between paths and reference, looked at from either side, where decided.
        mean_deviation_mm: Mean distance of points spread evenly on the paths from the reference.
        undecided_mm: Length of the paths where the reference is undecided.
        min_radius_mm: Smallest radius of curvature on the paths; 0 at a corner.
        segments: Cubic segments of all paths.
        segments_per_100_mm: The same by length.
        crossings: Paths that cross themselves, plus pairs that meet.
    """

    out_of_line_mm: float
    max_deviation_mm: float
    mean_deviation_mm: float
    undecided_mm: float
    min_radius_mm: float
    segments: int
    segments_per_100_mm: float
    crossings: int


def reference(
    alpha: FineAlpha,
    *,
    mm_per_px: float,
    origin_mm: tuple[float, float],
    border_mm: float,
    closing_radius_mm: float,
) -> Reference:
    """Traces alpha at one half, drops specks, fills holes, offsets by the border and closes.

    Args:
        alpha: Exact alpha.
        mm_per_px: Scale of the sticker, for the artwork's pixels.
        origin_mm: Where the canvas's top left corner lies in the paths' frame.
        border_mm: Offset with round joins, 0 or more.
        closing_radius_mm: Radius concave places are filled with.
    """
    rings = [ring / alpha.finer + alpha.corner_px for ring in _pieces(alpha.levels)]
    shapes = [Polygon(ring * mm_per_px + origin_mm).simplify(SIMPLIFY_MM) for ring in rings]
    least = max(SPECK_AREA_MM2, SPECK_AREA_SHARE * max(shape.area for shape in shapes))
    kept = [shape for shape in shapes if shape.area >= least] or [max(shapes, key=lambda shape: shape.area)]
    wanted = _filled(_grown(shapely.union_all(kept), border_mm))
    radii = (closing_radius_mm - DECIDING_MM, closing_radius_mm, closing_radius_mm + DECIDING_MM)
    narrower, line, wider = (_filled(_grown(_grown(wanted, radius), -radius)) for radius in radii)
    cusps = [_cusps(shape, closing_radius_mm) for shape in (narrower, line, wider)]
    apart = shapely.union_all([wider.difference(narrower).buffer(-UNDECIDED_MM / 2), *cusps])
    undecided = EMPTY if apart.is_empty else apart.buffer(2 * UNDECIDED_MM)
    return Reference(wanted, line.difference(cusps[1].buffer(SIMPLIFY_MM)), undecided)


def measure_cut_line(path_data: Sequence[str], right: Reference) -> CutLineMeasures:
    """Compares SVG path data of closed cubic paths (M, C, Z; absolute, mm) with the reference."""
    paths = [control_points(data) for data in path_data]
    rings = [sampled(control) for control in paths]
    face = shapely.union_all([Polygon(ring).buffer(0) for ring in rings])
    on_paths = np.concatenate([_spread(ring) for ring in rings])
    on_reference = np.concatenate([_spread(ring) for ring in _rings(right.line)])
    to_reference = _distances(on_paths, _rings(right.line))
    to_paths = _distances(on_reference, rings)
    decided = [~shapely.contains_xy(right.undecided, points) for points in (on_paths, on_reference)]
    length_mm = sum(LinearRing(ring).length for ring in rings)
    segments = sum(len(control) for control in paths)
    return CutLineMeasures(
        out_of_line_mm=_out_of_line(right.wanted, face),
        max_deviation_mm=float(max(to_reference[decided[0]].max(), to_paths[decided[1]].max())),
        mean_deviation_mm=float(to_reference.mean()),
        undecided_mm=STEP_MM * int(np.count_nonzero(~decided[0])),
        min_radius_mm=min(smallest_radius(control) for control in paths),
        segments=segments,
        segments_per_100_mm=100 * segments / length_mm,
        crossings=_crossings(rings),
    )


def control_points(path_data: str) -> type_points:
    """Control points of a closed path of absolute cubics, shape (segments, 4, 2).

    Raises:
        ValueError: The path holds other commands, or does not end where it began.
    """
    if set(re.findall("[A-Za-z]", path_data)) != {"M", "C", "Z"} or path_data.count("M") != 1:
        msg = f"not one closed path of cubics: {path_data[:60]}"
        raise ValueError(msg)
    points = np.array([float(text) for text in _NUMBER.findall(path_data)]).reshape(-1, 2)
    if not np.array_equal(points[0], points[-1]):
        msg = f"the path ends {points[-1]} where it did not begin, {points[0]}"
        raise ValueError(msg)
    starts = points[:-1:3]
    return np.stack([starts, points[1::3], points[2::3], points[3::3]], axis=1)


def sampled(control: type_points) -> type_points:
    """Points along a path, evenly in each segment's parameter, the first not repeated."""
    t = np.linspace(0, 1, _SAMPLES, endpoint=False)[None, :, None]
    p0, p1, p2, p3 = (control[:, None, i] for i in range(4))
    points = (1 - t) ** 3 * p0 + 3 * (1 - t) ** 2 * t * p1 + 3 * (1 - t) * t**2 * p2 + t**3 * p3
    return np.asarray(points.reshape(-1, 2))


def smallest_radius(control: type_points) -> float:
    """Smallest radius of curvature in mm, 0 where two segments meet at a corner."""
    leaving, arriving = control[:, 1] - control[:, 0], np.roll(control[:, 3] - control[:, 2], 1, axis=0)
    lengths = np.linalg.norm(leaving, axis=1) * np.linalg.norm(arriving, axis=1)
    known = lengths > 1e-6
    cosines = (leaving * arriving).sum(axis=1)[known] / lengths[known]
    if (np.degrees(np.arccos(np.clip(cosines, -1, 1))) > CORNER_DEGREES).any():
        return 0.0
    t = np.linspace(0, 1, 2 * _SAMPLES + 1)[None, :, None]
    p0, p1, p2, p3 = (control[:, None, i] for i in range(4))
    first = 3 * ((1 - t) ** 2 * (p1 - p0) + 2 * t * (1 - t) * (p2 - p1) + t**2 * (p3 - p2))
    second = 6 * ((1 - t) * (p2 - 2 * p1 + p0) + t * (p3 - 2 * p2 + p1))
    bend = np.abs(first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0])
    speed = np.linalg.norm(first, axis=2)
    curved = bend > 1e-9
    return float((speed[curved] ** 3 / bend[curved]).min()) if curved.any() else np.inf


def _pieces(alpha: NDArray[np.uint8]) -> list[type_points]:
    """Outer rings of what is at least half opaque, in px with the canvas corner at 0, 0."""
    padded = np.pad(alpha, 1).astype(np.float64)
    generator = contourpy.contour_generator(z=padded, fill_type=contourpy.FillType.OuterOffset)
    filled: Any = generator.filled(127.5, 256.0)  # its type depends on the fill type
    rings, offsets = filled
    return [np.asarray(points[: cuts[1]]) - 0.5 for points, cuts in zip(rings, offsets, strict=True)]


def _cusps(line: BaseGeometry, radius_mm: float) -> BaseGeometry:
    """The points between arcs of discs that nearly meet, which a blade of that radius cannot follow.

    What it cannot reach but what holds pieces together is a neck, and none of them.
    """
    reached = _grown(_grown(line, -radius_mm), radius_mm)
    lost = [part for part in shapely.get_parts(line.difference(reached)) if part.area > CUSP_MM2]
    pieces = shapely.get_num_geometries(line)
    return shapely.union_all(
        [part for part in lost if shapely.get_num_geometries(line.difference(part.buffer(SIMPLIFY_MM))) <= pieces]
    )


def _grown(shape: BaseGeometry, distance_mm: float) -> BaseGeometry:
    return shape.buffer(distance_mm, quad_segs=QUADRANT_SEGMENTS) if distance_mm else shape


def _filled(shape: BaseGeometry) -> BaseGeometry:
    return shapely.union_all([Polygon(ring) for ring in _rings(shape)])


def _rings(shape: BaseGeometry) -> list[type_points]:
    """Outer rings, the first point not repeated."""
    parts = [part for part in shapely.get_parts(shape) if isinstance(part, Polygon)]
    return [np.array(part.exterior.coords)[:-1] for part in parts]


def _spread(ring: type_points) -> type_points:
    """Points every STEP_MM along a ring."""
    closed = np.concatenate([ring, ring[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    at = np.arange(0, along[-1], STEP_MM)
    return np.stack([np.interp(at, along, closed[:, axis]) for axis in (0, 1)], axis=1)


def _distances(points: type_points, rings: Sequence[type_points]) -> NDArray[np.float64]:
    """Distance of each point to the nearest of the rings' edges."""
    edges = np.concatenate([np.stack([ring, np.roll(ring, -1, axis=0)], axis=1) for ring in rings])
    tree = STRtree(np.asarray(shapely.linestrings(edges)))
    _, apart = tree.query_nearest(shapely.points(points), return_distance=True, all_matches=False)
    return np.asarray(apart)


def _out_of_line(wanted: BaseGeometry, face: BaseGeometry) -> float:
    points = np.concatenate([_spread(ring) for ring in _rings(wanted)])
    shapely.prepare(face)
    outside = points[~shapely.covers(face, shapely.points(points))]
    return float(_distances(outside, _rings(face)).max()) if len(outside) else 0.0


def _crossings(rings: Sequence[type_points]) -> int:
    lines = [LinearRing(ring) for ring in rings]
    own = sum(not line.is_simple for line in lines)
    return own + sum(bool(one.intersects(other)) for one, other in combinations(lines, 2))
