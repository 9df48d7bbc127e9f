"""Step: what is printed where besides the art.

The areas of border, bleed and white ink, and the art's edge colours carried into the bleed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiLineString, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from cutline.domain.outputs import BoxMm
from cutline.domain.sticker_spec import ResolvedSpec
from cutline.imaging.appearance import on_paper
from cutline.imaging.cut_line.model import CutLine, box_mm
from cutline.imaging.model import Cutout, type_rgba
from cutline.imaging.shapes import offset, polygons_of
from cutline.imaging.strips import row_strips

WHITE_CHOKE_MM: Final = 0.1
"""How far white ink stays inside what it backs, so that it never peeps out."""
NO_COLOR: Final = "none"
PAPER_WHITE: Final = "#ffffff"
EDGE_OVERLAP_MM: Final = 0.2
"""How far carried edge colours reach under the art, so that no gap shows along its antialiased edge."""
SOFT_OVERLAP_MM: Final = 0.02
"""The same under art that is see-through at its edge: ink under it darkens it."""
EDGE_DPI: Final = 200
MOST_EDGE_PX: Final = 16_000_000
"""Pixels of carried colours at most, half a metre squared at that resolution: finding them takes 20 bytes each."""
_OPAQUE: Final = 250
_SOFT_EDGE_PX: Final = 4
"""See-through pixels that far inside the art are no edge but art: a shadow, a wash."""
_MARGIN_PX: Final = 4 * _SOFT_EDGE_PX
"""How far beyond the bleed art is looked for: the nearest may lie a soft edge in, and its neighbours another one."""
_STRIP_PX: Final = 524_288
_SIMPLIFY_MM: Final = 0.004
# Along an edge, how far apart and how far to its sides its pixels are looked at.
_EVERY_PX: Final = 3
_BESIDE_PX: Final = (-5, -2, 2, 5)


@dataclass(frozen=True)
class Ink:
    """Where ink goes besides the art, mm in the trim frame.

    Attributes:
        bleed: Everything within bleed_mm of the finished sticker; nothing is printed outside it.
        art: Where pixels of the art are printed: all of the bleed, but without a border none beside the art itself and
            the face, because a shadow there would darken the colours that continue the art.
        border_rgb: Colour of border and bleed; None where they stay paper or have none.
        edges: The art's own edge colours for the bleed of a sticker without border.
        white: Where white ink goes; None without white ink.
    """

    bleed: MultiPolygon
    art: MultiPolygon
    border_rgb: tuple[int, int, int] | None
    edges: EdgeColors | None
    white: MultiPolygon | None


@dataclass(frozen=True)
class EdgeColors:
    """The art's edge colours carried outwards: pixels, where they lie, and the area they are shown in."""

    rgb: NDArray[np.uint8]
    box: BoxMm
    area: MultiPolygon


def lay_ink(cutout: Cutout, cut_line: CutLine, spec: ResolvedSpec) -> Ink:
    """Works out the areas; files and preview show the same."""
    bleed = _bleed_area(cut_line, spec)
    return Ink(
        bleed=bleed,
        art=bleed if spec.border_mm > 0 else _own_area(cut_line, bleed),
        border_rgb=_border_rgb(spec),
        edges=_edge_colors(cutout, cut_line, bleed, spec.alpha_threshold) if spec.border_mm <= 0 else None,
        white=_white_area(cut_line, spec) if spec.white_ink else None,
    )


def _bleed_area(cut_line: CutLine, spec: ResolvedSpec) -> MultiPolygon:
    """Everything within bleed_mm of the finished sticker, also into its inner cuts."""
    grown = offset(cut_line.outer_face, spec.bleed_mm)
    holes = [Polygon(ring) for part in cut_line.face.geoms for ring in part.interiors]
    beyond = [offset(hole, -spec.bleed_mm) for hole in holes] + _deep_in_bays(cut_line.outer_face, grown, spec.bleed_mm)
    area = grown.difference(shapely.union_all(beyond)) if beyond else grown
    return polygons_of(area.simplify(_SIMPLIFY_MM))


def _deep_in_bays(face: MultiPolygon, grown: MultiPolygon, bleed_mm: float) -> list[Polygon]:
    """Places out of the bleed's reach that `grown` holds all the same: it has no holes, and narrow mouths grow shut."""
    around = shapely.box(*face.bounds).buffer(3 * bleed_mm).difference(face)
    return [part for part in offset(around, -bleed_mm).geoms if grown.contains(part.representative_point())]


