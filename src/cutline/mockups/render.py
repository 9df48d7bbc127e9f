"""Puts a sticker into a scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutline.mockups.bends import Sheet, type_plane
from cutline.mockups.camera import apply_homography, type_matrix
from cutline.mockups.canvas import blurred, polygon_mask, shifted
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
    ground = picture[region.slices].astype(np.float32) / 255
    light = scene.light[region.slices].astype(np.float32)
    gloss = scene.gloss[region.slices].astype(np.float32) * np.float32(scene.finish.gloss)
    if sticker.liner_mm and scene.surface.kind == "sheet":
        ground = _lay(scene, ground, light, gloss, _liner(sticker, place, region))
    for seen in _sheets(sticker.face.shrunk_to(place.px_per_mm), place, region):
        ground = _lay(scene, ground, light, gloss, seen)
    picture[region.slices] = np.clip(np.rint(ground * 255), 0, 255)
    return picture


def _region(scene: Scene, sticker: StickerArt, place: Placement) -> _Region:
    """What the sticker and its shadow can touch."""
    outlines = [place.to_px(polygon) for polygon in sticker.outlines_mm]
    outlines += [apply_homography(place.homography, polygon) for polygon in sticker.liner_mm]
    points = np.concatenate(outlines)
    finish = scene.finish
    roll_px = scene.surface.roll * min(scene.size_px)
    margin = _MARGIN_BLURS * finish.shadow_blur_px + max(map(abs, finish.shadow_px)) + 4 * roll_px + 2
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    width, height = scene.size_px
    return _Region(
        max(0, int(low[0])), max(0, int(low[1])), min(width, int(high[0]) + 1), min(height, int(high[1]) + 1)
    )


def _sheets(face: Face, place: Placement, region: _Region) -> list[_Seen]:
    """What is seen of the face in the region, the lowest sheet first."""
    # Both frames have pixel centres at half-integers, OpenCV has them at integers: hence the halves.
    to_flat = place.homography @ np.linalg.inv(face.from_mm)
    if place.bend is None:
        half = _moved(0.5, 0.5)
        matrix = _moved(-region.left - 0.5, -region.top - 0.5) @ to_flat @ half
        pixels = cv2.warpPerspective(face.pixels, matrix, region.size_px, flags=cv2.INTER_LINEAR)
        return [_seen(pixels, None, None, back=False)]
    columns, rows = region.size_px
    x = np.tile(np.arange(columns, dtype=np.float32) + np.float32(region.left + 0.5), (rows, 1))
    y = np.repeat(np.arange(rows, dtype=np.float32) + np.float32(region.top + 0.5), columns).reshape(rows, columns)
    to_face = _moved(-0.5, -0.5) @ np.linalg.inv(to_flat)
    return [_sampled(face, to_face, sheet) for sheet in place.bend.sheets(x, y)]


def _sampled(face: Face, to_face: type_matrix, sheet: Sheet) -> _Seen:
    """The face under a sheet's map; flat pixels reach the face by an affine matrix."""
    a = to_face.astype(np.float32)
    x = a[0, 0] * sheet.x + a[0, 1] * sheet.y + a[0, 2]
    y = a[1, 0] * sheet.x + a[1, 1] * sheet.y + a[1, 2]
    pixels = cv2.remap(face.pixels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0, 0))
    return _seen(pixels, sheet.shade, sheet.height_px, back=sheet.back)


def _seen(pixels: NDArray[np.uint8], shade: type_plane | None, height_px: type_plane | None, *, back: bool) -> _Seen:
    scaled = pixels.astype(np.float32) / 255
    alpha = np.ascontiguousarray(scaled[:, :, 3])
    colour = alpha[:, :, None] * np.array(_BACK_OF_STICKER, dtype=np.float32) if back else scaled[:, :, :3]
    if shade is not None:
        colour = colour * shade[:, :, None]
    return _Seen(colour, alpha, height_px, back)


def _liner(sticker: StickerArt, place: Placement, region: _Region) -> _Seen:
    """The liner of a kiss-cut sticker, flat under it."""
    origin = np.array([region.left, region.top])
    polygons = [apply_homography(place.homography, polygon) - origin for polygon in sticker.liner_mm]
    alpha = polygon_mask(region.size_px, polygons).astype(np.float32) / 255
    return _Seen(alpha[:, :, None] * np.array(_LINER, dtype=np.float32), alpha, None, back=False)


def _lay(scene: Scene, ground: type_plane, light: type_plane, gloss: type_plane, seen: _Seen) -> type_plane:
    """Lays a sheet on the ground: its shadow on what is around it, its edge, then its lit face."""
    finish, alpha = scene.finish, seen.alpha
    towards = np.array(finish.shadow_px) / (np.hypot(*finish.shadow_px) or 1)
    ground = ground * (1 - _shadow(scene, seen))[:, :, None]
    step = towards * finish.edge_px
    edge = np.maximum(0, shifted(alpha, (float(step[0]), float(step[1]))) - alpha)[:, :, None]
    ground = ground + edge * (light * np.float32(_PAPER_EDGE) - ground)
    rim = alpha - shifted(alpha, (1.5 * float(towards[0]), 1.5 * float(towards[1])))
    relief = np.where(rim > 0, 1.0, 0.6).astype(np.float32) * np.float32(finish.rim) * rim
    face = seen.colour * light
    if not seen.back:
        face = face + (gloss * alpha)[:, :, None] * (1 - 0.6 * face)
    face = face + (relief * alpha)[:, :, None]
    return np.asarray(ground * (1 - alpha[:, :, None]) + face, dtype=np.float32)


def _shadow(scene: Scene, seen: _Seen) -> type_plane:
    """Depth of the shadow around a sheet, 0 to 1; where the sheet itself lies, the sheet covers it."""
    finish = scene.finish
    contact = np.float32(finish.contact) * blurred(seen.alpha, finish.contact_px)
    cast = np.float32(finish.shadow) * blurred(shifted(seen.alpha, finish.shadow_px), finish.shadow_blur_px)
    depth = 1 - (1 - contact) * (1 - cast)
    if seen.height_px is None or scene.surface.kind != "sheet":
        return np.asarray(depth, dtype=np.float32)
    # What stands off the ground throws a wider, softer shadow, the farther the higher.
    roll_px = scene.surface.roll * min(scene.size_px) * scene.surface.share
    raised = seen.alpha * np.clip(seen.height_px / roll_px, 0, 1)
    reach = (finish.shadow_px[0] + 0.7 * roll_px, finish.shadow_px[1] + 0.9 * roll_px)
    far = np.float32(0.8 * finish.shadow) * blurred(shifted(raised, reach), 0.6 * roll_px)
    return np.asarray(1 - (1 - depth) * (1 - far), dtype=np.float32)


def _moved(x_px: float, y_px: float) -> type_matrix:
    return np.array([[1, 0, x_px], [0, 1, y_px], [0, 0, 1]], dtype=np.float64)
