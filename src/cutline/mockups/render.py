"""Puts a sticker into a scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutline.mockups.bends import Sheet, type_plane
from cutline.mockups.camera import apply_homography, inverse, type_matrix
from cutline.mockups.canvas import as_plane, blurred, polygon_mask, share_of, shifted
from cutline.mockups.placement import Placement, placement
from cutline.mockups.scene import Scene
from cutline.mockups.sticker import Face, StickerArt

MEDIA_TYPE: Final = "image/jpeg"
_JPEG_QUALITY: Final = 90
_PAPER_EDGE: Final = 0.80
_BACK_OF_STICKER: Final = (0.955, 0.950, 0.935)
_LINER: Final = (0.975, 0.965, 0.940)
_MARGIN_BLURS: Final = 3
"""A shadow reaches this many standard deviations."""


@dataclass(frozen=True, slots=True)
class Mockup:
    """A picture of a sticker in a scene; `data` is a file of `media_type`."""

    scene: str
    data: bytes
    media_type: str
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class _Region:
    """A box of whole pixels of the picture."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def size_px(self) -> tuple[int, int]:
        return self.right - self.left, self.bottom - self.top


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A sheet as it appears in a region: premultiplied colour and alpha, 0 to 1, and how high it stands."""

    colour: type_plane
    alpha: type_plane
    height_px: type_plane | None
    back: bool


def render_mockup(scene: Scene, sticker: StickerArt) -> Mockup:
    """Renders a sticker in a scene as JPEG of the scene's size."""
    width, height = scene.size_px
    bgr = cv2.cvtColor(compose(scene, sticker), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return Mockup(scene.id, data.tobytes(), MEDIA_TYPE, width, height)


def compose(scene: Scene, sticker: StickerArt) -> NDArray[np.uint8]:
    """The picture before it is encoded: uint8 RGB of the scene's size."""
    place = placement(scene, sticker)
    picture = scene.backdrop.copy()
    region = _region(scene, sticker, place)
    ground = as_plane(picture[region.slices].astype(np.float32) / 255)
    light = scene.light[region.slices].astype(np.float32)
    gloss = scene.gloss[region.slices].astype(np.float32) * np.float32(scene.finish.gloss)
    sheets = _sheets(sticker.face.shrunk_to(place.px_per_mm), place, region)
    if sticker.liner_mm and scene.surface.kind == "sheet":
        sheets.insert(0, _liner(sticker, place, region))
    for sheet in sheets:
        touched, seen = _cropped(sheet, _reach_px(scene))
        _lay(scene, ground[touched], light[touched], gloss[touched], seen)
    picture[region.slices] = np.clip(np.rint(ground * 255), 0, 255)
    return picture


def _region(scene: Scene, sticker: StickerArt, place: Placement) -> _Region:
    """What the sticker and its shadow can touch."""
    outlines = [place.to_px(polygon) for polygon in sticker.outlines_mm]
    outlines += [apply_homography(place.homography, polygon) for polygon in sticker.liner_mm]
    points = np.concatenate(outlines)
    margin = _reach_px(scene)
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    width, height = scene.size_px
    return _Region(
        max(0, int(low[0])), max(0, int(low[1])), min(width, int(high[0]) + 1), min(height, int(high[1]) + 1)
    )


def _reach_px(scene: Scene) -> int:
    """How far a sticker's shadow reaches beyond it."""
    finish = scene.finish
    return int(_MARGIN_BLURS * finish.shadow_blur_px + max(map(abs, finish.shadow_px)) + 3 * _roll_px(scene)) + 2


def _roll_px(scene: Scene) -> float:
    return scene.surface.roll * scene.surface.share * min(scene.size_px)


def _cropped(seen: _Seen, margin_px: int) -> tuple[tuple[slice, slice], _Seen]:
    """The part of its region that a sheet and its shadow touch."""
    rows, columns = np.flatnonzero(seen.alpha.any(axis=1)), np.flatnonzero(seen.alpha.any(axis=0))
    if not rows.size:
        rows = columns = np.zeros(1, dtype=np.intp)
    touched = (
        slice(max(0, int(rows[0]) - margin_px), int(rows[-1]) + margin_px + 1),
        slice(max(0, int(columns[0]) - margin_px), int(columns[-1]) + margin_px + 1),
    )
    height_px = None if seen.height_px is None else seen.height_px[touched]
    return touched, _Seen(seen.colour[touched], np.ascontiguousarray(seen.alpha[touched]), height_px, seen.back)


def _sheets(face: Face, place: Placement, region: _Region) -> list[_Seen]:
    """What is seen of the face in the region, the lowest sheet first."""
    # Both frames have pixel centres at half-integers, OpenCV has them at integers: hence the halves.
    to_flat = place.homography @ inverse(face.from_mm)
    if place.bend is None:
        half = _moved(0.5, 0.5)
        matrix = _moved(-region.left - 0.5, -region.top - 0.5) @ to_flat @ half
        pixels = cv2.warpPerspective(face.pixels, matrix, region.size_px, flags=cv2.INTER_LINEAR)
        return [_seen(pixels)]
    columns, rows = region.size_px
    x = np.tile(np.arange(columns, dtype=np.float32) + np.float32(region.left + 0.5), (rows, 1))
    y = np.repeat(np.arange(rows, dtype=np.float32) + np.float32(region.top + 0.5), columns).reshape(rows, columns)
    to_face = _moved(-0.5, -0.5) @ inverse(to_flat)
    return [_sampled(face, to_face, sheet) for sheet in place.bend.sheets(x, y)]


def _sampled(face: Face, to_face: type_matrix, sheet: Sheet) -> _Seen:
    """The face under a sheet's map; flat pixels reach the face by an affine matrix."""
    a = to_face.astype(np.float32)
    x = a[0, 0] * sheet.x + a[0, 1] * sheet.y + a[0, 2]
    y = a[1, 0] * sheet.x + a[1, 1] * sheet.y + a[1, 2]
    pixels = cv2.remap(face.pixels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0, 0))
    whole = _seen(pixels)
    alpha = as_plane(whole.alpha * sheet.cover)
    lit = sheet.cover * sheet.shade
    if sheet.back:
        colour = as_plane((alpha * sheet.shade)[:, :, None] * np.array(_BACK_OF_STICKER, dtype=np.float32))
    else:
        colour = as_plane(whole.colour * lit[:, :, None])
    return _Seen(colour, alpha, sheet.height_px, sheet.back)


