"""A turned body (bottle, cup, can) seen from slightly above, by parallel projection.

A point at angle a from the front and height h appears at
x = axis + r sin(a), y = base - h cos(tilt) + r sin(tilt) cos(a), all in pixels.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cutline.mockups.camera import Camera
from cutline.mockups.canvas import Canvas, blend, blurred, fixed_point, share_of
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
    round_mm: float = 0.0,
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
        round_mm: How far the profile's corners are rounded.
    """
    scale, tilt = camera.px_per_mm, np.radians(camera.pitch_deg)
    height, width = canvas.albedo.shape[:2]
    heights, radii = _rounded(profile, round_mm)
    silhouette = np.zeros((height, width), dtype=np.uint8)
    sides_px = base_px - heights * np.cos(tilt) * scale
    _outline(silhouette, axis_px, sides_px, radii * scale, float(np.sin(tilt)))
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


def _rounded(profile: list[tuple[float, float]], round_mm: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Heights and radii in steps of a quarter mm, with the corners between them rounded."""
    places, values = zip(*profile, strict=True)
    heights = np.linspace(places[0], places[-1], int((places[-1] - places[0]) * 4) + 2)
    return heights, _smoothed(np.interp(heights, places, values), round_mm * 4)


def _curve(angle_deg: NDArray[np.float32], stops: list[tuple[float, float]]) -> NDArray[np.float32]:
    """A value for every angle: the stops, joined without kinks (an eye finds them as bright lines)."""
    places, values = zip(*stops, strict=True)
    angles = np.linspace(-90, 90, 361)
    return np.asarray(np.interp(angle_deg, angles, _smoothed(np.interp(angles, places, values), 10)), dtype=np.float32)


def _smoothed(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    if sigma <= 0:
        return values
    smooth = cv2.GaussianBlur(values.reshape(1, -1), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smooth.ravel(), dtype=np.float64)


def _outline(
    mask: NDArray[np.uint8], axis_px: float, sides_px: NDArray[np.float64], radii_px: NDArray[np.float64], squash: float
) -> None:
    """Fills what the body covers: its profile and the ellipses of its ends."""
    right = np.column_stack([axis_px + radii_px, sides_px])
    left = np.column_stack([axis_px - radii_px, sides_px])[::-1]
    cv2.fillPoly(mask, [fixed_point(np.concatenate([right, left]))], 255, cv2.LINE_AA, 4)
    for y_px, radius_px in ((sides_px[0], radii_px[0]), (sides_px[-1], radii_px[-1])):
        centre = (round((axis_px - 0.5) * 16), round((y_px - 0.5) * 16))
        axes = (round(radius_px * 16), round(radius_px * squash * 16))
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
    canvas.sheen[:] += 0.25 * blurred(share_of(edge), 0.8)
