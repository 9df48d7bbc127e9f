"""Smooth random fields for textures."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray


def fractal_noise(
    rng: np.random.Generator, shape: tuple[int, int], scale_px: float | tuple[float, float], octaves: int = 4
) -> NDArray[np.float32]:
    """Smooth noise of about unit spread, shape (height, width).

    Args:
        rng: Where it comes from.
        shape: Height and width in px.
        scale_px: Width of the coarsest features, or their height and width.
        octaves: How many times finer features are added at half the strength.
    """
    tall, wide = (scale_px, scale_px) if isinstance(scale_px, int | float) else scale_px
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        step_y, step_x = max(tall / 2**octave, 1.0), max(wide / 2**octave, 1.0)
        grid = (math.ceil(shape[0] / step_y) + 2, math.ceil(shape[1] / step_x) + 2)
        coarse = rng.standard_normal(grid).astype(np.float32)
        total += cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC) / np.float32(2**octave)
    return total