def _seen(pixels: Any) -> _Seen:
    """A flat sheet of uint8 premultiplied RGBA."""
    scaled = as_plane(as_plane(pixels) / 255)
    return _Seen(scaled[:, :, :3], as_plane(scaled[:, :, 3].copy()), None, back=False)


def _liner(sticker: StickerArt, place: Placement, region: _Region) -> _Seen:
    """The liner of a kiss-cut sticker, flat under it."""
    origin = np.array([region.left, region.top])
    polygons = [apply_homography(place.homography, polygon) - origin for polygon in sticker.liner_mm]
    alpha = share_of(polygon_mask(region.size_px, polygons))
    return _Seen(as_plane(alpha[:, :, None] * np.array(_LINER)), alpha, None, back=False)


def _lay(scene: Scene, ground: type_plane, light: type_plane, gloss: type_plane, seen: _Seen) -> None:
    """Lays a sheet on the ground, in place: its shadow on what is around it, its edge, then its lit face."""
    finish, alpha = scene.finish, seen.alpha
    towards = np.array(finish.shadow_px) / (np.hypot(*finish.shadow_px) or 1)
    step = towards * finish.edge_px
    edge = np.maximum(0, shifted(alpha, (float(step[0]), float(step[1]))) - alpha)
    rim = alpha - shifted(alpha, (1.5 * float(towards[0]), 1.5 * float(towards[1])))
    relief = np.where(rim > 0, np.float32(finish.rim), np.float32(0.6 * finish.rim)) * rim
    # Highlights add less where the face is bright already: face + shine x (1 - 0.6 face).
    shine = np.zeros_like(gloss) if seen.back else gloss * alpha
    face = seen.colour * light
    face *= (1 - np.float32(0.6) * shine)[:, :, None]
    face += (shine + relief * alpha + np.float32(_PAPER_EDGE) * edge * light[:, :, 1])[:, :, None]
    ground *= ((1 - _shadow(scene, seen)) * (1 - edge) * (1 - alpha))[:, :, None]
    ground += face


def _shadow(scene: Scene, seen: _Seen) -> type_plane:
    """Depth of the shadow around a sheet, 0 to 1; where the sheet itself lies, the sheet covers it."""
    finish = scene.finish
    contact = np.float32(finish.contact) * blurred(seen.alpha, finish.contact_px)
    cast = np.float32(finish.shadow) * blurred(shifted(seen.alpha, finish.shadow_px), finish.shadow_blur_px)
    depth = 1 - (1 - contact) * (1 - cast)
    if seen.height_px is None or scene.surface.kind != "sheet":
        return np.asarray(depth, dtype=np.float32)
    # What stands off the ground throws a wider, softer shadow, the farther the higher.
    roll_px = _roll_px(scene)
    raised = seen.alpha * np.clip(seen.height_px / roll_px, 0, 1)
    reach = (finish.shadow_px[0] + 0.7 * roll_px, finish.shadow_px[1] + 0.9 * roll_px)
    far = np.float32(0.8 * finish.shadow) * blurred(shifted(raised, reach), 0.6 * roll_px)
    return np.asarray(1 - (1 - depth) * (1 - far), dtype=np.float32)


def _moved(x_px: float, y_px: float) -> type_matrix:
    return np.array([[1, 0, x_px], [0, 1, y_px], [0, 0, 1]], dtype=np.float64)
