"""The sticker as a scene sees it: its printed face inside the cut line, once for all scenes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutline.domain.errors import FieldViolation, InvalidInputError
from cutline.domain.outputs import BoxMm, CutPath, CutRole
from cutline.mockups.path_data import flatten_path

type_rgba = NDArray[np.uint8]

_FACE_SIDE_PX: Final = 1024
"""Longer side of the face; no scene shows a sticker larger than this."""
_PAD_PX: Final = 3
_MASK_OVERSAMPLING: Final = 3
_CLEAR_FILM: Final = (255, 255, 255, 34)
"""Unprinted border: a clear film that catches a little light."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """What is seen of a sticker that lies flat.

    Attributes:
        pixels: uint8 RGBA of shape (height_px, width_px, 4) with premultiplied alpha; transparent outside the cut line
            and in inner cuts, with a transparent margin all around.
        origin_mm: The top left corner of `pixels` in the trim frame.
        px_per_mm: Pixels a mm, along x and along y.
    """

    pixels: type_rgba
    origin_mm: tuple[float, float]
    px_per_mm: tuple[float, float]

    @property
    def from_mm(self) -> NDArray[np.float64]:
        """The 3x3 matrix from trim frame mm to face pixels (pixel centres at half-integers)."""
        (x_mm, y_mm), (kx, ky) = self.origin_mm, self.px_per_mm
        return np.array([[kx, 0, -x_mm * kx], [0, ky, -y_mm * ky], [0, 0, 1]], dtype=np.float64)

    def shrunk_to(self, px_per_mm: float) -> Face:
        """The same face at about `px_per_mm`, averaged; itself where it is not much finer than that."""
        factor = px_per_mm / self.px_per_mm[0]
        if factor > 0.8:
            return self
        height_px, width_px = self.pixels.shape[:2]
        size = (max(1, round(width_px * factor)), max(1, round(height_px * factor)))
        pixels = cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA)
        finer = (self.px_per_mm[0] * size[0] / width_px, self.px_per_mm[1] * size[1] / height_px)
        return Face(_u8(pixels), self.origin_mm, finer)


@dataclass(frozen=True, eq=False)
class StickerArt:
    """A finished sticker: art, cut paths and where they lie. Every mm is in the trim frame of `domain.outputs`.

    Attributes:
        rgba: The cutout, uint8 straight alpha of shape (height_px, width_px, 4), on the artwork's own canvas.
        canvas_box: Where that whole canvas lies.
        cut_box: Bounding box of the face's cut line (of the kiss line for a kiss-cut sticker).
        cut_paths: The paths the blade follows.
        border_color: Colour of the face where there is no art: "#rrggbb", or "none" for clear unprinted film.
    """

    rgba: type_rgba
    canvas_box: BoxMm
    cut_box: BoxMm
    cut_paths: tuple[CutPath, ...]
    border_color: str = "#ffffff"

    @classmethod
    def from_files(cls, cutout_png: bytes, report_json: bytes) -> StickerArt:
        """The sticker that a run's cutout.png and report.json describe.

        Args:
            cutout_png: PNG with alpha.
            report_json: The Report message of cutline.v1 as JSON with the field names of its proto file.

        Raises:
            InvalidInputError: A file cannot be read, or a field of the report is missing or wrong.
        """
        report = _report(report_json)
        geometry = report.get("geometry") or {}
        spec = report.get("resolved_spec") or {}
        return cls(
            rgba=_decode(cutout_png),
            canvas_box=_box(geometry, "canvas_box"),
            cut_box=_box(geometry, "cut_box"),
            cut_paths=_paths(report.get("cut_paths") or []),
            border_color=str(spec.get("border_color") or "#ffffff"),
        )

    @cached_property
    def outlines_mm(self) -> tuple[NDArray[np.float64], ...]:
        """Polygons of the face's outer cuts, in mm: the kiss line where there is one, else the through-cuts."""
        roles = {path.role for path in self.cut_paths}
        return self._polygons(CutRole.KISS if CutRole.KISS in roles else CutRole.THROUGH)

    @cached_property
    def liner_mm(self) -> tuple[NDArray[np.float64], ...]:
        """Polygons of a kiss-cut sticker's liner, in mm; empty for a die-cut one."""
        roles = {path.role for path in self.cut_paths}
        return self._polygons(CutRole.THROUGH) if CutRole.KISS in roles else ()

    @cached_property
    def face(self) -> Face:
        """The face at its finest; drawn at the first use and kept."""
        art, origin_mm, px_per_mm = self._art_in_cut_box()
        mask = self._cut_mask((art.shape[1], art.shape[0]), origin_mm, px_per_mm)
        pixels = cv2.add(art, _ground(self.border_color, art[:, :, 3]))
        return Face(_u8(cv2.multiply(pixels, cv2.merge([mask] * 4), scale=1 / 255)), origin_mm, px_per_mm)

    def _art_in_cut_box(self) -> tuple[type_rgba, tuple[float, float], tuple[float, float]]:
        """Premultiplied art in a raster over the cut box, the raster's origin and its scale.

        The art is cropped by whole pixels, scaled by whole pixels and padded by whole pixels: resampled exactly once.
        """
        crop, box = self._crop()
        cut = self.cut_box
        wanted = _FACE_SIDE_PX / max(cut.width_mm, cut.height_mm)
        size = (max(1, round(box.width_mm * wanted)), max(1, round(box.height_mm * wanted)))
        kx, ky = size[0] / box.width_mm, size[1] / box.height_mm
        art = _scaled(_premultiplied(crop), size)
        left, top = _margin_px(box.x_mm, cut.x_mm, kx), _margin_px(box.y_mm, cut.y_mm, ky)
        right = _margin_px(cut.x_mm + cut.width_mm, box.x_mm + box.width_mm, kx)
        bottom = _margin_px(cut.y_mm + cut.height_mm, box.y_mm + box.height_mm, ky)
        clear = (0, 0, 0, 0)
        padded = cv2.copyMakeBorder(art, top, bottom, left, right, cv2.BORDER_CONSTANT, value=clear)
        return _u8(padded), (box.x_mm - left / kx, box.y_mm - top / ky), (kx, ky)

    def _crop(self) -> tuple[type_rgba, BoxMm]:
        """The canvas's pixels that touch the cut box, and where they lie."""
        height_px, width_px = self.rgba.shape[:2]
        canvas, cut = self.canvas_box, self.cut_box
        mm_x, mm_y = canvas.width_mm / width_px, canvas.height_mm / height_px
        left, right = _span((cut.x_mm - canvas.x_mm) / mm_x, cut.width_mm / mm_x, width_px)
        top, bottom = _span((cut.y_mm - canvas.y_mm) / mm_y, cut.height_mm / mm_y, height_px)
        box = BoxMm(canvas.x_mm + left * mm_x, canvas.y_mm + top * mm_y, (right - left) * mm_x, (bottom - top) * mm_y)
        return self.rgba[top:bottom, left:right], box

    def _cut_mask(
        self, size_px: tuple[int, int], origin_mm: tuple[float, float], px_per_mm: tuple[float, float]
    ) -> NDArray[np.uint8]:
        """Share of each pixel inside the cut, 0 to 255."""
        factor = _MASK_OVERSAMPLING
        mask = np.zeros((size_px[1] * factor, size_px[0] * factor), dtype=np.uint8)
        for polygons, value in ((self.outlines_mm, 255), (self._polygons(CutRole.INNER), 0)):
            for polygon in polygons:
                # Sixteenths of a pixel; OpenCV's pixel centres lie at integers.
                points = ((polygon - origin_mm) * px_per_mm * factor - 0.5) * 16
                cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], value, cv2.LINE_8, 4)
        return _u8(cv2.resize(mask, size_px, interpolation=cv2.INTER_AREA))

    def _polygons(self, role: CutRole) -> tuple[NDArray[np.float64], ...]:
        return tuple(
            polygon for path in self.cut_paths if path.role is role for polygon in flatten_path(path.path_data)
        )


