"""What the artworks are put on. Each background is seeded by the artwork's name and its own."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.quality.drawing import generator_for, type_rgba
from bench.quality.photo_like import PHOTO_LIKE

type_rgb = NDArray[np.uint8]

JPEG_QUALITY: Final = 70
NEAR_WHITE: Final = (250, 250, 247)
FLAT_COLOURS: Final = ((135, 190, 230), (198, 226, 200), (128, 128, 128), (24, 30, 52), (0, 177, 64), (244, 162, 140))
_CHECKER_PX: Final = 16
_CHECKER_LEVELS: Final = (255, 204)
# Least and most distance in levels between the ends of a gradient: what a lit studio wall or an export shows.
_GRADIENT_SPAN: Final = (25.0, 110.0)


class Kind(StrEnum):
    """The rows of the table."""

    WHITE = "white"
    NEAR_WHITE = "near-white"
    FLAT = "flat"
    GRADIENT = "gradient"
    JPEG = "jpeg"
    CHECKER = "checker"
    PHOTO = "photo"


CLEAN: Final = (Kind.WHITE, Kind.NEAR_WHITE, Kind.FLAT, Kind.GRADIENT)
PLAIN: Final = (*CLEAN, Kind.JPEG)
"""Kinds whose background is one smooth colour, so that art close to it can be told by computation."""


@dataclass(frozen=True, slots=True)
class Background:
    """One background: `draw` takes width and height in px and a generator, and gives RGB of shape (h, w, 3)."""

    name: str
    kind: Kind
    draw: Callable[[int, int, np.random.Generator], type_rgb]

    def behind(self, rgba: type_rgba, art_name: str) -> type_rgb:
        """The background alone, on the art's canvas."""
        height, width = rgba.shape[:2]
        return self.draw(width, height, generator_for(art_name, self.name))

    def compose(self, rgba: type_rgba, backdrop: type_rgb) -> tuple[bytes, type_rgb]:
        """The artwork file that art over `backdrop` makes, and its pixels before any lossy coding."""
        picture = over(rgba, backdrop)
        file = io.BytesIO()
        if self.kind is Kind.JPEG:
            Image.fromarray(picture).save(file, "JPEG", quality=JPEG_QUALITY)
        else:
            Image.fromarray(picture).save(file, "PNG", compress_level=1)
        return file.getvalue(), picture


def over(rgba: type_rgba, backdrop: type_rgb) -> type_rgb:
    """Art on a background: a F + (1 - a) B, rounded."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    mixed = alpha * rgba[..., :3] + (1 - alpha) * backdrop
    return np.asarray(np.rint(mixed), dtype=np.uint8)


def _one_colour(*levels: int) -> Callable[[int, int, np.random.Generator], type_rgb]:
    def draw(width: int, height: int, _rng: np.random.Generator) -> type_rgb:
        return np.full((height, width, 3), levels, np.uint8)

    return draw


def _flat(width: int, height: int, rng: np.random.Generator) -> type_rgb:
    return _one_colour(*FLAT_COLOURS[int(rng.integers(len(FLAT_COLOURS)))])(width, height, rng)


def _gradient(width: int, height: int, rng: np.random.Generator) -> type_rgb:
    """Linear across the canvas at any angle, or radial from a point in its middle part."""
    start = rng.uniform(40, 235, 3)
    direction = rng.standard_normal(3)
    end = np.clip(start + direction / np.linalg.norm(direction) * rng.uniform(*_GRADIENT_SPAN), 0, 255)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    if rng.random() < 0.6:
        angle = rng.uniform(0, 2 * np.pi)
        along = x * np.cos(angle) + y * np.sin(angle)
    else:
        centre_x, centre_y = rng.uniform(0.3, 0.7, 2) * (width, height)
        along = np.hypot(x - centre_x, y - centre_y)
    share = ((along - along.min()) / np.ptp(along))[..., None]
    return np.asarray(np.rint(start + (end - start) * share), dtype=np.uint8)


def _checker(width: int, height: int, _rng: np.random.Generator) -> type_rgb:
    """The pattern that editors show for transparency, as some downloads have it baked in."""
    y, x = np.mgrid[0:height, 0:width] // _CHECKER_PX
    levels = np.where((x + y) % 2 == 0, *_CHECKER_LEVELS).astype(np.uint8)
    return np.repeat(levels[..., None], 3, axis=2)


def drawn_backgrounds() -> tuple[Background, ...]:
    """Every kind: the plain ones, the checker, and each photo-like scene."""
    return (
        Background("white", Kind.WHITE, _one_colour(255, 255, 255)),
        Background("near-white", Kind.NEAR_WHITE, _one_colour(*NEAR_WHITE)),
        Background("flat", Kind.FLAT, _flat),
        Background("gradient", Kind.GRADIENT, _gradient),
        Background("jpeg", Kind.JPEG, _one_colour(255, 255, 255)),
        Background("checker", Kind.CHECKER, _checker),
        *(Background(scene, Kind.PHOTO, draw) for scene, draw in PHOTO_LIKE.items()),
    )


def photographs(folder: Path) -> tuple[Background, ...]:
    """The pictures of a folder as backgrounds, each scaled to cover the canvas."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".png", ".jpg", ".jpeg", ".webp"})
    return tuple(Background(path.stem, Kind.PHOTO, _covering(path)) for path in files)


def _covering(path: Path) -> Callable[[int, int, np.random.Generator], type_rgb]:
    def draw(width: int, height: int, _rng: np.random.Generator) -> type_rgb:
        with Image.open(path) as file:
            picture = np.asarray(file.convert("RGB"))
        scale = max(width / picture.shape[1], height / picture.shape[0])
        size = (max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale)))
        grown = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        left, top = (size[0] - width) // 2, (size[1] - height) // 2
        return np.asarray(grown[top : top + height, left : left + width], dtype=np.uint8)

    return draw
