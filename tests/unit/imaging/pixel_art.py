"""Artwork that the decode and cutout tests draw for themselves."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cutline.imaging.model import Artwork

type_levels = NDArray[np.float64]


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    """The image as a file of that format."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def noise_image(width_px: int = 50, height_px: int = 50) -> Image.Image:
    """Pixels that compress badly, so that half a file is half a picture."""
    levels = np.random.default_rng(7).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)
    return Image.fromarray(levels)


def png_header(width_px: int, height_px: int) -> bytes:
    """A PNG that states a size and brings next to no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(1000))), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def svg(body: str, attributes: str = 'viewBox="0 0 20 10"', before: str = "") -> bytes:
    """An SVG document."""
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"{before}<svg {names} {attributes}>{body}</svg>".encode()


def coverage(shape: str, side_px: int = 320) -> NDArray[np.float32]:
    """How much of each pixel a shape covers, 0 to 1, antialiased eight times over."""
    fine = 8
    canvas = np.zeros((side_px * fine,) * 2, np.uint8)
    centre, unit = (side_px * fine // 2,) * 2, side_px * fine // 10
    if shape == "disc":
        cv2.circle(canvas, centre, 3 * unit, (255,), -1)
    elif shape == "ring":
        cv2.circle(canvas, centre, 3 * unit, (255,), unit)
    elif shape == "star":
        angles = np.arange(10) * np.pi / 5
        radius = np.where(np.arange(10) % 2, 1.6, 4.0) * unit
        points = np.stack([np.sin(angles) * radius, -np.cos(angles) * radius], axis=1) + centre
        cv2.fillPoly(canvas, [points.astype(np.int32)], (255,))
    elif shape == "islands":
        for step in (-3, 0, 3):
            cv2.circle(canvas, (centre[0] + step * unit, centre[1] + step * unit // 2), unit, (255,), -1)
    else:
        raise ValueError(shape)
    small = cv2.resize(canvas, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.asarray(small / 255, dtype=np.float32)


def flat_colour(colour: tuple[int, int, int], side_px: int = 320) -> type_levels:
    """A canvas of one colour."""
    return np.full((side_px, side_px, 3), colour, np.float64)


def gradient(side_px: int = 320) -> type_levels:
    """A canvas that runs smoothly from one colour to another."""
    down = np.linspace(0, 1, side_px)[:, None]
    across = np.linspace(0, 1, side_px)[None, :]
    return np.stack([120 + 80 * down + 0 * across, 180 - 40 * across + 0 * down, 230 - 60 * down * across], axis=-1)


def composed(cover: NDArray[np.float32], colour: tuple[int, int, int], background: type_levels) -> Artwork:
    """Opaque artwork: a colour over a background, mixed as drawing programs mix."""
    share = cover[..., None].astype(np.float64)
    levels = np.rint(share * np.array(colour) + (1 - share) * background).clip(0, 255).astype(np.uint8)
    return opaque(levels)


def opaque(levels: NDArray[np.uint8], media_type: str = "image/png") -> Artwork:
    """RGB levels as artwork without transparency."""
    alpha = np.full((*levels.shape[:2], 1), 255, np.uint8)
    return Artwork(np.concatenate([levels, alpha], axis=2), media_type, has_alpha=False, vector=False)


def as_jpeg(artwork: Artwork, quality: int) -> Artwork:
    """The artwork after JPEG compression."""
    data = encoded(Image.fromarray(artwork.rgba[..., :3]), "JPEG", quality=quality)
    return opaque(np.asarray(Image.open(io.BytesIO(data))), "image/jpeg")


def overlap(alpha: NDArray[np.uint8], cover: NDArray[np.float32]) -> float:
    """Intersection over union of what is more than half opaque with what is more than half covered."""
    found, truth = alpha >= 128, cover >= 0.5
    return float((found & truth).sum() / max(1, (found | truth).sum()))
