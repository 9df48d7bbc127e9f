"""Surfaces drawn from parameters: every material is a function of a size, a scale and a seed.

Each returns uint8 RGB of shape (height_px, width_px, 3). Lengths in parameters are mm, so that a material keeps its
grain at every scale.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

type_rgb = NDArray[np.uint8]
type_plane = NDArray[np.float32]
type_color = tuple[float, float, float]


def rgb(color: str) -> type_color:
    """The channels, 0 to 255, of "#rrggbb"."""
    return float(int(color[1:3], 16)), float(int(color[3:5], 16)), float(int(color[5:7], 16))


def noise(
    rng: np.random.Generator, size_px: tuple[int, int], cell_px: tuple[float, float], octaves: int = 1
) -> type_plane:
    """Smooth value noise of mean 0 and standard deviation 1.

    Args:
        rng: Where the values come from.
        size_px: Width and height.
        cell_px: Width and height of the coarsest cell.
        octaves: Layers, each of half the cell and half the height of the one before.
    """
    width, height = size_px
    total = np.zeros((height, width), dtype=np.float32)
    for octave in range(octaves):
        cell_x, cell_y = max(1.0, cell_px[0] / 2**octave), max(1.0, cell_px[1] / 2**octave)
        columns, rows = int(np.ceil(width / cell_x)) + 3, int(np.ceil(height / cell_y)) + 3
        grid = rng.standard_normal((rows, columns)).astype(np.float32)
        scale = np.array([[cell_x, 0, -cell_x], [0, cell_y, -cell_y]], dtype=np.float64)
        layer = cv2.warpAffine(grid, scale, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        total += layer * np.float32(0.5**octave)
    spread = float(total.std()) or 1.0
    return np.asarray((total - total.mean()) / spread, dtype=np.float32)


def oak(
    rng: np.random.Generator,
    size_px: tuple[int, int],
    px_per_mm: float,
    *,
    light: str = "#d9b88f",
    dark: str = "#a67c52",
    plank_mm: float = 0,
    ring_mm: float = 9,
) -> type_rgb:
    """Oiled wood with its grain along x; `plank_mm` above 0 lays it in planks of that width."""
    rows = np.arange(size_px[1], dtype=np.float32)[:, None] / px_per_mm
    planks = np.floor(rows / plank_mm) if plank_mm else np.zeros_like(rows)
    bend = noise(rng, size_px, (160 * px_per_mm, 26 * px_per_mm), 3)
    waves = rows / ring_mm + 1.3 * bend + planks * 2.7
    rings = (0.5 + 0.5 * np.sin(2 * np.pi * waves).astype(np.float32)) ** 2
    fibre = noise(rng, size_px, (22 * px_per_mm, 0.35 * px_per_mm), 2)
    pores = np.clip(noise(rng, size_px, (9 * px_per_mm, 0.5 * px_per_mm)) - 1.7, 0, 1)
    share = 0.42 * rings + 0.12 * fibre + 0.16 * bend + 0.08
    if plank_mm:
        tone = rng.standard_normal(int(planks.max()) + 1).astype(np.float32)
        share = share + 0.16 * tone[planks.astype(np.int32)]
    wood = _mixed(light, dark, share) * (1 - 0.28 * pores[:, :, None])
    if plank_mm:
        gap_mm = np.abs(rows - np.round(rows / plank_mm) * plank_mm)
        wood *= (1 - 0.6 * np.exp(-((gap_mm / 0.45) ** 2)))[:, :, None]
    return _rounded(wood)


def brushed(
    rng: np.random.Generator,
    size_px: tuple[int, int],
    px_per_mm: float,
    *,
    color: str = "#c9ccd1",
    strength: float = 0.012,
) -> type_rgb:
    """Bead-blasted or brushed metal: streaks along x over a fine grain."""
    streaks = noise(rng, size_px, (40 * px_per_mm, 0.25 * px_per_mm), 2)
    grain = rng.standard_normal((size_px[1], size_px[0])).astype(np.float32)
    return _rounded(_plain(color, 1 + strength * streaks + 0.8 * strength * grain))


def leather(
    rng: np.random.Generator,
    size_px: tuple[int, int],
    px_per_mm: float,
    *,
    color: str = "#27424d",
    strength: float = 0.05,
    pebble_mm: float = 0.9,
) -> type_rgb:
    """Grained book cloth or leatherette, lit from the top left."""
    relief = noise(rng, size_px, (pebble_mm * px_per_mm, pebble_mm * px_per_mm), 2)
    slope = cv2.filter2D(relief, cv2.CV_32F, np.array([[-1, -1, 0], [-1, 0, 1], [0, 1, 1]], dtype=np.float32))
    wear = noise(rng, size_px, (70 * px_per_mm, 70 * px_per_mm), 2)
    return _rounded(_plain(color, 1 - strength * slope / 2 + 0.03 * wear))


def linen(
    rng: np.random.Generator,
    size_px: tuple[int, int],
    px_per_mm: float,
    *,
    color: str = "#e6ddd0",
    strength: float = 0.05,
    thread_mm: float = 0.8,
) -> type_rgb:
    """Plain-woven cloth: uneven threads along x and y."""
    along = noise(rng, size_px, (12 * px_per_mm, thread_mm * px_per_mm), 2)
    across = noise(rng, size_px, (thread_mm * px_per_mm, 12 * px_per_mm), 2)
    folds = noise(rng, size_px, (120 * px_per_mm, 90 * px_per_mm), 2)
    return _rounded(_plain(color, 1 + strength * (0.6 * along + 0.6 * across) + 0.02 * folds))


def plaster(
    rng: np.random.Generator,
    size_px: tuple[int, int],
    px_per_mm: float,
    *,
    color: str = "#eae4da",
    strength: float = 0.02,
    patch_mm: float = 60,
) -> type_rgb:
    """Smooth wall, card or stone: soft patches and a fine grain."""
    patches = noise(rng, size_px, (patch_mm * px_per_mm, patch_mm * px_per_mm), 5)
    grain = cv2.GaussianBlur(rng.standard_normal((size_px[1], size_px[0])).astype(np.float32), (0, 0), 0.7)
    return _rounded(_plain(color, 1 + strength * patches + strength * grain))


Material = Callable[..., type_rgb]
MATERIALS: Final[dict[str, Material]] = {
    "oak": oak,
    "brushed": brushed,
    "leather": leather,
    "linen": linen,
    "plaster": plaster,
}


def draw_material(
    name: str, size_px: tuple[int, int], px_per_mm: float, seed: int, options: dict[str, Any]
) -> type_rgb:
    """Draws a material by name; the same arguments give the same pixels."""
    return MATERIALS[name](np.random.default_rng(seed), size_px, px_per_mm, **options)


def _plain(color: str, brightness: type_plane) -> type_plane:
    return np.asarray(brightness[:, :, None] * np.array(rgb(color), dtype=np.float32), dtype=np.float32)


def _mixed(first: str, second: str, share: type_plane) -> type_plane:
    low, high = np.array(rgb(first), dtype=np.float32), np.array(rgb(second), dtype=np.float32)
    return np.asarray(low + np.clip(share, -0.2, 1.2)[:, :, None] * (high - low), dtype=np.float32)


def _rounded(pixels: type_plane) -> type_rgb:
    return np.asarray(np.clip(np.rint(pixels), 0, 255), dtype=np.uint8)
