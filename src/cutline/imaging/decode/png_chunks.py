"""The checksums of a PNG (ISO/IEC 15948, 5.3): damage that a decoder would paint."""

from __future__ import annotations

import struct
import zlib
from typing import Final

_SIGNATURE_BYTES: Final = 8
_CRITICAL: Final = 0x20
"""The bit of a chunk name's first byte that is 0 where no picture can be made without the chunk."""


def has_damaged_chunk(data: bytes) -> bool:
    """Whether a chunk that the pixels are made of differs from its checksum, or ends beyond the file.

    Pillow leaves the checksums of pixel chunks alone and paints what it can make of the bytes. Damage to texts,
    times and the like changes no pixel and does not count. Nor does what follows the end chunk.

    Args:
        data: A file that begins with the signature of a PNG.
    """
    view, at = memoryview(data), _SIGNATURE_BYTES
    while at + 12 <= len(data):
        body_bytes, name = struct.unpack_from(">I4s", data, at)
        end = at + 8 + body_bytes
        if not name[0] & _CRITICAL and zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            return True
        if name == b"IEND":
            return False
        at = end + 4
    return False