def _own_area(cut_line: CutLine, bleed: MultiPolygon) -> MultiPolygon:
    """The art and the face within the bleed; of the art's holes only those are left out that are cut."""
    own = shapely.union_all([cut_line.art, *_uncut_holes(cut_line), cut_line.face])
    return polygons_of(bleed.intersection(own).simplify(_SIMPLIFY_MM))


def _border_rgb(spec: ResolvedSpec) -> tuple[int, int, int] | None:
    """Colour to print around the art; None where it stays paper or has none."""
    if spec.border_mm <= 0 or spec.border_color in (NO_COLOR, PAPER_WHITE):
        return None
    red, green, blue = bytes.fromhex(spec.border_color[1:])
    return red, green, blue


def _white_area(cut_line: CutLine, spec: ResolvedSpec) -> MultiPolygon:
    """Where white ink goes: the face, or only the art where the border is no colour, a little smaller."""
    covered: BaseGeometry = cut_line.face
    if spec.border_color == NO_COLOR:
        covered = covered.intersection(cut_line.art)
    return polygons_of(offset(covered, -WHITE_CHOKE_MM).simplify(_SIMPLIFY_MM))


def _edge_colors(cutout: Cutout, cut_line: CutLine, bleed: MultiPolygon, alpha_threshold: float) -> EdgeColors | None:
    """Carries the art's nearest colour into the bleed; holes that are not cut out stay unprinted."""
    covered = _covered(cutout, cut_line)
    area = polygons_of(bleed.difference(shapely.union_all([covered, *_uncut_holes(cut_line)])))
    if area.is_empty:
        return None
    rgb, box = _carried(cutout, cut_line, area.bounds, alpha_threshold)
    return EdgeColors(rgb, box, polygons_of(area.simplify(_SIMPLIFY_MM)))


def _covered(cutout: Cutout, cut_line: CutLine) -> BaseGeometry:
    """The art without the rim under which the carried colours reach."""
    ends, is_opaque = _edge_segments(cutout, cut_line)
    if is_opaque.all():
        return offset(cut_line.art, -EDGE_OVERLAP_MM)
    opaque_edges = shapely.line_merge(MultiLineString(ends[is_opaque].tolist()))
    return offset(cut_line.art, -SOFT_OVERLAP_MM).difference(opaque_edges.buffer(EDGE_OVERLAP_MM))


def _edge_segments(cutout: Cutout, cut_line: CutLine) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Both ends of short pieces of the art's edges, of shape (n, 2, 2), and which of them have opaque art beside."""
    step_mm = _EVERY_PX * cut_line.mm_per_px
    rings = [ring for part in cut_line.art.geoms for ring in (part.exterior, *part.interiors)]
    ends = np.concatenate([_both_ends(shapely.get_coordinates(ring.segmentize(step_mm))) for ring in rings])
    middle = (ends.mean(axis=1) - cut_line.canvas_origin_mm) / cut_line.mm_per_px
    along = ends[:, 1] - ends[:, 0]
    across = along[:, ::-1] * (-1, 1) / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    height, width = cutout.rgba.shape[:2]
    beside = middle + np.multiply.outer(_BESIDE_PX, across)
    columns, rows = np.clip(np.floor(beside).astype(int), 0, (width - 1, height - 1)).transpose(2, 0, 1)
    alpha = cutout.rgba[rows, columns, 3].max(axis=0)
    return ends, np.asarray(alpha >= _OPAQUE)


