"""Pillow formats: types from bytes, bounds before pixels, colours in sRGB."""

from __future__ import annotations

import io
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from cutline.domain.artwork import MEDIA_TYPES, ArtworkLimits
from cutline.domain.errors import ArtworkError, Reason
from cutline.imaging.decode import decode_artwork, read_header, sniff_media_type
from tests.unit.imaging.pixel_art import encoded, noise_image, png_header, svg

LIMITS = ArtworkLimits()
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "AVIF")


def refused(data: bytes, limits: ArtworkLimits = LIMITS) -> ArtworkError:
    """The error that decoding the bytes ends with."""
    with pytest.raises(ArtworkError) as caught:
        decode_artwork(data, limits=limits)
    return caught.value


@pytest.mark.parametrize("file_format", FORMATS)
def test_every_format_is_decoded_and_named_by_its_bytes(file_format: str) -> None:
    """A file of each accepted format gives contiguous RGBA of its size and its true media type."""
    data = encoded(Image.new("RGB", (8, 4), (200, 100, 50)), file_format)

    artwork = decode_artwork(data, limits=LIMITS)

    assert artwork.media_type == f"image/{file_format.lower()}" == sniff_media_type(data[:64])
    assert artwork.rgba.shape == (4, 8, 4)
    assert artwork.rgba.dtype == np.uint8
    assert artwork.rgba.flags.c_contiguous
    assert not artwork.has_alpha
    assert not artwork.vector
    assert np.abs(artwork.rgba[2, 4].astype(int) - (200, 100, 50, 255)).max() <= 3
    assert read_header(data) == (artwork.media_type, 8, 4)


@pytest.mark.parametrize("height_px", [1, 63, 64, 65, 200])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_pixels_copied_in_strips_are_the_pixels(mode: str, height_px: int) -> None:
    """Whatever share of a strip is left at the bottom, every pixel arrives, and opaque where there was no alpha."""
    pixels = np.random.default_rng(height_px).integers(0, 256, (height_px, 37, len(mode)), dtype=np.uint8)

    artwork = decode_artwork(encoded(Image.fromarray(pixels), "PNG"), limits=LIMITS)

    assert (artwork.rgba[..., : len(mode)] == pixels).all()
    assert artwork.has_alpha == (mode == "RGBA")
    assert mode == "RGBA" or (artwork.rgba[..., 3] == 255).all()


def test_the_sniffer_knows_every_accepted_type() -> None:
    """Each media type that the domain accepts is one that the sniffer can answer."""
    samples = [encoded(Image.new("RGB", (4, 4)), file_format) for file_format in FORMATS] + [svg("")]

    assert {sniff_media_type(sample) for sample in samples} == set(MEDIA_TYPES)


@pytest.mark.parametrize(
    "data", [b"hello world", b"%PDF-1.7", b"<html><body><svg></svg></body></html>", b"\x1f\x8b\x08"]
)
def test_other_bytes_are_an_unsupported_type(data: bytes) -> None:
    """Text, PDF, HTML and gzip are refused by type, whatever the file was called."""
    assert refused(data).reason is Reason.ARTWORK_TYPE_UNSUPPORTED


def test_an_empty_file_is_named_empty() -> None:
    """No bytes are ARTWORK_EMPTY, in decoding and in reading the header."""
    assert refused(b"").reason is Reason.ARTWORK_EMPTY
    with pytest.raises(ArtworkError) as caught:
        read_header(b"")
    assert caught.value.reason is Reason.ARTWORK_EMPTY


@pytest.mark.parametrize(
    ("data", "limits", "value", "limit"),
    [
        (png_header(20_000, 20_000), LIMITS, "20000 x 20000 px", "16,384 px a side"),
        (png_header(12_000, 12_000), LIMITS, "144,000,000", "64,000,000 pixels"),
        (png_header(8, 8), ArtworkLimits(max_bytes=10), "bytes", "10 bytes"),
        (encoded(Image.new("L", (300, 2)), "GIF"), ArtworkLimits(max_side_px=299), "300 x 2 px", "299 px"),
        (encoded(Image.new("L", (300, 2)), "TIFF"), ArtworkLimits(max_pixels=599), "600 pixels", "599 pixels"),
    ],
)
def test_size_is_refused_from_the_header(data: bytes, limits: ArtworkLimits, value: str, limit: str) -> None:
    """Artwork over a limit is ARTWORK_TOO_LARGE, with the value and the limit in the message."""
    error = refused(data, limits)

    assert error.reason is Reason.ARTWORK_TOO_LARGE
    assert value in error.message
    assert limit in error.message


