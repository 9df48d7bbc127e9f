"""A turned body (bottle, cup, can) seen from slightly above, by parallel projection.

A point at angle a from the front and height h appears at
x = axis + r sin(a), y = base - h cos(tilt) + r sin(tilt) cos(a), all in pixels.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cutline.mockups.camera import Camera
from cutline.mockups.canvas import Canvas, blend, blurred
from cutline.mockups.materials import noise, rgb


def paint_lathe(
    canvas: Canvas,
    camera: Camera,
    *,
    axis_px: float,
    base_px: float,
    profile: list[tuple[float, float]],
    color: str,
    light: list[tuple[float, float]],
    sheen: list[tuple[float, float]],
    grain: float = 0.0,
    seed: int = 0,
    cap: str = "",
) -> None:
    """Paints the body from its base upwards.

    Args:
        canvas: Where to paint.
        camera: Gives px_per_mm and, by its pitch, the tilt.
        axis_px: x of the axis.
        base_px: y of the axis at height 0.
        profile: (height, radius) in mm from the base up.
        color: Albedo.
        light: (angle in degrees from -90 left to 90 right, brightness).
        sheen: (angle, highlight) of the body itself.
        grain: Strength of a powder coat's texture.
        seed: Of that texture.
        cap: Albedo of the flat top; empty takes `color`.
    """
    scale, tilt = camera.px_per_mm, np.radians(camera.pitch_deg)
    height, width = canvas.albedo.shape[:2]
    heights, radii = (np.array(values) for values in zip(*profile, strict=True))
    silhouette = np.zeros((height, width), dtype=np.uint8)
    _outline(silhouette, axis_px, base_px, heights, radii, scale, float(tilt))
    row_mm = (base_px - np.arange(height) - 0.5) / (np.cos(tilt) * scale)
    radius_px = np.interp(row_mm, heights, radii)[:, None] * scale
    sine = np.clip((np.arange(width) + 0.5 - axis_px)[None, :] / radius_px, -1, 1)
    seen = np.degrees(np.arcsin(sine)).astype(np.float32)
    body = np.empty_like(canvas.albedo)
    texture = 1 + grain * noise(np.random.default_rng(seed), (width, height), (2.2, 2.2), 2)
    body[:] = np.clip(np.array(rgb(color), dtype=np.float32) * texture[:, :, None], 0, 255)
    blend(canvas, body, silhouette)
    share = silhouette.astype(np.float32) / 255
    canvas.light[:] *= (1 + share * (_curve(seen, light) - 1))[:, :, None]
    canvas.sheen[:] += share * _curve(seen, sheen)
    centre = (axis_px, base_px - float(heights[-1]) * np.cos(tilt) * scale)
    _lid(canvas, centre, float(radii[-1]) * scale, float(np.sin(tilt)), cap or color)


def _curve(angle_deg: NDArray[np.float32], stops: list[tuple[float, float]]) -> NDArray[np.float32]:
    places, values = zip(*stops, strict=True)
    return np.asarray(np.interp(angle_deg, places, values), dtype=np.float32)


def _outline(
    mask: NDArray[np.uint8],
    axis_px: float,
    base_px: float,
    heights: NDArray[np.float64],
    radii: NDArray[np.float64],
    scale: float,
    tilt: float,
) -> None:
    """Fills what the body covers: its profile and the ellipses of its ends."""
    sides = base_px - heights * np.cos(tilt) * scale
    right = np.column_stack([axis_px + radii * scale, sides])
    left = np.column_stack([axis_px - radii * scale, sides])[::-1]
    polygon = np.concatenate([right, left])
    cv2.fillPoly(mask, [np.rint((polygon - 0.5) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    for y_px, radius in ((sides[0], radii[0]), (sides[-1], radii[-1])):
        centre = (round((axis_px - 0.5) * 16), round((y_px - 0.5) * 16))
        axes = (round(radius * scale * 16), round(radius * scale * np.sin(tilt) * 16))
        cv2.ellipse(mask, centre, axes, 0, 0, 360, 255, -1, cv2.LINE_AA, 4)


def _lid(canvas: Canvas, centre: tuple[float, float], radius: float, squash: float, color: str) -> None:
    """The flat top, evenly lit, with a thin bright edge."""
    mask = np.zeros(canvas.albedo.shape[:2], dtype=np.uint8)
    middle = (round((centre[0] - 0.5) * 16), round((centre[1] - 0.5) * 16))
    axes = (round(radius * 16), round(radius * squash * 16))
    cv2.ellipse(mask, middle, axes, 0, 0, 360, 255, -1, cv2.LINE_AA, 4)
    top = np.empty_like(canvas.albedo)
    top[:] = rgb(color)
    canvas.sheen[mask > 0] = 0
    blend(canvas, top, mask)
    edge = np.zeros_like(mask)
    cv2.ellipse(edge, middle, axes, 0, 0, 180, 255, 2, cv2.LINE_AA, 4)
    canvas.sheen[:] += 0.25 * blurred(edge.astype(np.float32) / 255, 0.8)
