"""The proof for the eye: art with its border, the cut line drawn over it."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from shapely import MultiPolygon

from cutline.domain.outputs import CutRole
from cutline.domain.sticker_spec import ResolvedSpec
from cutline.imaging.cut_line.model import CutLine
from cutline.imaging.exports.ink import bleed_area, border_rgb, edge_colors
from cutline.imaging.exports.png import png_bytes
from cutline.imaging.model import Cutout

LONGER_SIDE_PX: Final = 1200
MARGIN_MM: Final = 2.0
_TABLE: Final = (226, 228, 232)
_PAPER: Final = (255, 255, 255)
_LINES: Final = {CutRole.THROUGH: (255, 0, 255), CutRole.KISS: (0, 160, 255), CutRole.INNER: (255, 0, 255)}
_SUBPIXEL_BITS: Final = 4


def preview_png(cutout: Cutout, cut_line: CutLine, spec: ResolvedSpec) -> bytes:
    """An sRGB proof of at most 1,200 px: the sheet, what is printed on it out to the bleed, and the cut in magenta."""
    reach_mm = spec.bleed_mm + MARGIN_MM
    width_mm, height_mm = cut_line.trim_box.width_mm + 2 * reach_mm, cut_line.trim_box.height_mm + 2 * reach_mm
    scale = LONGER_SIDE_PX / max(width_mm, height_mm)
    canvas = np.empty((max(1, round(height_mm * scale)), max(1, round(width_mm * scale)), 3), np.uint8)
    canvas[:] = _TABLE
    printed = bleed_area(cut_line, spec)
    fill = border_rgb(spec)
    _fill(canvas, printed if fill else cut_line.face, fill or _PAPER, scale, reach_mm)
    edges = edge_colors(cutout, cut_line, spec)
    if edges is not None:
        place = (edges.box.x_mm, edges.box.y_mm, edges.box.width_mm, edges.box.height_mm)
        _draw(canvas, edges.rgb, _mask(canvas, edges.area, scale, reach_mm), place, scale, reach_mm)
    height_px, width_px = cutout.rgba.shape[:2]
    place = (*cut_line.canvas_origin_mm, width_px * cut_line.mm_per_px, height_px * cut_line.mm_per_px)
    _draw(canvas, cutout.rgba, _mask(canvas, printed, scale, reach_mm), place, scale, reach_mm)
    for role, path in cut_line.paths:
        points = _subpixel(path.flattened(), scale, reach_mm)
        thickness = max(2, round(LONGER_SIDE_PX / 400))
        cv2.polylines(canvas, [points], True, _LINES[role], thickness, cv2.LINE_AA, _SUBPIXEL_BITS)  # noqa: FBT003  (OpenCV's own order)
    return png_bytes(canvas)


def _subpixel(points: NDArray[np.float64], scale: float, reach_mm: float) -> NDArray[np.int32]:
    """Points in the fixed-point pixel coordinates that OpenCV draws with; its pixel centres are whole numbers."""
    pixels = (points + reach_mm) * scale - 0.5
    return np.asarray(np.round(pixels * (1 << _SUBPIXEL_BITS)), np.int32)


def _rings(shape: MultiPolygon, scale: float, reach_mm: float) -> list[NDArray[np.int32]]:
    return [
        _subpixel(np.array(ring.coords)[:-1, :2], scale, reach_mm)
        for part in shape.geoms
        for ring in (part.exterior, *part.interiors)
    ]


def _fill(
    canvas: NDArray[np.uint8], shape: MultiPolygon, color: tuple[int, int, int], scale: float, reach_mm: float
) -> None:
    cv2.fillPoly(canvas, _rings(shape, scale, reach_mm), color, cv2.LINE_AA, _SUBPIXEL_BITS)


def _mask(canvas: NDArray[np.uint8], shape: MultiPolygon, scale: float, reach_mm: float) -> NDArray[np.uint8]:
    mask = np.zeros(canvas.shape[:2], np.uint8)
    cv2.fillPoly(mask, _rings(shape, scale, reach_mm), 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    return mask


def _draw(
    canvas: NDArray[np.uint8],
    pixels: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    place: tuple[float, float, float, float],
    scale: float,
    reach_mm: float,
) -> None:
    """Composites pixels, laid over `place` (x, y, width, height in mm), where the mask shows them."""
    x_mm, y_mm, width_mm, height_mm = place
    height_px, width_px = pixels.shape[:2]
    target = (max(1, round(width_mm * scale)), max(1, round(height_mm * scale)))
    alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
    shrink = cv2.INTER_AREA if target[0] < width_px else cv2.INTER_LINEAR
    rgb = cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB) if alpha is not None else pixels
    if alpha is not None:  # weigh colours by their alpha, or what is hidden bleeds into the edge
        rgb = cv2.multiply(rgb, cv2.merge([alpha] * 3), scale=1 / 255)
    small = cv2.resize(rgb, target, interpolation=shrink).astype(np.float32)
    cover = np.ones(small.shape[:2], np.float32)
    if alpha is not None:
        cover = cv2.resize(np.ascontiguousarray(alpha), target, interpolation=shrink).astype(np.float32) / 255
    left, top = round((x_mm + reach_mm) * scale), round((y_mm + reach_mm) * scale)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + target[0], canvas.shape[1]), min(top + target[1], canvas.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    window = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    shown = mask[y0:y1, x0:x1].astype(np.float32)[..., None] / 255
    under = canvas[y0:y1, x0:x1].astype(np.float32)
    over = small[window] + (1 - cover[window][..., None]) * under
    canvas[y0:y1, x0:x1] = np.round(under + shown * (over - under)).astype(np.uint8)
