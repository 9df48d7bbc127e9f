"""Pillow formats to straight sRGB RGBA.

The plugin of the sniffed type is opened directly: no other decoder ever sees the bytes, and our own limits, which
the caller checks between `raster_size` and `decode_raster`, stand in for Pillow's process-wide bomb guard.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageFile
from PIL.AvifImagePlugin import AvifImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from cutline.domain.errors import ArtworkError, Reason
from cutline.imaging.decode.bounds import refuse_as_too_large
from cutline.imaging.decode.colour import to_srgb
from cutline.imaging.decode.png_chunks import has_damaged_chunk
from cutline.imaging.model import Artwork, type_rgba

_PLUGINS: Final[dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]]] = {
    "image/png": PngImageFile,
    "image/jpeg": JpegImageFile,
    "image/webp": WebPImageFile,
    "image/tiff": TiffImageFile,
    "image/gif": GifImageFile,
    "image/avif": AvifImageFile,
}
_NAMES: Final = {media_type: media_type.removeprefix("image/").upper() for media_type in _PLUGINS}
_ORIENTATION_TAG: Final = 0x0112
_TRANSPOSE: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIXTEEN_BIT_GREY: Final = ("I;16", "I;16L", "I;16B", "I;16N")
_WHITE_IS_ZERO_TAG: Final = 262
_STRIP_ROWS: Final = 64


def raster_size(data: bytes, media_type: str) -> tuple[int, int]:
    """Stored width and height in px, from the header alone.

    Raises:
        ArtworkError: ARTWORK_UNREADABLE, or ARTWORK_TOO_LARGE where the plugin refuses the canvas before we can.
    """
    with _open(data, media_type) as image:
        return image.size


def decode_raster(data: bytes, media_type: str) -> Artwork:
    """Decodes the first picture of the file: upright, in sRGB, with straight alpha.

    Raises:
        ArtworkError: ARTWORK_UNREADABLE, or ARTWORK_TYPE_UNSUPPORTED for samples of floating point and the like.
    """
    if media_type == "image/png" and has_damaged_chunk(data):
        raise _unreadable(media_type)
    with _open(data, media_type) as image:
        # Broken metadata is no fault of the pixels; Pillow warns of it and goes on, and so do we.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                image.load()
                orientation = _orientation(image)
            except Exception as error:
                raise _unreadable(media_type) from error
            upright = _to_rgb_or_rgba(image)
        if orientation in _TRANSPOSE:
            upright = upright.transpose(_TRANSPOSE[orientation])
    may_have_alpha = upright.mode == "RGBA"
    rgba = _to_rgba(upright)
    return Artwork(rgba=rgba, media_type=media_type, has_alpha=may_have_alpha and _shows_alpha(rgba), vector=False)


def _open(data: bytes, media_type: str) -> ImageFile.ImageFile:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _PLUGINS[media_type](io.BytesIO(data))
        except Image.DecompressionBombError:
            # Only canvases far over our default limit come here, before their size is ours to read.
            refuse_as_too_large("the canvas that the header states", "what the decoder opens")
        except SyntaxError as error:
            raise (_unsupported() if "pixel mode" in str(error) else _unreadable(media_type)) from error
        except Exception as error:
            raise _unreadable(media_type) from error


def _unsupported() -> ArtworkError:
    return ArtworkError(
        Reason.ARTWORK_TYPE_UNSUPPORTED,
        "The artwork's samples cannot be read: save it as grey, RGB or CMYK with 8 or 16 bits per channel.",
    )


def _unreadable(media_type: str) -> ArtworkError:
    return ArtworkError(
        Reason.ARTWORK_UNREADABLE,
        f"The artwork starts like a {_NAMES[media_type]} file but cannot be read to its end; it is cut off or damaged.",
    )


def _orientation(image: ImageFile.ImageFile) -> int:
    """EXIF orientation 1 to 8; 1 where it is absent or unreadable. Pillow turns TIFF itself while loading."""
    if isinstance(image, TiffImageFile):
        return 1
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001  (hostile EXIF raises anything; the picture is still good)
        return 1


def _to_rgb_or_rgba(image: ImageFile.ImageFile) -> Image.Image:
    """Any mode to RGB or RGBA in sRGB."""
    profile = image.info.get("icc_profile")
    if image.mode in _SIXTEEN_BIT_GREY:
        return to_srgb(_from_sixteen_bit_grey(image), profile)
    if image.mode in {"F", "I"}:
        raise _unsupported()
    if image.mode == "RGB" and isinstance(image.info.get("transparency"), tuple):
        return to_srgb(_with_colour_key(image), profile)
    if image.mode in {"P", "PA", "1", "RGBa", "La"} or "transparency" in image.info:
        has_alpha = image.mode in {"PA", "RGBa", "La"} or "transparency" in image.info
        return to_srgb(image.convert("RGBA" if has_alpha else "RGB"), profile)
    return to_srgb(image, profile)


def _from_sixteen_bit_grey(image: ImageFile.ImageFile) -> Image.Image:
    """Scales 0..65535 to 0..255 (Pillow's own conversion clips), with a PNG's transparent grey where it has one."""
    samples = np.asarray(image).astype(np.uint16)
    tags = getattr(image, "tag_v2", {})
    if tags.get(_WHITE_IS_ZERO_TAG) == 0:
        samples = 65535 - samples
    grey = Image.fromarray(((samples.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8))
    key = image.info.get("transparency")
    if isinstance(key, int):
        grey.putalpha(Image.fromarray(np.where(samples == key, 0, 255).astype(np.uint8)))
    return grey


def _with_colour_key(image: ImageFile.ImageFile) -> Image.Image:
    """Applies a PNG's one transparent colour; 16-bit files state it in 16 bits while their pixels come as 8."""
    key = tuple(image.info["transparency"])
    if max(key) > 255:
        key = tuple(value >> 8 for value in key)
    pixels = np.asarray(image)
    keyed = image.convert("RGB")
    keyed.putalpha(Image.fromarray(np.where((pixels == np.array(key)).all(axis=2), 0, 255).astype(np.uint8)))
    return keyed


def _to_rgba(image: Image.Image) -> type_rgba:
    """The pixels as an array, copied in strips: at once, Pillow would hold them twice more, and take six times as long.

    Opaque where the image has no alpha channel.
    """
    width, height = image.size
    rgba = np.empty((height, width, 4), np.uint8)
    for top in range(0, height, _STRIP_ROWS):
        bottom = min(top + _STRIP_ROWS, height)
        strip = image.crop((0, top, width, bottom))
        if strip.mode != "RGBA":
            strip.putalpha(255)
        rgba[top:bottom] = np.asarray(strip)
    return rgba


def _shows_alpha(rgba: type_rgba) -> bool:
    return cv2.minMaxLoc(cv2.extractChannel(rgba, 3))[0] < 255
