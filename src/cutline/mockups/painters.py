"""What a scene file can ask for: one painter a kind of layer, in world mm or in pixels of the picture."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any, Final

import cv2
import numpy as np
import resvg_py
from numpy.typing import NDArray
from PIL import Image

from cutline.mockups.camera import Camera, apply_homography, inverse, type_matrix
from cutline.mockups.canvas import Canvas, as_plane, blend, blurred, fixed_point, polygon_mask, share_of
from cutline.mockups.lathe import paint_lathe
from cutline.mockups.materials import draw_material, rgb, type_plane, type_rgb

Layer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Studio:
    """What every painter needs besides its layer: the canvas, the camera and the scene's folder."""

    canvas: Canvas
    camera: Camera
    folder: Traversable


def paint(studio: Studio, layer: Layer) -> None:
    """Paints one layer; `kind` names the painter and every other key is its parameter."""
    options = dict(layer)
    PAINTERS[options.pop("kind")](studio, **options)


def render_svg(source: Traversable, width_px: int) -> NDArray[np.uint8]:
    """An SVG file as uint8 RGBA, straight alpha, at a width in pixels."""
    png = resvg_py.svg_to_bytes(svg_string=source.read_text("utf-8"), width=width_px, skip_system_fonts=True)
    with Image.open(io.BytesIO(png)) as picture:
        return np.array(picture.convert("RGBA"), dtype=np.uint8)


def rounded_rectangle(size_mm: tuple[float, float], corner_mm: float) -> NDArray[np.float64]:
    """Outline of a rectangle with round corners around the origin, clockwise as seen."""
    half_width, half_height = size_mm[0] / 2 - corner_mm, size_mm[1] / 2 - corner_mm
    points = []
    for sign_x, sign_y, start in ((1, -1, -90), (1, 1, 0), (-1, 1, 90), (-1, -1, 180)):
        angles = np.radians(start + np.linspace(0, 90, 12))
        corner = np.column_stack([np.cos(angles), np.sin(angles)]) * corner_mm
        points.append(corner + np.array([sign_x * half_width, sign_y * half_height]))
    return np.concatenate(points)


def _table(studio: Studio, *, material: str, seed: int, rotation_deg: float = 0, **options: Any) -> None:
    """Covers the table with a material, as far as the eye sees."""
    width, height = studio.canvas.size_px
    to_px = studio.camera.plane(0, rotation_deg=rotation_deg)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
    seen_mm = apply_homography(inverse(to_px), corners)
    low, high = seen_mm.min(axis=0), seen_mm.max(axis=0)
    scale = studio.camera.px_per_mm
    size = (int((high[0] - low[0]) * scale) + 1, int((high[1] - low[1]) * scale) + 1)
    texture = draw_material(material, size, scale, seed, options)
    from_texture = np.array([[1 / scale, 0, low[0]], [0, 1 / scale, low[1]], [0, 0, 1]])
    studio.canvas.albedo[:] = _warped(texture, to_px @ from_texture, (width, height))


def _slab(
    studio: Studio,
    *,
    size_mm: tuple[float, float],
    centre_mm: tuple[float, float],
    corner_mm: float,
    bottom_mm: float,
    top_mm: float,
    sides: list[tuple[float, str]],
    material: str,
    seed: int,
    rotation_deg: float = 0,
    rim: str = "",
    rim_px: float = 1.6,
    art: str = "",
    shadow: Layer | None = None,
    **options: Any,
) -> None:
    """A flat body with round corners: shadow, sides, top, rim, and art (SVG over the whole top) on it.

    `sides` are colours by height, 0 at the bottom and 1 at the top.
    """
    outline = rounded_rectangle(size_mm, corner_mm)
    canvas, camera = studio.canvas, studio.camera

    def at_height(z_mm: float) -> NDArray[np.float64]:
        return apply_homography(camera.plane(z_mm, centre_mm=centre_mm, rotation_deg=rotation_deg), outline)

    if shadow:
        _cast(canvas, at_height(0), **shadow)
    body = canvas.albedo.copy()
    silhouette = np.zeros(body.shape[:2], dtype=np.uint8)
    stops, colours = [stop for stop, _ in sides], np.array([rgb(color) for _, color in sides])
    for share in np.linspace(0, 1, 32):
        polygon = [fixed_point(at_height(bottom_mm + share * (top_mm - bottom_mm)))]
        colour = tuple(float(np.interp(share, stops, colours[:, channel])) for channel in range(3))
        cv2.fillPoly(body, polygon, colour, cv2.LINE_AA, 4)
        cv2.fillPoly(silhouette, polygon, 255, cv2.LINE_AA, 4)
    blend(canvas, body, silhouette)
    scale = camera.px_per_mm * 1.15
    size = (round(size_mm[0] * scale), round(size_mm[1] * scale))
    texture = draw_material(material, size, scale, seed, options)
    if art:
        texture = _over(texture, render_svg(studio.folder / art, size[0]))
    to_px = camera.plane(top_mm, centre_mm=centre_mm, rotation_deg=rotation_deg)
    from_texture = np.array([[1 / scale, 0, -size_mm[0] / 2], [0, 1 / scale, -size_mm[1] / 2], [0, 0, 1]])
    blend(
        canvas,
        _warped(texture, to_px @ from_texture, canvas.size_px),
        polygon_mask(canvas.size_px, [at_height(top_mm)]),
    )
    if rim:
        _stroke(canvas, at_height(top_mm), rim, rim_px)


