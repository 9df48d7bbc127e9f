"""The objects a print PDF is made of: images, spot colours, layers, overprint states."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import Final

import cv2
import numpy as np
import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf, String

from cutline.imaging.exports.clear_pixels import color_beside_art
from cutline.imaging.exports.deflate import all_channels, deflated_rows, type_pixels

_PNG_UP_PREDICTOR: Final = 12


def icc_srgb(pdf: Pdf) -> Object:
    """The sRGB colour space (IEC 61966-2-1) by its ICC profile."""
    profile = (resources.files("cutline.imaging.exports") / "srgb.icc").read_bytes()
    stream = pdf.make_stream(profile, N=3, Alternate=Name.DeviceRGB)
    return Array([Name.ICCBased, stream])


def rgb_image(pdf: Pdf, rgb: type_pixels, space: Object) -> Object:
    """An image XObject of sRGB pixels; lossless."""
    return _flate_image(pdf, rgb, space, count=3)


def rgba_image(pdf: Pdf, rgba: type_pixels, space: Object) -> Object:
    """The same of pixels with straight alpha, which becomes a soft mask where it is not all opaque."""
    lowest, _, _, _ = cv2.minMaxLoc(cv2.extractChannel(rgba, 3))
    if lowest == 255:
        return _flate_image(pdf, rgba, space, count=3, channels=_color)
    image = _flate_image(pdf, color_beside_art(rgba), space, count=3)
    image.SMask = _flate_image(pdf, rgba, Name.DeviceGray, count=1, channels=_alpha)
    return image


def _color(strip: type_pixels) -> type_pixels:
    return np.asarray(cv2.cvtColor(strip, cv2.COLOR_RGBA2RGB), np.uint8)


def _alpha(strip: type_pixels) -> type_pixels:
    return np.asarray(cv2.extractChannel(strip, 3), np.uint8)


def _flate_image(
    pdf: Pdf,
    pixels: type_pixels,
    space: Object,
    *,
    count: int,
    channels: Callable[[type_pixels], type_pixels] = all_channels,
) -> Object:
    height, width = pixels.shape[:2]
    return pikepdf.Stream(
        pdf,
        deflated_rows(pixels, channels),
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=width,
        Height=height,
        ColorSpace=space,
        BitsPerComponent=8,
        Filter=Name.FlateDecode,
        DecodeParms=Dictionary(Predictor=_PNG_UP_PREDICTOR, Colors=count, BitsPerComponent=8, Columns=width),
    )


def separation(pdf: Pdf, name: str, cmyk: tuple[float, float, float, float]) -> Object:
    """A spot colour; `cmyk` is how screens and proofs show it at full strength."""
    tint = Dictionary(FunctionType=2, Domain=[0, 1], C0=[0, 0, 0, 0], C1=list(cmyk), N=1)
    return pdf.make_indirect(Array([Name.Separation, Name(f"/{name}"), Name.DeviceCMYK, tint]))


def layer(pdf: Pdf, title: str, *, group: str | None = None, step: str | None = None) -> Object:
    """A layer (optional content group), marked as a processing step by ISO 19593-1 where a group is given."""
    content = Dictionary(Type=Name.OCG, Name=String(title))
    if group is not None:
        content.GTS_Metadata = Dictionary(GTS_ProcStepsGroup=Name(f"/{group}"))
        if step is not None:
            content.GTS_Metadata.GTS_ProcStepsType = Name(f"/{step}")
    return pdf.make_indirect(content)


def overprint_state(pdf: Pdf, *, on: bool, blend_mode: str = "Normal") -> Object:
    """A graphics state that leaves the other inks under it alone, or knocks them out."""
    mode = Name(f"/{blend_mode}")
    return pdf.make_indirect(Dictionary(Type=Name.ExtGState, OP=on, op=on, OPM=1 if on else 0, BM=mode))
