"""Pixel streams: strips, filters and choices of channels."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cutline.imaging.exports.deflate import deflated_rows
from cutline.imaging.exports.png import png_bytes


def pixels_of(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Rows that are like their neighbours here and noise there."""
    rng = np.random.default_rng(shape[0])
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    pixels[:, : shape[1] // 2] = 90
    return pixels


def plain_stream(pixels: NDArray[np.uint8]) -> bytes:
    """The whole canvas filtered and compressed at once."""
    flat = pixels.reshape(len(pixels), -1)
    rows = np.diff(flat, axis=0, prepend=np.zeros((1, flat.shape[1]), np.uint8))
    tagged = np.concatenate([np.full((len(rows), 1), 2, np.uint8), rows], axis=1)
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 7, zlib.Z_RLE)
    return packer.compress(tagged.tobytes()) + packer.flush()


@pytest.mark.parametrize("shape", [(1, 1, 4), (3, 2, 3), (700, 500, 4), (131, 2000, 3), (2, 90_000, 4), (400, 700)])
def test_a_stream_made_in_strips_is_the_stream_made_at_once(shape: tuple[int, ...]) -> None:
    """Wherever the strips end, and also where one row is longer than a strip, the bytes are the same."""
    pixels = pixels_of(shape)

    assert deflated_rows(pixels) == plain_stream(pixels)


def test_channels_are_taken_of_every_strip() -> None:
    """A choice of channels, also of a part of a canvas, gives the stream of those channels alone."""
    canvas = pixels_of((900, 300, 4))
    part = canvas[7:, 11:290]

    assert deflated_rows(part, lambda strip: strip[..., 3]) == plain_stream(np.ascontiguousarray(part[..., 3]))
    assert deflated_rows(part, lambda strip: strip[..., :3]) == plain_stream(np.ascontiguousarray(part[..., :3]))


@pytest.mark.parametrize("channels", [3, 4])
def test_a_png_holds_its_pixels(channels: int) -> None:
    """What another program decodes is what went in."""
    pixels = pixels_of((300, 800, channels))

    with Image.open(io.BytesIO(png_bytes(pixels, px_per_mm=20))) as image:
        assert (np.asarray(image) == pixels).all()
        assert image.info["dpi"] == pytest.approx((508, 508), abs=0.1)
