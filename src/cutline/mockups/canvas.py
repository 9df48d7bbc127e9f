"""The picture a scene is painted on, in layers of colour and light.

The finished backdrop is `albedo x light + sheen`. A sticker on it is lit by the same `light` and adds `gloss`, so that
shadows and highlights run across the sticker as they run across the thing it sticks to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cutline.mockups.materials import type_plane, type_rgb

_SHIFT = 4
"""Polygon points are given to OpenCV in sixteenths of a pixel."""


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """Layers of one size, changed in place while a scene is painted.

    Attributes:
        albedo: Colour under white light, uint8 RGB of shape (height_px, width_px, 3).
        light: Brightness and tint, float32 of the same shape; 1 is full light.
        sheen: Highlights of the backdrop, float32 of shape (height_px, width_px), in units of full white.
        gloss: Highlights of a sticker's laminate, as `sheen`.
    """

    albedo: type_rgb
    light: type_plane
    sheen: type_plane
    gloss: type_plane

    @classmethod
    def blank(cls, size_px: tuple[int, int]) -> Canvas:
        """White paper of a width and a height in even light."""
        width, height = size_px
        return cls(
            np.full((height, width, 3), 255, dtype=np.uint8),
            np.ones((height, width, 3), dtype=np.float32),
            np.zeros((height, width), dtype=np.float32),
            np.zeros((height, width), dtype=np.float32),
        )

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return self.albedo.shape[1], self.albedo.shape[0]

    def lit(self, seed: int) -> type_rgb:
        """The finished backdrop; half a grey level of noise keeps gradients from banding."""
        picture = self.albedo * self.light
        picture += 255 * self.sheen[:, :, None]
        grain = np.random.default_rng(seed).standard_normal(self.sheen.shape).astype(np.float32)
        picture += 0.9 * grain[:, :, None]
        return np.asarray(np.clip(np.rint(picture), 0, 255), dtype=np.uint8)


def as_plane(values: Any) -> type_plane:
    """Any array as float32; OpenCV and NumPy do not tell a type checker what they return."""
    return np.asarray(values, dtype=np.float32)


def share_of(mask: NDArray[np.uint8]) -> type_plane:
    """A mask of 0 to 255 as shares of 0 to 1."""
    return as_plane(mask.astype(np.float32) / 255)


def polygon_mask(size_px: tuple[int, int], polygons: list[NDArray[np.float64]]) -> NDArray[np.uint8]:
    """Antialiased mask, 0 to 255, of polygons in pixels (centres at half-integers)."""
    mask = np.zeros((size_px[1], size_px[0]), dtype=np.uint8)
    cv2.fillPoly(mask, [fixed_point(polygon) for polygon in polygons], 255, cv2.LINE_AA, _SHIFT)
    return mask


def fixed_point(polygon: NDArray[np.float64]) -> NDArray[np.int32]:
    """Points as OpenCV's drawing functions take them with a shift of 4."""
    return np.asarray(np.rint((polygon - 0.5) * 2**_SHIFT), dtype=np.int32)


def blurred(plane: type_plane, sigma_px: float) -> type_plane:
    """Gaussian blur; wide ones are taken on a smaller picture, where nobody can tell."""
    if sigma_px < 0.3:
        return plane
    factor = max(1, int(sigma_px / 4))
    height, width = plane.shape[:2]
    if factor == 1:
        return as_plane(cv2.GaussianBlur(plane, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE))
    size = (max(1, width // factor), max(1, height // factor))
    small = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma_px / factor, borderType=cv2.BORDER_REPLICATE)
    return as_plane(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def shifted(plane: type_plane, shift_px: tuple[float, float]) -> type_plane:
    """The plane moved by a part of a pixel or more; what comes in is 0."""
    matrix = np.array([[1, 0, shift_px[0]], [0, 1, shift_px[1]]], dtype=np.float64)
    return np.asarray(cv2.warpAffine(plane, matrix, plane.shape[1::-1], flags=cv2.INTER_LINEAR), dtype=np.float32)


def blend(canvas: Canvas, colour: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    """Lays opaque colour over the albedo where the mask is, and lets full light fall on it."""
    box = cv2.boundingRect(mask)
    rows, columns = slice(box[1], box[1] + box[3]), slice(box[0], box[0] + box[2])
    share = mask[rows, columns, None].astype(np.float32) / 255
    under, light = canvas.albedo[rows, columns], canvas.light[rows, columns]
    under[:] = np.rint(under + share * (colour[rows, columns].astype(np.float32) - under))
    light += share * (1 - light)
