"""Backgrounds that look photographed: detail at every scale, depth of field, uneven light, grain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.quality.noise import fractal_noise

type_levels = NDArray[np.float32]
type_rgb = NDArray[np.uint8]

_GRAIN: Final = 3.0


def _foliage(width: int, height: int, rng: np.random.Generator) -> type_rgb:
    """Leaves in layers, the far ones out of focus."""
    picture = np.full((height, width, 3), (28, 44, 22), np.float32)
    for blur_px, count, size in ((9.0, 160, 70), (3.0, 220, 52), (0.6, 240, 38)):
        for _ in range(count):
            centre = (int(rng.integers(width)), int(rng.integers(height)))
            axes = (int(size * rng.uniform(0.6, 1.3)), int(size * rng.uniform(0.2, 0.45)))
            tone = rng.uniform(0.45, 1.25)
            colour = np.clip(np.array([70 + rng.uniform(-30, 70), 115 + rng.uniform(-25, 45), 45]) * tone, 0, 255)
            cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour.tolist(), -1, cv2.LINE_AA)
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), blur_px), dtype=np.float32)
    return _photographed(picture, rng)


def _wood(width: int, height: int, rng: np.random.Generator) -> type_rgb:
    """Boards with grain, knots left out."""
    shape = (height, width)
    board = height / 5
    rows = np.arange(height, dtype=np.float32)[:, None]
    grain = 0.5 * fractal_noise(rng, shape, (7, 420), 3) + 0.4 * fractal_noise(rng, shape, (60, 700), 3)
    tone = np.repeat(rng.uniform(-0.35, 0.35, 6)[(rows[:, 0] // board).astype(int)][:, None], width, axis=1)
    gap = np.minimum(rows % board, board - rows % board) < 2.5
    shade = np.clip(1 + 0.22 * (grain + tone), 0.3, 1.6)
    shade = np.where(gap, 0.35, shade).astype(np.float32)
    return _photographed(np.asarray(shade[..., None] * np.array([158, 108, 68], np.float32)), rng)


def _bokeh(width: int, height: int, rng: np.random.Generator) -> type_rgb:
    """Lights out of focus over dusk."""
    shade = 0.5 + 0.12 * fractal_noise(rng, (height, width), 300, 3)
    picture = np.asarray(shade[..., None] * np.array([70, 62, 96], np.float32))
    lights = np.zeros_like(picture)
    for _ in range(70):
        light = np.zeros((height, width), np.uint8)
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.circle(light, centre, int(rng.uniform(14, 74)), 1, -1)
        colour = np.array([200 + rng.uniform(-40, 55), 150 + rng.uniform(-70, 80), 90 + rng.uniform(-60, 120)])
        lights[light > 0] += colour.astype(np.float32) * np.float32(rng.uniform(0.25, 0.8))
    return _photographed(picture + np.asarray(cv2.GaussianBlur(lights, (0, 0), 2.5), dtype=np.float32), rng)


def _plaster(width: int, height: int, rng: np.random.Generator) -> type_rgb:
    """A weathered wall: one hue, restless at every scale."""
    shape = (height, width)
    shade = 1 + 0.10 * fractal_noise(rng, shape, 220, 6) + 0.05 * rng.standard_normal(shape).astype(np.float32)
    hue = rng.uniform(0.75, 1.1, 3).astype(np.float32) * np.float32(165)
    return _photographed(np.asarray(shade[..., None] * hue), rng)


def _photographed(picture: type_levels, rng: np.random.Generator) -> type_rgb:
    """Adds uneven light and grain."""
    height, width = picture.shape[:2]
    light = 1 + 0.08 * fractal_noise(rng, (height, width), 600, 1)
    grain = _GRAIN * rng.standard_normal((height, width, 1)).astype(np.float32)
    return np.asarray(np.clip(np.rint(picture * light[..., None] + grain), 0, 255), dtype=np.uint8)


PHOTO_LIKE: Final[dict[str, Callable[[int, int, np.random.Generator], type_rgb]]] = {
    "foliage": _foliage,
    "wood": _wood,
    "bokeh": _bokeh,
    "plaster": _plaster,
}