def _cast(
    canvas: Canvas,
    footprint: NDArray[np.float64],
    *,
    offset_px: tuple[float, float],
    blur_px: float,
    opacity: float,
    contact_px: float = 6,
    contact: float = 0.55,
) -> None:
    """Darkens the light around a footprint: a tight contact shadow and a soft cast one."""
    cast = blurred(share_of(polygon_mask(canvas.size_px, [footprint + np.array(offset_px)])), blur_px)
    touch = blurred(share_of(polygon_mask(canvas.size_px, [footprint])), contact_px)
    _tint(canvas, as_plane((1 - opacity * cast) * (1 - contact * touch)))


def _decal(
    studio: Studio,
    *,
    art: str,
    size_mm: tuple[float, float],
    centre_mm: tuple[float, float],
    z_mm: float = 0,
    rotation_deg: float = 0,
    shadow_mm: tuple[float, float] = (0, 0),
    blur_px: float = 5,
    opacity: float = 0,
) -> None:
    """Flat art (SVG) at a height above the table, with the shadow it throws."""
    canvas, scale = studio.canvas, studio.camera.px_per_mm * 1.15
    pixels = render_svg(studio.folder / art, round(size_mm[0] * scale))
    scale = pixels.shape[1] / size_mm[0]
    to_px = studio.camera.plane(z_mm, centre_mm=centre_mm, rotation_deg=rotation_deg)
    matrix = to_px @ np.array([[1 / scale, 0, -size_mm[0] / 2], [0, 1 / scale, -size_mm[1] / 2], [0, 0, 1]])
    if opacity:
        moved = (centre_mm[0] + shadow_mm[0], centre_mm[1] + shadow_mm[1])
        ground = studio.camera.plane(0, centre_mm=moved, rotation_deg=rotation_deg) @ inverse(to_px) @ matrix
        shape = cv2.warpPerspective(pixels[:, :, 3], ground, canvas.size_px, flags=cv2.INTER_LINEAR)
        _tint(canvas, 1 - opacity * blurred(as_plane(as_plane(shape) / 255), blur_px))
    pixels[:, :, :3] = _bled(pixels)
    warped = cv2.warpPerspective(pixels, matrix, canvas.size_px, flags=cv2.INTER_LINEAR)
    blend(canvas, np.asarray(warped[:, :, :3], dtype=np.uint8), np.ascontiguousarray(warped[:, :, 3]))


def _wall(studio: Studio, *, stops: list[tuple[float, str]], seed: int, material: str = "", **options: Any) -> None:
    """A backdrop that ignores perspective: colours from top to bottom over a material."""
    canvas = studio.canvas
    width, height = canvas.size_px
    rows = np.linspace(0, 1, height)
    positions, colours = [stop for stop, _ in stops], np.array([rgb(color) for _, color in stops])
    column = np.stack([np.interp(rows, positions, colours[:, channel]) for channel in range(3)], axis=1)
    wall = np.repeat(column.astype(np.float32)[:, None, :], width, axis=1)
    if material:
        texture = draw_material(
            material, (width, height), studio.camera.px_per_mm, seed, {"color": "#c0c0c0"} | options
        )
        wall *= texture.astype(np.float32) / np.float32(texture.mean())
    # Rounding by chance keeps slow gradients from banding.
    wall += np.random.default_rng(seed).uniform(-0.5, 0.5, wall.shape[:2]).astype(np.float32)[:, :, None]
    canvas.albedo[:] = np.clip(np.rint(wall), 0, 255)


def _shade(
    studio: Studio,
    *,
    start: tuple[float, float],
    end: tuple[float, float],
    colors: tuple[str, str],
    gain: tuple[float, float] = (1, 1),
) -> None:
    """Light that changes from one point of the picture (0 to 1 each way) to another."""
    along = _along(studio.canvas.size_px, start, end)[:, :, None]
    first, last = (
        np.array(rgb(color), dtype=np.float32) / 255 * power for color, power in zip(colors, gain, strict=True)
    )
    studio.canvas.light[:] *= first + along * (last - first)


def _spot(
    studio: Studio, *, centre: tuple[float, float], radius: tuple[float, float], gain: tuple[float, float]
) -> None:
    """Light that falls off around a point of the picture; `radius` is in picture widths and heights."""
    width, height = studio.canvas.size_px
    x = (np.arange(width, dtype=np.float32) / width - centre[0]) / radius[0]
    y = (np.arange(height, dtype=np.float32) / height - centre[1]) / radius[1]
    fall = np.exp(-(x[None, :] ** 2 + y[:, None] ** 2))
    _tint(studio.canvas, np.asarray(gain[1] + (gain[0] - gain[1]) * fall, dtype=np.float32))


