"""A small ICC profile, built byte by byte, that stands for an operator's."""

from __future__ import annotations

import struct
from collections.abc import Callable

_PCS_LAB = b"Lab "


def icc_profile(*, kind: bytes = b"prtr", space: bytes = b"CMYK", title: str = "Test press") -> bytes:
    """An ICC 2.4 profile (ICC.1:2001) of a press with coarse but complete tables in both directions.

    Args:
        kind: Its device class: prtr, mntr, scnr.
        space: Its colour space.
        title: Its description.
    """
    description = title.encode() + b"\0"
    tags = {
        b"desc": struct.pack(">4s4xI", b"desc", len(description)) + description + bytes(78),
        b"cprt": b"text" + bytes(4) + b"None\0",
        b"wtpt": struct.pack(">4s4x3i", b"XYZ ", 63190, 65536, 54061),
        b"A2B0": _table(4, 3, _inks_to_lab),
        b"B2A0": _table(3, 4, _lab_to_inks),
    }
    directory, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        directory += struct.pack(">4sII", name, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    content = struct.pack(">I", len(tags)) + directory + body
    header = struct.pack(
        ">I4sI4s4s4s6H4s4sI4s4s8sI3i4s44x",
        128 + len(content),
        b"none",
        0x02400000,
        kind,
        space,
        _PCS_LAB,
        *(2026, 1, 1, 0, 0, 0),
        b"acsp",
        b"none",
        0,
        b"none",
        b"none",
        bytes(8),
        0,
        *(63190, 65536, 54061),
        b"none",
    )
    return header + content


def _table(inputs: int, outputs: int, corner: Callable[..., tuple[int, ...]]) -> bytes:
    """A lut8Type with two grid points on each axis and straight curves."""
    matrix = struct.pack(">9i", *(65536 if index % 4 == 0 else 0 for index in range(9)))
    straight = bytes(range(256))
    corners = (tuple((place >> shift) & 1 for shift in reversed(range(inputs))) for place in range(2**inputs))
    grid = b"".join(bytes(corner(*values)) for values in corners)
    sizes = struct.pack(">4s4xBBBx", b"mft1", inputs, outputs, 2)
    return sizes + matrix + straight * inputs + grid + straight * outputs


def _inks_to_lab(cyan: int, magenta: int, yellow: int, black: int) -> tuple[int, ...]:
    return 255 * (1 - black), 128 + 60 * (magenta - cyan), 128 + 60 * (2 * yellow - 1)


def _lab_to_inks(light: int, green_red: int, blue_yellow: int) -> tuple[int, ...]:
    """The way back, so that greys come out as they went in and strong colours at half their strength."""
    return 255 * (1 - green_red), 255 * green_red, 255 * blue_yellow, 255 * (1 - light)
