"""The check of colours against the operator's press."""

from __future__ import annotations

import io
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from cutline.domain.outputs import Finding
from cutline.imaging.appearance import color_difference
from cutline.imaging.press_profile import PressProfile
from cutline.imaging.readiness.model import Sticker, not_applicable, passed, warned

GAMUT_DELTA_E: Final = 10.0
GAMUT_SHARE: Final = 0.05
_GRID_PX: Final = 256


def press_gamut(sticker: Sticker) -> Finding:
    """Colours that the press cannot print: they come out duller."""
    code = "PRESS_GAMUT"
    if sticker.press is None:
        return not_applicable(code, "No press profile is set up, so its colours are not known.")
    rgba = sticker.cutout.rgba
    every = max(1, max(rgba.shape[:2]) // _GRID_PX)
    coarse = np.ascontiguousarray(rgba[::every, ::every])
    art = coarse[..., 3] >= sticker.least_alpha
    if not art.any():
        return not_applicable(code, "The art is too small to judge its colours.")
    outside = np.zeros(art.shape, bool)
    outside[art] = _out_of_gamut(coarse[art][:, :3], sticker.press)
    share = round(float(outside.sum() / art.sum()), 3)
    measures: dict[str, Any] = {"value": share, "limit": GAMUT_SHARE, "unit": "ratio"}
    if share <= GAMUT_SHARE:
        return passed(code, f"The press ({sticker.press.title}) prints the art's colours.", **measures)
    x, y, width, height = largest_patch(outside)
    box_px = (x * every, y * every, (x + width) * every, (y + height) * every)
    message = f"{100 * share:.0f} % of the art has colours that the press ({sticker.press.title}) cannot print."
    fix = "Expect duller colours there, or choose less saturated ones."
    return warned(code, message, fix, **measures, place=sticker.cut_line.place_px(box_px))


def _out_of_gamut(rgb: NDArray[np.uint8], press: PressProfile) -> NDArray[np.bool_]:
    """Whether a colour, of shape (n, 3), comes back visibly changed from the press, relative to its own white."""
    srgb, profile = ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(io.BytesIO(press.icc))
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    colors, back = np.unique(rgb, axis=0, return_inverse=True)
    there = ImageCms.buildTransform(srgb, profile, "RGB", "CMYK", renderingIntent=intent)
    home = ImageCms.buildTransform(profile, srgb, "CMYK", "RGB", renderingIntent=intent)
    inked = ImageCms.applyTransform(Image.fromarray(np.ascontiguousarray(colors[None])), there)
    printed = ImageCms.applyTransform(inked, home) if inked is not None else None
    changed = color_difference(colors, np.asarray(printed)[0])
    return np.asarray((changed > GAMUT_DELTA_E)[back.ravel()])


def largest_patch(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Box (x, y, width, height) of the largest connected patch of a mask that is not empty."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    x, y, width, height, _ = stats[1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))].tolist()
    return x, y, width, height