def _gobo(studio: Studio, *, art: str, blur_px: float, strength: float, tint: str = "#000000") -> None:
    """Shadows thrown into the picture from outside: an SVG over the whole picture, black where it shades."""
    canvas = studio.canvas
    mask = render_svg(studio.folder / art, canvas.size_px[0])[: canvas.size_px[1], :, 3]
    shade = blurred(share_of(mask), blur_px) * np.float32(strength)
    colour = np.array(rgb(tint), dtype=np.float32) / 255
    canvas.light[:] *= 1 - shade[:, :, None] * (1 - colour)


def _gloss(
    studio: Studio,
    *,
    start: tuple[float, float],
    end: tuple[float, float],
    bands: list[tuple[float, float, float]],
    sheen: float = 0,
) -> None:
    """Soft bands of reflected light: (place from start to end, width, strength); `sheen` is the backdrop's share."""
    along = _along(studio.canvas.size_px, start, end)
    total = np.zeros_like(along)
    for place, width, strength in bands:
        total += np.float32(strength) * np.exp(-(((along - place) / width) ** 2))
    studio.canvas.gloss[:] += total
    studio.canvas.sheen[:] += np.float32(sheen) * total


def _defocus(studio: Studio, *, start: float, end: float, blur_px: float) -> None:
    """Blurs what is painted so far, from `start` of the height (sharp) to `end` (fully blurred)."""
    albedo, light = studio.canvas.albedo, studio.canvas.light
    rows = np.linspace(0, 1, albedo.shape[0], dtype=np.float32)
    share = np.clip((rows - start) / (end - start), 0, 1)[:, None, None]
    soft = blurred(albedo.astype(np.float32), blur_px)
    albedo[:] = np.rint(albedo + share * (soft - albedo))
    light += share * (blurred(light, blur_px) - light)


def _lathe(studio: Studio, **options: Any) -> None:
    """A turned body such as a bottle."""
    paint_lathe(studio.canvas, studio.camera, **options)


PAINTERS: Final[dict[str, Callable[..., None]]] = {
    "table": _table,
    "slab": _slab,
    "decal": _decal,
    "wall": _wall,
    "shade": _shade,
    "spot": _spot,
    "gobo": _gobo,
    "gloss": _gloss,
    "defocus": _defocus,
    "lathe": _lathe,
}


def _along(size_px: tuple[int, int], start: tuple[float, float], end: tuple[float, float]) -> type_plane:
    """How far each pixel lies from start (0) to end (1), measured along their line and clamped to it."""
    width, height = size_px
    step = ((end[0] - start[0]) * width, (end[1] - start[1]) * height)
    length = step[0] ** 2 + step[1] ** 2
    x = np.arange(width, dtype=np.float32) - start[0] * width
    y = np.arange(height, dtype=np.float32) - start[1] * height
    share = (x[None, :] * step[0] + y[:, None] * step[1]) / length
    return np.asarray(np.clip(share, 0, 1), dtype=np.float32)


def _tint(canvas: Canvas, shade: type_plane) -> None:
    canvas.light[:] *= shade[:, :, None]


def _stroke(canvas: Canvas, polygon: NDArray[np.float64], color: str, width_px: float) -> None:
    """A soft bright or dark line along an outline."""
    mask = np.zeros(canvas.albedo.shape[:2], dtype=np.uint8)
    cv2.polylines(mask, [fixed_point(polygon)], isClosed=True, color=255, thickness=2, lineType=cv2.LINE_AA, shift=4)
    share = np.minimum(1, blurred(share_of(mask), width_px / 2))[:, :, None] * 0.8
    canvas.albedo[:] = np.rint(canvas.albedo + share * (np.array(rgb(color), dtype=np.float32) - canvas.albedo))


def _warped(texture: type_rgb, matrix: type_matrix, size_px: tuple[int, int]) -> type_rgb:
    """A texture under a homography between pixel frames whose centres lie at half-integers."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    return np.asarray(
        cv2.warpPerspective(
            texture,
            inverse(half) @ matrix @ half,
            size_px,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        dtype=np.uint8,
    )


def _over(ground: type_rgb, art: NDArray[np.uint8]) -> type_rgb:
    if art.shape[:2] != ground.shape[:2]:
        art = np.asarray(cv2.resize(art, ground.shape[1::-1], interpolation=cv2.INTER_AREA), dtype=np.uint8)
    share = art[:, :, 3:].astype(np.float32) / 255
    return np.asarray(np.rint(ground + share * (art[:, :, :3].astype(np.float32) - ground)), dtype=np.uint8)


def _bled(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colours carried a little beyond the shape, so that warping straight alpha draws no dark rim."""
    solid = (pixels[:, :, 3] > 128).astype(np.uint8)
    spread = cv2.dilate(pixels[:, :, :3] * solid[:, :, None], np.ones((5, 5), np.uint8))
    return np.asarray(np.where(solid[:, :, None] > 0, pixels[:, :, :3], spread), dtype=np.uint8)
