"""PNG writing (ISO/IEC 15948), no more of it than the exports need."""

from __future__ import annotations

import struct
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cutline.imaging.exports.deflate import deflated_rows

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_COLOR_TYPES: Final = {3: 2, 4: 6}
_PERCEPTUAL: Final = b"\x00"


def png_bytes(pixels: NDArray[np.uint8], *, px_per_mm: float | None = None) -> bytes:
    """A PNG of sRGB or sRGB + alpha pixels of shape (height, width, 3 or 4).

    Args:
        pixels: What to write.
        px_per_mm: Physical resolution to declare, or None to declare none.
    """
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOR_TYPES[channels], 0, 0, 0)
    chunks = [_chunk(b"IHDR", header), _chunk(b"sRGB", _PERCEPTUAL)]
    if px_per_mm is not None:
        per_metre = round(px_per_mm * 1000)
        chunks.append(_chunk(b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1)))
    chunks += [_chunk(b"IDAT", deflated_rows(pixels)), _chunk(b"IEND", b"")]
    return _SIGNATURE + b"".join(chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))
