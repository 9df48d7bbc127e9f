"""How colours look: on white paper, and beside each other."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def color_difference(
    rgb: NDArray[np.uint8] | NDArray[np.float32], other: NDArray[np.uint8] | NDArray[np.float32]
) -> NDArray[np.float32]:
    """CIE76 difference between sRGB colours.

    Args:
        rgb: Levels from 0 to 255, of shape (n, 3).
        other: Others, of the same shape or (1, 3).

    Returns:
        Differences of shape (n,).
    """
    return np.asarray(np.linalg.norm(_lab(rgb) - _lab(other), axis=1), np.float32)


def on_paper(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Straight RGBA of shape (n, 4) as white paper shows it, of shape (n, 3)."""
    share = rgba[:, 3:] / np.float32(255)
    return np.asarray(np.rint(255 - share * (255 - rgba[:, :3].astype(np.float32))), np.uint8)


def _lab(rgb: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    unit = np.ascontiguousarray(rgb, np.float32)[None] / np.float32(255)
    return np.asarray(cv2.cvtColor(np.clip(unit, 0, 1), cv2.COLOR_RGB2LAB)[0], np.float32)