def _span(start_px: float, length_px: float, limit_px: int) -> tuple[int, int]:
    """Whole pixels that touch a stretch, within the canvas; at least one."""
    first = min(max(0, int(np.floor(start_px)) - 1), limit_px - 1)
    return first, min(max(first + 1, int(np.ceil(start_px + length_px)) + 1), limit_px)


def _margin_px(inner_mm: float, outer_mm: float, px_per_mm: float) -> int:
    """Whole pixels to add so that the raster reaches from inner_mm to outer_mm and the pad beyond."""
    return max(0, int(np.ceil((inner_mm - outer_mm) * px_per_mm)) + _PAD_PX)


def _scaled(pixels: type_rgba, size: tuple[int, int]) -> type_rgba:
    if size[0] < pixels.shape[1]:
        return _u8(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    scaled = _u8(cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC))
    np.minimum(scaled[:, :, :3], scaled[:, :, 3:], out=scaled[:, :, :3])  # cubic may overshoot its alpha
    return scaled


def _premultiplied(rgba: type_rgba) -> type_rgba:
    return _u8(cv2.cvtColor(rgba, cv2.COLOR_RGBA2mRGBA))


def _ground(color: str, alpha: NDArray[np.uint8]) -> type_rgba:
    """What the border adds under premultiplied art of this alpha, premultiplied."""
    ground = np.array(_color_rgba(color), dtype=np.float64)
    ground[:3] *= ground[3] / 255
    seen = np.arange(255, -1, -1)[:, None] / 255
    return _u8(cv2.LUT(cv2.merge([alpha] * 4), np.rint(seen * ground).astype(np.uint8)[:, None, :]))


