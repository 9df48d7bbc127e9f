"""Colours of any mode and profile to sRGB."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

# A lattice of 9 steps a channel tells whether a profile changes anything at all.
_PROBE_STEPS = 9
_SRGB = ImageCms.createProfile("sRGB")


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB or RGBA in sRGB of an image in mode L, LA, RGB, RGBX, RGBA, CMYK, YCbCr or LAB.

    Pixels that are sRGB already come back as the image given, not as a copy.
    An embedded profile is honoured with relative colorimetric intent and black point compensation. A profile that
    cannot be read, or is made for other channels than the image has, is ignored as a browser would.
    """
    if profile is None and image.mode in {"RGB", "RGBA"}:
        return image
    alpha = image.getchannel("A") if image.mode in {"LA", "RGBA"} else None
    colour = _without_alpha(image)
    converted = _by_profile(colour, profile) if profile else None
    if converted is None:
        converted = _lab_to_srgb(colour) if colour.mode == "LAB" else colour.convert("RGB")
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _without_alpha(image: Image.Image) -> Image.Image:
    if image.mode == "LA":
        return image.getchannel("L")
    return image.convert("RGB") if image.mode in {"RGBA", "RGBX", "YCbCr", "HSV"} else image


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(
            source,
            _SRGB,
            image.mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        if image.mode == "RGB" and _changes_nothing(transform):
            return image
        return ImageCms.applyTransform(image, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether the transform maps RGB to itself within one level: most files carry sRGB, and 64 MP take seconds."""
    steps = np.linspace(0, 255, _PROBE_STEPS).round().astype(np.uint8)
    lattice = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(1, -1, 3)
    mapped = ImageCms.applyTransform(Image.fromarray(lattice), transform)
    if mapped is None:
        return False
    return int(np.abs(np.asarray(mapped).astype(np.int16) - lattice).max()) <= 1


def _lab_to_srgb(image: Image.Image) -> Image.Image:
    transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), _SRGB, "LAB", "RGB")
    converted = ImageCms.applyTransform(image, transform)
    return converted if converted is not None else image.convert("L").convert("RGB")
