"""Puts a sticker into a scene."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutline.mockups.bends import BentLayer, type_plane, type_points
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
_EDGE_MARGIN_PX: Final = 4
"""Room for the antialiased edge and the sheet's thickness."""
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

    @classmethod
    def around(cls, points_px: type_points, margin_px: int, size_px: tuple[int, int]) -> _Region:
        low, high = np.floor(points_px.min(axis=0)) - margin_px, np.ceil(points_px.max(axis=0)) + margin_px
        left, top = (int(np.clip(value, 0, limit)) for value, limit in zip(low, size_px, strict=True))
        right, bottom = (int(np.clip(value, 0, limit)) for value, limit in zip(high, size_px, strict=True))
        return cls(left, top, right, bottom)

    def grown(self, margin_px: int, size_px: tuple[int, int]) -> _Region:
        return _Region.around(
            np.array([[self.left, self.top], [self.right, self.bottom]], dtype=np.float64), margin_px, size_px
        )

    def within(self, other: _Region) -> tuple[slice, slice]:
        rows = slice(self.top - other.top, self.bottom - other.top)
        return rows, slice(self.left - other.left, self.right - other.left)

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def size_px(self) -> tuple[int, int]:
        return self.right - self.left, self.bottom - self.top


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """A sheet as it appears in a region: premultiplied colour and alpha, 0 to 1, and how high it stands."""

    region: _Region
    colour: type_plane
    alpha: type_plane
    height_px: type_plane | None = None
    back: bool = False


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
    for piece in _pieces(scene, sticker, place):
        _lay(scene, picture, piece)
    return picture


def _pieces(scene: Scene, sticker: StickerArt, place: Placement) -> Iterator[_Piece]:
    """Every sheet that is seen, the lowest first."""
    if sticker.liner_mm and scene.surface.kind == "sheet":
        yield _liner(scene, sticker, place)
    face = sticker.face.shrunk_to(place.px_per_mm)
    # Both frames have pixel centres at half-integers, OpenCV has them at integers: hence the halves.
    to_flat = place.homography @ inverse(face.from_mm) @ _moved(0.5, 0.5)
    flat_px = apply_homography(place.homography, np.concatenate(sticker.outlines_mm))
    if place.bend is None:
        region = _Region.around(flat_px, _EDGE_MARGIN_PX, scene.size_px)
        matrix = _moved(-region.left - 0.5, -region.top - 0.5) @ to_flat
        colour, alpha = _shares(cv2.warpPerspective(face.pixels, matrix, region.size_px, flags=cv2.INTER_LINEAR))
        yield _Piece(region, colour, alpha)
        return
    for layer in place.bend.layers(flat_px):
        region = _Region.around(layer.reach_px, _EDGE_MARGIN_PX, scene.size_px)
        if min(region.size_px) > 0:
            yield _bent(face, inverse(to_flat), layer, region)


def _bent(face: Face, to_face: type_matrix, layer: BentLayer, region: _Region) -> _Piece:
    """The face under a layer's map; flat pixels reach the face by an affine matrix."""
    columns, rows = region.size_px
    x = np.tile(np.arange(columns, dtype=np.float32) + np.float32(region.left + 0.5), (rows, 1))
    y = np.repeat(np.arange(rows, dtype=np.float32) + np.float32(region.top + 0.5), columns).reshape(rows, columns)
    sheet = layer.sheet(x, y)
    a = to_face.astype(np.float32)
    face_x, face_y = (a[row, 0] * sheet.x + a[row, 1] * sheet.y + a[row, 2] for row in (0, 1))
    clear = (0, 0, 0, 0)
    pixels = cv2.remap(face.pixels, face_x, face_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=clear)
    colour, alpha = _shares(pixels)
    alpha *= sheet.cover
    if sheet.back:
        colour = as_plane((alpha * sheet.shade)[:, :, None] * np.array(_BACK_OF_STICKER, dtype=np.float32))
    else:
        colour *= (sheet.cover * sheet.shade)[:, :, None]
    return _Piece(region, colour, alpha, sheet.height_px, sheet.back)


def _shares(pixels: Any) -> tuple[type_plane, type_plane]:
    """Colour and alpha, 0 to 1, of uint8 premultiplied RGBA."""
    scaled = np.multiply(pixels, np.float32(1 / 255), dtype=np.float32)
    return as_plane(scaled[:, :, :3]), as_plane(scaled[:, :, 3].copy())


