"""Artwork files, damaged on purpose: always the same ones for the same seed."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw

_SIDE_PX: Final = 40
_PNG_MAGIC: Final = b"\x89PNG\r\n\x1a\n"
Generator = np.random.Generator


def base_files() -> dict[str, bytes]:
    """Small sound files of every accepted type, in several kinds each."""
    exif = Image.Exif()
    exif[0x0112] = 6
    art, flat = _art("RGBA"), _art("RGB")
    return {
        "png rgba": _file(art, "PNG"),
        "png rgb": _file(flat, "PNG", icc_profile=b"junk" * 40),
        "png palette": _file(flat.convert("P"), "PNG", transparency=0),
        "png grey 16": _file(Image.fromarray(np.asarray(flat.convert("L")).astype(np.uint16) * 257), "PNG"),
        "png one bit": _file(flat.convert("1"), "PNG"),
        "apng": _file(art, "PNG", save_all=True, append_images=[art.rotate(90)]),
        "jpeg": _file(flat, "JPEG", quality=85, exif=exif),
        "jpeg progressive": _file(flat, "JPEG", progressive=True),
        "jpeg cmyk": _file(flat.convert("CMYK"), "JPEG"),
        "webp": _file(art, "WEBP", quality=80),
        "webp lossless": _file(art, "WEBP", lossless=True),
        "webp animated": _file(art, "WEBP", save_all=True, append_images=[art.rotate(90)]),
        "gif": _file(flat.convert("P"), "GIF", transparency=0),
        "gif animated": _file(flat, "GIF", save_all=True, append_images=[flat.rotate(90)]),
        "tiff": _file(art, "TIFF", compression="tiff_lzw"),
        "tiff deflate": _file(flat, "TIFF", compression="tiff_adobe_deflate"),
        "tiff cmyk": _file(flat.convert("CMYK"), "TIFF"),
        "avif": _file(art, "AVIF", quality=70),
        "svg": _drawing(flat),
        "svg with effects": _effects(),
    }


def mutated(data: bytes, rng: Generator) -> tuple[str, bytes]:
    """One damaged copy, and what was done to it."""
    ways = [_flipped, _cut_off, _stretched, _zeroed, _swapped_fields, _doubled]
    if data.startswith(_PNG_MAGIC):
        ways += [_png_chunks, _png_header, _png_bytes] * 2
    if data.lstrip().startswith(b"<"):
        ways = [_flipped, _cut_off, _svg_number, _svg_attribute, _svg_tag, _svg_doubled, _svg_number]
    way = ways[rng.integers(len(ways))]
    return way.__name__.strip("_"), way(data, rng)


def _art(mode: str) -> Image.Image:
    image = Image.new(mode, (_SIDE_PX, _SIDE_PX // 2 + 8), (255, 255, 255, 0) if mode == "RGBA" else "white")
    pen = ImageDraw.Draw(image)
    pen.ellipse((5, 4, 34, 23), fill=(230, 60, 30))
    pen.rectangle((14, 9, 20, 15), fill=(20, 60, 200))
    return image


def _file(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def _drawing(picture: Image.Image) -> bytes:
    import base64  # noqa: PLC0415  (only here)

    embedded = base64.b64encode(_file(picture, "PNG")).decode()
    return (
        '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY ns "http://www.w3.org/2000/svg">]>'
        '<svg xmlns="&ns;" width="30mm" height="20mm" viewBox="0 0 30 20"><defs><linearGradient id="g">'
        '<stop stop-color="#f80"/><stop offset="1" stop-color="#08f"/></linearGradient>'
        '<path id="p" d="M5 5h9c3 0 3 6 0 6l-9-1z"/></defs><style>.a { fill: url(#g); stroke-width: 1.5 }</style>'
        '<circle class="a" cx="12" cy="10" r="7"/><use href="#p" transform="translate(8 2) scale(1.2)"/>'
        f'<image width="6" height="6" href="data:image/png;base64,{embedded}"/></svg>'
    ).encode()


def _effects() -> bytes:
    return (
        b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 30 20"><filter id="f" x="-20%" width="140%">'
        b'<feGaussianBlur stdDeviation="0.8"/><feTurbulence baseFrequency="0.2" numOctaves="2"/>'
        b'<feMorphology operator="dilate" radius="0.3"/><feBlend in="SourceGraphic"/></filter>'
        b'<pattern id="t" width="4" height="4" patternUnits="userSpaceOnUse"><path d="M0 0h2v2z"/></pattern>'
        b'<mask id="m"><rect width="30" height="20" fill="white"/></mask><g opacity="0.9" mask="url(#m)">'
        b'<rect x="6" y="4" width="16" height="11" rx="2" fill="#c22" filter="url(#f)"/>'
        b'<ellipse cx="14" cy="9" rx="5" ry="3" fill="url(#t)" stroke="#222" stroke-dasharray="1 0.5"/></g></svg>'
    )


def _flipped(data: bytes, rng: Generator) -> bytes:
    damaged = bytearray(data)
    for at in rng.integers(len(data), size=rng.integers(1, 12)):
        damaged[at] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def _cut_off(data: bytes, rng: Generator) -> bytes:
    return data[: int(rng.integers(1, len(data)))]


def _stretched(data: bytes, rng: Generator) -> bytes:
    at = int(rng.integers(len(data)))
    return data[:at] + rng.bytes(int(rng.integers(1, 64))) + data[at:]


def _zeroed(data: bytes, rng: Generator) -> bytes:
    at, length = int(rng.integers(len(data))), int(rng.integers(1, 32))
    value = bytes([[0, 255, 127][rng.integers(3)]])
    return data[:at] + value * len(data[at : at + length]) + data[at + length :]


def _swapped_fields(data: bytes, rng: Generator) -> bytes:
    """Two fields of two or four bytes near the start change places: sizes, counts, offsets."""
    width = int(rng.choice([2, 4]))
    at = int(rng.integers(0, min(len(data) - 2 * width, 200)))
    return data[:at] + data[at + width : at + 2 * width] + data[at : at + width] + data[at + 2 * width :]


def _doubled(data: bytes, rng: Generator) -> bytes:
    start, end = sorted(int(at) for at in rng.integers(len(data), size=2))
    return data[:end] + data[start:end] + data[end:]


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], len(_PNG_MAGIC)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def _png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    parts = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return _PNG_MAGIC + b"".join(parts)


def _png_chunks(data: bytes, rng: Generator) -> bytes:
    """Chunks left out, doubled, moved or renamed; their checksums are right."""
    chunks = _chunks(data)
    at, to = (int(index) for index in rng.integers(len(chunks), size=2))
    kind, body = chunks[at]
    way = rng.integers(4)
    if way == 0:
        del chunks[at]
    elif way == 1:
        chunks.insert(to, (kind, body))
    elif way == 2:
        chunks[at], chunks[to] = chunks[to], chunks[at]
    else:
        chunks[at] = ([b"tRNS", b"PLTE", b"iCCP", b"zTXt", b"eXIf"][rng.integers(5)], body)
    return _png(chunks)


def _png_header(data: bytes, rng: Generator) -> bytes:
    """Sides, depth, colour type or interlacing other than the pixels are."""
    chunks = _chunks(data)
    width, height, depth, color, *rest = struct.unpack(">IIBBBBB", chunks[0][1])
    way = rng.integers(4)
    if way == 0:
        width, height = height, width
    elif way == 1:
        width, height = int(rng.choice([1, 4_000, 70_000, 2**31])), int(rng.choice([1, 900, 70_000]))
    elif way == 2:
        depth, color = int(rng.choice([1, 2, 4, 8, 16])), int(rng.choice([0, 2, 3, 4, 6]))
    else:
        rest[2] ^= 1
    header = struct.pack(">IIBBBBB", width, height, depth, color, *rest)
    return _png([(chunks[0][0], header), *chunks[1:]])


def _png_bytes(data: bytes, rng: Generator) -> bytes:
    """Bytes flipped inside a chunk whose checksum is right, so that the damage reaches the decoder."""
    chunks = _chunks(data)
    full = [index for index, (_, body) in enumerate(chunks) if body]
    at = full[rng.integers(len(full))]
    chunks[at] = (chunks[at][0], _flipped(chunks[at][1], rng))
    return _png(chunks)


_NUMBERS: Final = ("0", "-1", "1e9", "99999999", "1e-9", "NaN", "1e400", "0.0000001", "", "100%", "700")


def _replaced(pattern: str) -> Callable[[bytes, Generator, bytes], bytes]:
    compiled = re.compile(pattern.encode())

    def replace(data: bytes, rng: Generator, value: bytes) -> bytes:
        places = list(compiled.finditer(data))
        place = places[rng.integers(len(places))]
        return data[: place.start()] + value + data[place.end() :]

    return replace


def _svg_number(data: bytes, rng: Generator) -> bytes:
    return _replaced(r"(?<![#\w.])\d+\.?\d*")(data, rng, str(rng.choice(_NUMBERS)).encode())


def _svg_attribute(data: bytes, rng: Generator) -> bytes:
    names = (b"href=", b"filter=", b"transform=", b"onload=", b"viewBox=", b"xml:base=", b"clip-path=", b"mask=")
    return _replaced(r"\b[a-zA-Z-]+=")(data, rng, names[rng.integers(len(names))])


def _svg_tag(data: bytes, rng: Generator) -> bytes:
    names = (
        b"<g>",
        b"</g>",
        b"<use href='#p'/>",
        b"<svg>",
        b"<script>",
        b"<text>x</text>",
        b"&ns;",
        b"<!--",
        b"<feTile/>",
    )
    return _replaced(r"<[^>]*>")(data, rng, names[rng.integers(len(names))])


def _svg_doubled(data: bytes, rng: Generator) -> bytes:
    return _replaced(r"<(?=[a-z])")(data, rng, b"<g>" * int(rng.integers(1, 400)) + b"<")