@pytest.mark.parametrize("file_format", FORMATS)
def test_half_a_file_is_unreadable(file_format: str) -> None:
    """A truncated file of any format is ARTWORK_UNREADABLE, never half a picture."""
    data = encoded(noise_image(), file_format)

    assert refused(data[: len(data) // 2]).reason is Reason.ARTWORK_UNREADABLE


def test_a_header_without_its_pixels_is_unreadable() -> None:
    """A PNG within the limits that does not bring its pixels is ARTWORK_UNREADABLE."""
    assert refused(png_header(3_000, 3_000)).reason is Reason.ARTWORK_UNREADABLE


@settings(max_examples=150, deadline=None)
@given(
    file_format=st.sampled_from(FORMATS),
    place=st.floats(0, 1, exclude_max=True),
    junk=st.binary(min_size=1, max_size=12),
)
def test_damaged_files_decode_or_fail_by_name(file_format: str, place: float, junk: bytes) -> None:
    """Whatever bytes are overwritten, the result is artwork or an ArtworkError, and nothing else."""
    data = bytearray(encoded(noise_image(16, 16), file_format))
    at = int(place * len(data))
    data[at : at + len(junk)] = junk

    reason: Reason | None = None
    try:
        shape = decode_artwork(bytes(data), limits=ArtworkLimits(max_pixels=1_000_000)).rgba.shape
    except ArtworkError as error:
        shape, reason = (0, 0, 4), error.reason

    assert shape[2] == 4
    assert reason is None or reason.name.startswith("ARTWORK_")


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled(file_format: str) -> None:
    """16-bit grey keeps its whole range: 0, half and full stay 0, half and full."""
    samples = np.array([[0, 257, 32_896, 65_535]], np.uint16)

    artwork = decode_artwork(encoded(Image.fromarray(samples), file_format), limits=LIMITS)

    assert artwork.rgba[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(file_format: str) -> None:
    """CMYK is read as ink, also from JPEG, which stores it inverted: cyan is not red."""
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))

    artwork = decode_artwork(encoded(cyan, file_format), limits=LIMITS)

    assert artwork.rgba[8, 8, 0] < 40
    assert artwork.rgba[8, 8, 1:3].min() > 200


def test_palette_transparency_is_kept() -> None:
    """A palette PNG with tRNS and a GIF with a transparent index keep their holes."""
    image = Image.new("P", (4, 2), 1)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((0, 0), 0)

    for file_format in ("PNG", "GIF"):
        artwork = decode_artwork(encoded(image, file_format, transparency=1), limits=LIMITS)

        assert artwork.has_alpha
        assert artwork.rgba[0, 0].tolist() == [255, 0, 0, 255]
        assert artwork.rgba[1, 3, 3] == 0


def test_colour_key_grey_alpha_and_one_bit() -> None:
    """An RGB colour key, grey with alpha and 1-bit images all become RGBA."""
    keyed = decode_artwork(encoded(Image.new("RGB", (2, 2), (9, 8, 7)), "PNG", transparency=(9, 8, 7)), limits=LIMITS)
    grey = decode_artwork(encoded(Image.new("LA", (2, 2), (70, 90)), "PNG"), limits=LIMITS)
    bit = decode_artwork(encoded(Image.new("1", (2, 2), 1), "PNG"), limits=LIMITS)

    assert keyed.rgba[0, 0, 3] == 0
    assert grey.rgba[0, 0].tolist() == [70, 70, 70, 90]
    assert bit.rgba[0, 0].tolist() == [255, 255, 255, 255]


def test_only_the_first_frame_of_a_gif_counts() -> None:
    """An animated GIF gives its first frame."""
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]

    artwork = decode_artwork(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), limits=LIMITS)

    assert artwork.rgba[0, 0, :3].tolist() == [255, 0, 0]


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied_once(file_format: str) -> None:
    """A picture stored on its side is turned upright: what was its left edge is on top."""
    image = Image.new("RGB", (32, 16), "white")
    image.paste("red", (0, 0, 8, 16))
    exif = Image.Exif()
    exif[0x0112] = 6

    artwork = decode_artwork(encoded(image, file_format, exif=exif, quality=95), limits=LIMITS)

    assert artwork.rgba.shape[:2] == (32, 16)
    assert artwork.rgba[2, 8, 1] < 60
    assert artwork.rgba[28, 8, 1] > 200


def test_an_embedded_profile_is_honoured() -> None:
    """Colours in a profile other than sRGB are converted, not taken for sRGB."""
    lab_to_linear = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # The red and blue primaries of the built-in profile change places: the tags keep their length.
    swapped = lab_to_linear.replace(b"rXYZ", b"tmp0").replace(b"bXYZ", b"rXYZ").replace(b"tmp0", b"bXYZ")
    image = Image.new("RGB", (4, 4), (250, 10, 10))

    plain = decode_artwork(encoded(image, "PNG", icc_profile=lab_to_linear), limits=LIMITS)
    exchanged = decode_artwork(encoded(image, "PNG", icc_profile=swapped), limits=LIMITS)

    assert plain.rgba[0, 0, :3].tolist() == [250, 10, 10]
    assert exchanged.rgba[0, 0, 2] > 200 > exchanged.rgba[0, 0, 0]


