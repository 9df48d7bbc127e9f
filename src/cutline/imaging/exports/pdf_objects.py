"""The objects a print PDF is made of: images, spot colours, layers, overprint states."""

from __future__ import annotations

from importlib import resources
from typing import Final

import cv2
import numpy as np
import pikepdf
from numpy.typing import NDArray
from pikepdf import Array, Dictionary, Name, Object, Pdf, String

from cutline.imaging.exports.deflate import deflated_rows

_PNG_UP_PREDICTOR: Final = 12


def icc_srgb(pdf: Pdf) -> Object:
    """The sRGB colour space (IEC 61966-2-1) by its ICC profile."""
    profile = (resources.files("cutline.imaging.exports") / "srgb.icc").read_bytes()
    stream = pdf.make_stream(profile, N=3, Alternate=Name.DeviceRGB)
    return Array([Name.ICCBased, stream])


def rgb_image(pdf: Pdf, rgb: NDArray[np.uint8], space: Object, *, alpha: NDArray[np.uint8] | None = None) -> Object:
    """An image XObject of straight sRGB pixels, its alpha as a soft mask; lossless."""
    image = _flate_image(pdf, rgb, space, 3)
    if alpha is not None:
        image.SMask = _flate_image(pdf, alpha, Name.DeviceGray, 1)
    return image


def rgba_image(pdf: Pdf, rgba: NDArray[np.uint8], space: Object) -> Object:
    """The same of RGBA pixels; opaque ones get no soft mask."""
    alpha = np.ascontiguousarray(rgba[..., 3])
    opaque = int(alpha.min()) == 255
    rgb = cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB).astype(np.uint8, copy=False)
    return rgb_image(pdf, rgb, space, alpha=None if opaque else alpha)


def _flate_image(pdf: Pdf, pixels: NDArray[np.uint8], space: Object, channels: int) -> Object:
    height, width = pixels.shape[:2]
    parameters = Dictionary(Predictor=_PNG_UP_PREDICTOR, Colors=channels, BitsPerComponent=8, Columns=width)
    return pikepdf.Stream(
        pdf,
        deflated_rows(pixels),
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=width,
        Height=height,
        ColorSpace=space,
        BitsPerComponent=8,
        Filter=Name.FlateDecode,
        DecodeParms=parameters,
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