def _u8(pixels: Any) -> NDArray[np.uint8]:
    return np.asarray(pixels, dtype=np.uint8)


def _color_rgba(color: str) -> tuple[int, int, int, int]:
    if color == "none":
        return _CLEAR_FILM
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16), 255


def _decode(cutout_png: bytes) -> type_rgba:
    buffer = np.frombuffer(cutout_png, dtype=np.uint8)
    pixels = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED) if buffer.size else None
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] != 4 or pixels.dtype != np.uint8:
        raise InvalidInputError.of_fields(FieldViolation("cutout_png", "is not a readable 8-bit PNG with alpha"))
    return _u8(cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA))


def _report(report_json: bytes) -> dict[str, Any]:
    try:
        report = json.loads(report_json)
    except ValueError:
        report = None
    if not isinstance(report, dict):
        raise InvalidInputError.of_fields(FieldViolation("report_json", "is not a JSON object"))
    return report


def _box(geometry: dict[str, Any], name: str) -> BoxMm:
    """A box of the report; proto3 JSON leaves out fields that are 0."""
    values = geometry.get(name)
    if not isinstance(values, dict):
        raise InvalidInputError.of_fields(FieldViolation(f"geometry.{name}", "is missing"))
    try:
        x_mm, y_mm, width_mm, height_mm = (
            float(values.get(field, 0)) for field in ("x_mm", "y_mm", "width_mm", "height_mm")
        )
    except (TypeError, ValueError):
        raise InvalidInputError.of_fields(
            FieldViolation(f"geometry.{name}", "holds something other than numbers")
        ) from None
    if not (np.isfinite([x_mm, y_mm, width_mm, height_mm]).all() and width_mm > 0 and height_mm > 0):
        raise InvalidInputError.of_fields(
            FieldViolation(f"geometry.{name}", "must be finite with a width and a height above 0 mm")
        )
    return BoxMm(x_mm, y_mm, width_mm, height_mm)


def _paths(entries: list[dict[str, Any]]) -> tuple[CutPath, ...]:
    paths = []
    for index, entry in enumerate(entries):
        try:
            path = CutPath(CutRole(str(entry["role"]).removeprefix("ROLE_")), str(entry["path_data"]))
            flatten_path(path.path_data)
        except (KeyError, ValueError) as error:
            raise InvalidInputError.of_fields(
                FieldViolation(f"cut_paths[{index}]", f"cannot be read: {error}")
            ) from None
        paths.append(path)
    if not any(path.role is not CutRole.INNER for path in paths):
        raise InvalidInputError.of_fields(FieldViolation("cut_paths", "holds no outer cut"))
    return tuple(paths)
