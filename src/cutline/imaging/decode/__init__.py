"""Artwork bytes to pixels, safely: what the bytes are, how large they would be, then the decoding itself.

Reading order: media_type.py (type from the bytes), bounds.py (size before decoding), raster.py with png_chunks.py and
colour.py (Pillow formats to straight sRGB RGBA), svg_filter.py (what of an SVG may be rendered) with svg_element.py,
svg_style.py, svg_growth.py and svg_load.py (what rendering it takes), svg.py.
"""

from __future__ import annotations

from cutline.domain.artwork import ArtworkLimits
from cutline.domain.errors import ArtworkError, Reason
from cutline.imaging.decode.bounds import check_bytes, check_pixels
from cutline.imaging.decode.media_type import SVG, sniff_media_type
from cutline.imaging.decode.raster import decode_raster, raster_size
from cutline.imaging.decode.svg import SvgSizer, decode_svg, svg_size
from cutline.imaging.model import Artwork

__all__ = ["SvgSizer", "check_bytes", "check_pixels", "decode_artwork", "read_header", "sniff_media_type"]


def decode_artwork(data: bytes, *, limits: ArtworkLimits, svg_target_px: int | SvgSizer | None = None) -> Artwork:
    """Decodes artwork to straight sRGB RGBA, upright, within the limits.

    Bytes and pixels are checked before anything is decoded; the type is told from the bytes, never from a name.

    Args:
        data: The whole file.
        limits: How large artwork may be.
        svg_target_px: Longer side of a rendered SVG in px, or a function that answers it for a small render; cut down
            to the limits. None takes 2048. Other formats keep their own pixels.

    Raises:
        ArtworkError: ARTWORK_EMPTY, ARTWORK_TOO_LARGE, ARTWORK_TYPE_UNSUPPORTED or ARTWORK_UNREADABLE.
    """
    check_bytes(len(data), limits)
    media_type = _media_type_of(data)
    if media_type == SVG:
        return decode_svg(data, limits=limits, target_px=svg_target_px)
    check_pixels(*raster_size(data, media_type), limits)
    return decode_raster(data, media_type)


def read_header(data: bytes) -> tuple[str, int, int]:
    """Media type, width and height in px, decoding no pixel; the first part of a file is often enough.

    The size is the stored one: an EXIF rotation is not applied to it. An SVG answers its own size at 96 px per inch.

    Raises:
        ArtworkError: ARTWORK_EMPTY, ARTWORK_TYPE_UNSUPPORTED or ARTWORK_UNREADABLE; ARTWORK_TOO_LARGE where a
            decoder refuses to open a canvas of that size at all.
    """
    media_type = _media_type_of(data)
    width_px, height_px = svg_size(data) if media_type == SVG else raster_size(data, media_type)
    return media_type, width_px, height_px


def _media_type_of(data: bytes) -> str:
    if not data:
        raise ArtworkError(Reason.ARTWORK_EMPTY, "The artwork file is empty.")
    media_type = sniff_media_type(data)
    if media_type is None:
        raise ArtworkError(
            Reason.ARTWORK_TYPE_UNSUPPORTED,
            "The bytes are none of PNG, JPEG, WebP, TIFF, GIF, AVIF or SVG; the file's name plays no part in this.",
        )
    return media_type
