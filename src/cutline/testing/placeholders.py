"""Small valid files in place of real ones: a rectangle of the sticker's size in every format."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Final

MM_PER_INCH: Final = 25.4
POINTS_PER_MM: Final = 72 / MM_PER_INCH

MOCKUP_WIDTH_PX: Final = 16
MOCKUP_HEIGHT_PX: Final = 12
MOCKUP_JPEG: Final = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8"
    "ybqmx5moq6T/wAALCAAMABABAREA/8QAFQABAQAAAAAAAAAAAAAAAAAAAAX/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oACAEBAAA/AKoD/9k="
)
"""A grey JPEG of 16 x 12 px."""


def cut_path_data(width_mm: float, height_mm: float) -> str:
    """The sticker's edge as SVG path data in mm: four straight cubic segments."""
    corners = [(width_mm, 0.0), (width_mm, height_mm), (0.0, height_mm), (0.0, 0.0)]
    place, parts = (0.0, 0.0), ["M 0 0"]
    for corner in corners:
        parts.append(f"C {place[0]:g} {place[1]:g} {corner[0]:g} {corner[1]:g} {corner[0]:g} {corner[1]:g}")
        place = corner
    return " ".join([*parts, "Z"])


def png(width_px: int, height_px: int) -> bytes:
    """A PNG of one colour with full alpha."""
    row = b"\0" + b"\xe6\x39\x46\xff" * width_px
    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(row * height_px)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(kind, data) for kind, data in chunks)


def svg(width_mm: float, height_mm: float) -> bytes:
    """An SVG with the cut path, one user unit a millimetre."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width_mm:g}mm" height="{height_mm:g}mm"'
        f' viewBox="0 0 {width_mm:g} {height_mm:g}"><path id="CutContour" fill="none" stroke="#ff00ff"'
        f' stroke-width="0.1" d="{cut_path_data(width_mm, height_mm)}"/></svg>\n'
    ).encode()


def dxf(width_mm: float, height_mm: float) -> bytes:
    """A DXF (R12) with the cut path as a closed polyline, y upwards as DXF has it."""
    corners = ((0.0, 0.0), (width_mm, 0.0), (width_mm, height_mm), (0.0, height_mm))
    pairs: list[tuple[int, object]] = [(0, "SECTION"), (2, "HEADER"), (9, "$ACADVER"), (1, "AC1009"), (0, "ENDSEC")]
    pairs += [(0, "SECTION"), (2, "ENTITIES"), (0, "POLYLINE"), (8, "CutContour"), (66, 1), (70, 1)]
    pairs += [(10, 0.0), (20, 0.0), (30, 0.0)]
    for x_mm, y_mm in corners:
        pairs += [(0, "VERTEX"), (8, "CutContour"), (10, x_mm), (20, y_mm), (30, 0.0)]
    pairs += [(0, "SEQEND"), (8, "CutContour"), (0, "ENDSEC"), (0, "EOF")]
    return "".join(f"{code:>3}\n{value}\n" for code, value in pairs).encode()


def pdf(width_mm: float, height_mm: float) -> bytes:
    """A PDF of one page whose TrimBox is the sticker, with the rectangle filled."""
    width_pt, height_pt = width_mm * POINTS_PER_MM, height_mm * POINTS_PER_MM
    box = f"[0 0 {width_pt:.3f} {height_pt:.3f}]"
    content = f"0.9 0.22 0.27 rg 0 0 {width_pt:.3f} {height_pt:.3f} re f".encode()
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /TrimBox {box} /Contents 4 0 R /Resources << >> >>".encode(),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    )
    file, offsets = bytearray(b"%PDF-1.6\n"), []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    file += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(file)


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