def test_a_broken_or_foreign_profile_is_ignored() -> None:
    """Junk in place of a profile, and an RGB profile in a grey picture, leave the pixels as they are."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    junk = decode_artwork(encoded(Image.new("RGB", (2, 2), (1, 2, 3)), "PNG", icc_profile=b"junk"), limits=LIMITS)
    foreign = decode_artwork(encoded(Image.new("L", (2, 2), 77), "PNG", icc_profile=srgb), limits=LIMITS)

    assert junk.rgba[0, 0].tolist() == [1, 2, 3, 255]
    assert foreign.rgba[0, 0].tolist() == [77, 77, 77, 255]


@pytest.mark.parametrize("shape", [(2, 2), (2, 2, 3)], ids=["grey", "RGB"])
def test_floating_point_samples_are_refused_by_name(shape: tuple[int, ...]) -> None:
    """A TIFF of 32-bit floats has no agreed range and is refused as unsupported, not as damaged."""
    _, data = cv2.imencode(".tiff", np.full(shape, 0.5, np.float32))

    assert refused(data.tobytes()).reason is Reason.ARTWORK_TYPE_UNSUPPORTED


def test_a_single_pixel_and_full_transparency_decode() -> None:
    """1 x 1 px and a fully transparent picture are artwork; whether there is a subject is the cutout's question."""
    pixel = decode_artwork(encoded(Image.new("RGB", (1, 1), "red"), "PNG"), limits=LIMITS)
    clear = decode_artwork(encoded(Image.new("RGBA", (3, 3), (5, 5, 5, 0)), "PNG"), limits=LIMITS)

    assert pixel.rgba.shape == (1, 1, 4)
    assert clear.has_alpha


def _pixel_bytes(data: bytes) -> list[int]:
    """Where in a PNG the bytes of its pixel chunks lie: their lengths and names, bodies and checksums."""
    found, at = [], 8
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        found += list(range(at, end)) if data[at + 4 : at + 8] == b"IDAT" else []
        at = end
    return found


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_a_flipped_bit_in_the_pixels_of_a_png_is_refused(mode: str) -> None:
    """No bit of the compressed pixels or their checksums can turn over without the file being refused as damaged."""
    drawn = Image.new("RGB", (120, 90), "white")
    drawn.paste((200, 40, 30), (20, 15, 100, 75))
    drawn.paste(noise_image(30, 20), (40, 30))
    data = encoded(drawn.convert(mode), "PNG")
    assert decode_artwork(data, limits=LIMITS).rgba.shape == (90, 120, 4)
    body = _pixel_bytes(data)[8:]

    for at in body[:: max(1, len(body) // 150)] + body[-4:]:
        damaged = bytearray(data)
        damaged[at] ^= 1 << at % 8
        error = refused(bytes(damaged))
        assert error.reason is Reason.ARTWORK_UNREADABLE, at
        assert "cut off or damaged" in error.message


def test_every_pixel_chunk_is_checked() -> None:
    """A wrong length or checksum is found in the last of several pixel chunks as in the first."""
    data = encoded(noise_image(200, 200), "PNG")
    last = data.rindex(b"IDAT")
    assert last > data.index(b"IDAT")

    for at in (last - 4, last - 3, last - 1, last + 4, last + 40):
        damaged = bytearray(data)
        damaged[at] ^= 0x10
        assert refused(bytes(damaged)).reason is Reason.ARTWORK_UNREADABLE, at - last


def test_damage_that_touches_no_pixel_is_let_be() -> None:
    """A text after the pixels whose checksum is wrong, bytes after the end, and a missing end, change no picture."""
    data = encoded(noise_image(40, 30), "PNG")
    end = data.rindex(b"IEND") - 4
    text = struct.pack(">I", 4) + b"tEXt" + b"a\0bc" + bytes(4)

    for kept in (data[:end] + text + data[end:], data + b"more", data[:end]):
        assert (decode_artwork(kept, limits=LIMITS).rgba[..., :3] == np.asarray(noise_image(40, 30))).all()


def test_the_header_is_enough_for_the_size() -> None:
    """The first bytes of a large PNG give its type and size."""
    data = encoded(noise_image(640, 480), "PNG")

    assert read_header(data[:64]) == ("image/png", 640, 480)


def test_opened_files_hold_nothing_of_the_input() -> None:
    """The pixels are the artwork's own: writing to the input's buffer afterwards does not change them."""
    buffer = io.BytesIO(encoded(Image.new("RGBA", (4, 4), (10, 20, 30, 40)), "PNG"))

    artwork = decode_artwork(buffer.getvalue(), limits=LIMITS)
    buffer.truncate(0)

    assert artwork.rgba[0, 0].tolist() == [10, 20, 30, 40]
