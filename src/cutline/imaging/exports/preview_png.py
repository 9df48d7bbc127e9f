"""The proof for the eye: art with its border, the cut line drawn over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from shapely import MultiPolygon

from cutline.domain.outputs import BoxMm, CutRole
from cutline.domain.sticker_spec import ResolvedSpec
from cutline.imaging.cut_line.model import CutLine
from cutline.imaging.exports.ink import Ink
from cutline.imaging.exports.png import png_bytes
from cutline.imaging.exports.shrinking import premultiplied_part
from cutline.imaging.model import Cutout, type_rgba

LONGER_SIDE_PX: Final = 1200
MARGIN_MM: Final = 2.0
_TABLE: Final = (226, 228, 232)
_PAPER: Final = (255, 255, 255)
_LINER: Final = (246, 242, 230)
_LINES: Final = {CutRole.THROUGH: (255, 0, 255), CutRole.KISS: (0, 160, 255), CutRole.INNER: (255, 0, 255)}
_LINE_PX: Final = 3
_SUBPIXEL_BITS: Final = 4


@dataclass(frozen=True)
class _Proof:
    """The picture while it is drawn: px per mm, and mm of table and bleed around the trim box."""

    canvas: NDArray[np.uint8]
    px_per_mm: float
    reach_mm: float

    def subpixels(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """Points in OpenCV's fixed-point pixel coordinates, where pixel centres are whole numbers."""
        pixels = (points + self.reach_mm) * self.px_per_mm - 0.5
        return np.asarray(np.round(pixels * (1 << _SUBPIXEL_BITS)), np.int32)

    def rings(self, shape: MultiPolygon) -> list[NDArray[np.int32]]:
        """The rings of polygons in the same coordinates."""
        return [
            self.subpixels(np.array(ring.coords)[:-1, :2])
            for part in shape.geoms
            for ring in (part.exterior, *part.interiors)
        ]

    def place(self, box: BoxMm) -> tuple[int, int, int, int]:
        """Left, top, width and height of a box in whole pixels."""
        left, top = (
            round((box.x_mm + self.reach_mm) * self.px_per_mm),
            round((box.y_mm + self.reach_mm) * self.px_per_mm),
        )
        width, height = round(box.width_mm * self.px_per_mm), round(box.height_mm * self.px_per_mm)
        return left, top, max(width, 1), max(height, 1)


def preview_png(cutout: Cutout, cut_line: CutLine, ink: Ink, spec: ResolvedSpec) -> bytes:
    """An sRGB proof of at most 1,200 px: the sheet, what is printed on it out to the bleed, and the cut in magenta."""
    proof = _blank(cut_line, spec)
    if cut_line.kiss:
        liner = [proof.subpixels(path.flattened()) for path in cut_line.through]
        cv2.fillPoly(proof.canvas, liner, _LINER, cv2.LINE_AA, _SUBPIXEL_BITS)
    face = ink.bleed if ink.border_rgb else cut_line.face
    cv2.fillPoly(proof.canvas, proof.rings(face), ink.border_rgb or _PAPER, cv2.LINE_AA, _SUBPIXEL_BITS)
    if ink.edges is not None:
        _draw(
            proof, np.asarray(cv2.cvtColor(ink.edges.rgb, cv2.COLOR_RGB2RGBA), np.uint8), ink.edges.area, ink.edges.box
        )
    height_px, width_px = cutout.rgba.shape[:2]
    scale, (x_mm, y_mm) = cut_line.mm_per_px, cut_line.canvas_origin_mm
    _draw(proof, cutout.rgba, ink.art, BoxMm(x_mm, y_mm, width_px * scale, height_px * scale))
    for role, path in cut_line.paths:
        points = proof.subpixels(path.flattened())
        closed = True
        cv2.polylines(proof.canvas, [points], closed, _LINES[role], _LINE_PX, cv2.LINE_AA, _SUBPIXEL_BITS)
    return png_bytes(proof.canvas)


def _blank(cut_line: CutLine, spec: ResolvedSpec) -> _Proof:
    reach_mm = spec.bleed_mm + MARGIN_MM
    width_mm, height_mm = cut_line.trim_box.width_mm + 2 * reach_mm, cut_line.trim_box.height_mm + 2 * reach_mm
    px_per_mm = LONGER_SIDE_PX / max(width_mm, height_mm)
    size = (max(1, round(width_mm * px_per_mm)), max(1, round(height_mm * px_per_mm)))
    canvas = np.empty((size[1], size[0], 3), np.uint8)
    cv2.rectangle(canvas, (0, 0), size, _TABLE, cv2.FILLED)
    return _Proof(canvas, px_per_mm, reach_mm)


def _draw(proof: _Proof, picture: type_rgba, shown: MultiPolygon, box: BoxMm) -> None:
    """Composites a picture that covers `box` onto the proof, within the area shown."""
    canvas = proof.canvas
    left, top, width, height = proof.place(box)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + width, canvas.shape[1]), min(top + height, canvas.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    # Only what is seen is scaled: a canvas can be far larger than what is left of its art.
    per_x, per_y = picture.shape[1] / width, picture.shape[0] / height
    seen = ((x0 - left) * per_x, (y0 - top) * per_y, (x1 - left) * per_x, (y1 - top) * per_y)
    small = premultiplied_part(picture, seen, x1 - x0, y1 - y0)
    under = canvas[y0:y1, x0:x1]
    through = cv2.merge([255 - small[..., 3]] * 3)
    over = cv2.add(cv2.cvtColor(small, cv2.COLOR_RGBA2RGB), cv2.multiply(under, through, scale=1 / 255))
    mask = np.zeros(canvas.shape[:2], np.uint8)
    cv2.fillPoly(mask, proof.rings(shown), 255, cv2.LINE_8, _SUBPIXEL_BITS)
    cv2.copyTo(over, mask[y0:y1, x0:x1], under)