def _both_ends(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([points[:-1], points[1:]], axis=1)


def _uncut_holes(cut_line: CutLine) -> list[Polygon]:
    """Holes of the art that stay part of the sticker's face."""
    holes = [Polygon(ring) for part in cut_line.art.geoms for ring in part.interiors]
    cut = [Polygon(ring) for part in cut_line.face.geoms for ring in part.interiors]
    return [hole for hole in holes if not any(hole.intersects(other) for other in cut)]


def _carried(
    cutout: Cutout, cut_line: CutLine, bounds: tuple[float, float, float, float], alpha_threshold: float
) -> tuple[NDArray[np.uint8], BoxMm]:
    """Every pixel of the bounds with the colour, as it prints, of the nearest pixel that is art alone."""
    every = _pixels_a_side(cut_line.mm_per_px, bounds)
    pitch_mm = every * cut_line.mm_per_px
    x_mm, y_mm = cut_line.canvas_origin_mm
    left, top = int(np.floor((bounds[0] - x_mm) / pitch_mm)), int(np.floor((bounds[1] - y_mm) / pitch_mm))
    right, bottom = int(np.ceil((bounds[2] - x_mm) / pitch_mm)), int(np.ceil((bounds[3] - y_mm) / pitch_mm))
    margin = _MARGIN_PX
    grid = _every(cutout.rgba, every, (left - margin, top - margin, right + margin, bottom + margin))
    solid = _sure_art(grid, alpha_threshold)
    labels = cv2.distanceTransformWithLabels(1 - solid, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)[1]
    colors = _labelled_colors(grid, solid, np.asarray(labels, np.int32))
    del grid, solid
    rgb = np.empty((bottom - top, right - left, 3), np.uint8)
    for rows in row_strips(rgb.shape, _STRIP_PX):
        part = colors[labels[margin:-margin, margin:-margin][rows]]
        rgb[rows] = cv2.cvtColor(part.view(np.uint8).reshape(*part.shape, 4), cv2.COLOR_RGBA2RGB)
    box = (x_mm + left * pitch_mm, y_mm + top * pitch_mm, x_mm + right * pitch_mm, y_mm + bottom * pitch_mm)
    return rgb, box_mm(box)


def _pixels_a_side(mm_per_px: float, bounds: tuple[float, float, float, float]) -> int:
    """Pixels of the art to one of the carried colours: EDGE_DPI at least, but no more of them than MOST_EDGE_PX."""
    every = max(1, int(25.4 / EDGE_DPI / mm_per_px))
    pitch_mm = every * mm_per_px
    carried_px = (bounds[2] - bounds[0]) * (bounds[3] - bounds[1]) / pitch_mm**2
    return every * max(1, math.ceil(math.sqrt(carried_px / MOST_EDGE_PX)))


def _labelled_colors(grid: type_rgba, solid: NDArray[np.uint8], labels: NDArray[np.int32]) -> NDArray[np.uint32]:
    """The colour on paper of each pixel of art, four bytes at a time, at the place that its label says."""
    colors = np.zeros(int(labels.max()) + 1, np.uint32)
    for rows in row_strips(grid.shape, _STRIP_PX):
        chosen = solid[rows].view(np.bool_)
        _print_on_paper(grid[rows], solid[rows])
        colors[labels[rows][chosen]] = grid[rows].view(np.uint32)[..., 0][chosen]
    return colors


def _sure_art(rgba: type_rgba, alpha_threshold: float) -> NDArray[np.uint8]:
    """1 where a pixel shows the art and nothing of an edge's own transition, 0 elsewhere."""
    alpha = rgba[..., 3]
    opaque = (alpha >= min(_OPAQUE, int(alpha.max()))).view(np.uint8)
    # One pixel in from the edge: the outermost ones still carry some of what was behind the art.
    inner = np.asarray(cv2.erode(opaque, np.ones((3, 3), np.uint8)), np.uint8)
    # Shadows and washes that the cut passes through are art as well, beyond what an antialiased edge is wide.
    art = (alpha >= alpha_threshold * 255).view(np.uint8)
    inner |= np.asarray(cv2.erode(art, np.ones((2 * _SOFT_EDGE_PX + 1,) * 2, np.uint8)), np.uint8)
    return inner if inner.any() else opaque


def _print_on_paper(rgba: type_rgba, chosen: NDArray[np.uint8]) -> None:
    """Gives chosen see-through pixels the colour that they have on white."""
    places = np.flatnonzero((chosen > 0) & (rgba[..., 3] < _OPAQUE))
    pixels = rgba.reshape(-1, 4)
    pixels[places, :3] = on_paper(pixels[places])


def _every(rgba: type_rgba, step: int, window: tuple[int, int, int, int]) -> type_rgba:
    """One pixel of each block of `step` a side, the middle one, where the window is; clear beyond the canvas.

    Args:
        rgba: The picture.
        step: Pixels a side of a block.
        window: Left, top, right and bottom in blocks; may reach beyond the picture.
    """
    blocks = rgba.view(np.uint32)[..., 0][step // 2 :: step, step // 2 :: step]
    left, top, right, bottom = window
    taken = np.zeros((bottom - top, right - left), np.uint32)
    x, y = max(left, 0), max(top, 0)
    seen = blocks[y : max(bottom, 0), x : max(right, 0)]
    taken[y - top : y - top + seen.shape[0], x - left : x - left + seen.shape[1]] = seen
    return taken[..., None].view(np.uint8)