def _liner(scene: Scene, sticker: StickerArt, place: Placement) -> _Piece:
    """The liner of a kiss-cut sticker, flat under it."""
    polygons = [apply_homography(place.homography, polygon) for polygon in sticker.liner_mm]
    region = _Region.around(np.concatenate(polygons), _EDGE_MARGIN_PX, scene.size_px)
    corner = np.array([region.left, region.top])
    alpha = share_of(polygon_mask(region.size_px, [polygon - corner for polygon in polygons]))
    return _Piece(region, as_plane(alpha[:, :, None] * np.array(_LINER)), alpha)


def _lay(scene: Scene, picture: NDArray[np.uint8], piece: _Piece) -> None:
    """Lays a piece on the picture, in place: its shadow on what is around it, its edge, then its lit face."""
    finish, region, alpha = scene.finish, piece.region, piece.alpha
    towards = np.array(finish.shadow_px) / (np.hypot(*finish.shadow_px) or 1)
    step = towards * finish.edge_px
    edge = np.maximum(0, shifted(alpha, (float(step[0]), float(step[1]))) - alpha)
    rim = alpha - shifted(alpha, (1.5 * float(towards[0]), 1.5 * float(towards[1])))
    relief = np.where(rim > 0, np.float32(finish.rim), np.float32(0.6 * finish.rim)) * rim
    light = scene.light[region.slices].astype(np.float32)
    face = piece.colour * light
    shine = relief * alpha + np.float32(_PAPER_EDGE) * edge * light[:, :, 1]
    if not piece.back:
        # Highlights add less where the face is bright already: face + gloss x (1 - 0.6 face).
        gloss = np.float32(finish.gloss) * scene.gloss[region.slices] * alpha
        face *= (1 - np.float32(0.6) * gloss)[:, :, None]
        shine += gloss
    face += shine[:, :, None]
    wide = region.grown(_reach_px(scene), scene.size_px)
    inner = region.within(wide)
    kept = 1 - _shadow(scene, piece, wide)
    kept[inner] *= (1 - edge) * (1 - alpha)
    ground = picture[wide.slices] * kept[:, :, None]
    ground[inner] += 255 * face
    np.clip(ground, 0, 255, out=ground)
    ground += 0.5
    picture[wide.slices] = ground


def _reach_px(scene: Scene) -> int:
    """How far a sticker's shadow reaches beyond it."""
    finish = scene.finish
    return int(_MARGIN_BLURS * finish.shadow_blur_px + max(map(abs, finish.shadow_px)) + 3 * _roll_px(scene)) + 2


def _roll_px(scene: Scene) -> float:
    return scene.surface.roll * scene.surface.share * min(scene.size_px)


def _shadow(scene: Scene, piece: _Piece, wide: _Region) -> type_plane:
    """Depth of the shadow around a piece, 0 to 1; where the piece itself lies, it covers the shadow."""
    finish = scene.finish
    inner = piece.region.within(wide)
    shape = np.zeros(wide.size_px[::-1], dtype=np.float32)
    shape[inner] = piece.alpha
    contact = np.float32(finish.contact) * blurred(shape, finish.contact_px)
    cast = np.float32(finish.shadow) * blurred(shifted(shape, finish.shadow_px), finish.shadow_blur_px)
    depth = 1 - (1 - contact) * (1 - cast)
    if piece.height_px is None or scene.surface.kind != "sheet":
        return as_plane(depth)
    # What stands off the ground throws a wider, softer shadow, the farther the higher.
    roll_px = _roll_px(scene)
    shape[inner] *= np.clip(piece.height_px / np.float32(roll_px), 0, 1)
    reach = (finish.shadow_px[0] + 0.7 * roll_px, finish.shadow_px[1] + 0.9 * roll_px)
    far = np.float32(0.8 * finish.shadow) * blurred(shifted(shape, reach), 0.6 * roll_px)
    return as_plane(1 - (1 - depth) * (1 - far))


def _moved(x_px: float, y_px: float) -> type_matrix:
    return np.array([[1, 0, x_px], [0, 1, y_px], [0, 0, 1]], dtype=np.float64)
