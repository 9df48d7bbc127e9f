"""Checks of the art itself: what was cut out, soft shadows, transparency, contrast at its edge."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from cutline.domain.outputs import CutoutMethod, Finding
from cutline.imaging.exports.ink import NO_COLOR
from cutline.imaging.readiness.model import Sticker, failed, not_applicable, passed, warned

CONFIDENCE_GOOD: Final = 0.7
CONFIDENCE_LEAST: Final = 0.3
SHADOW_FAINTEST: Final = 13
"""Alpha, of 255, below which nobody sees it."""
SHADOW_MM: Final = 0.5
SOFT_PER_EDGE_PX: Final = 2.5
"""Soft pixels per pixel of outline up to which they are just an antialiased edge."""
OPAQUE: Final = 250
TRANSPARENT_SHARE: Final = 0.02
CONTRAST_DELTA_E: Final = 8.0
CONTRAST_SHARE: Final = 0.3
_GRID_PX: Final = 512


def subject(sticker: Sticker) -> Finding:
    """Whether a background was found at all."""
    code = "SUBJECT"
    if sticker.cutout.subject_is_everything:
        return failed(
            code,
            "No background was found; the cut follows the edge of the artwork.",
            "Upload artwork with a transparent or plain background, or crop it to the sticker you want.",
            place=sticker.cut_line.cut_box,
        )
    return passed(code, "The subject stands out from its background.")


def cutout_confidence(sticker: Sticker) -> Finding:
    """How sure background removal is of itself."""
    code, confidence = "CUTOUT_CONFIDENCE", round(sticker.cutout.confidence, 3)
    if sticker.cutout.method is CutoutMethod.ALPHA:
        return not_applicable(code, "The artwork brought its own transparency.")
    measures = {"value": confidence, "limit": CONFIDENCE_GOOD, "unit": "ratio"}
    if confidence >= CONFIDENCE_GOOD:
        return passed(code, "The background was easy to tell from the art.", **measures)
    fix = "Check the cutout; upload artwork with a transparent background if it is wrong."
    if confidence >= CONFIDENCE_LEAST:
        return warned(code, "The background was hard to tell from the art.", fix, **measures)
    return failed(code, "The background could hardly be told from the art.", fix, **measures)


def enclosed_background(sticker: Sticker) -> Finding:
    """Places inside the art that look like background."""
    code, places = "ENCLOSED_BACKGROUND", sticker.cutout.enclosed_background_px
    measures = {"value": float(len(places)), "limit": 0.0, "unit": "places"}
    if not places:
        return passed(code, "Nothing inside the art looks like background.", **measures)
    x, y, width, height = max(places, key=lambda box: (box[2] * box[3], box))
    measures["place"] = sticker.cut_line.place_px((x, y, x + width, y + height))
    if sticker.spec.remove_enclosed_background:
        return passed(code, f"{len(places)} place(s) enclosed by the art were removed as background.", **measures)
    message = f"{len(places)} place(s) enclosed by the art look like background and were kept."
    return warned(code, message, "Set remove_enclosed_background if they should be see-through.", **measures)


def soft_shadow(sticker: Sticker) -> Finding:
    """Faint pixels outside the cut shape, such as a drop shadow or glow."""
    code = "SOFT_SHADOW"
    least = sticker.least_alpha
    soft = float(sticker.alpha_counts[SHADOW_FAINTEST:least].sum())
    reach = _shadow_reach_mm(sticker) if soft > SOFT_PER_EDGE_PX * sticker.outline_length_px else 0.0
    measures = {"value": round(reach, 2), "limit": SHADOW_MM, "unit": "mm"}
    if reach <= SHADOW_MM:
        return passed(code, "No shadow or glow reaches out of the art.", **measures)
    message = f"A shadow or glow reaches {reach:.1f} mm out of the art; the cut line does not follow it."
    fix = "Remove the shadow, or lower alpha_threshold to make it part of the art."
    return warned(code, message, fix, **measures, place=sticker.cut_line.cut_box)


def _shadow_reach_mm(sticker: Sticker) -> float:
    """Furthest distance of a visible pixel from the art, on a coarse grid."""
    alpha = sticker.cutout.rgba[..., 3]
    every = max(1, max(alpha.shape) // _GRID_PX)
    coarse = np.ascontiguousarray(alpha[::every, ::every])
    outside = (coarse < sticker.least_alpha).astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, 3)
    visible = (coarse >= SHADOW_FAINTEST) & (outside > 0)
    reach_px = float(distance[visible].max()) if visible.any() else 0.0
    return float(max(0.0, reach_px - 1) * every * sticker.cut_line.mm_per_px)


def transparency_inside(sticker: Sticker) -> Finding:
    """See-through art: it mixes with the material and the white ink below."""
    code = "TRANSPARENCY"
    counts = sticker.alpha_counts
    art = float(counts[sticker.least_alpha :].sum())
    through = float(counts[sticker.least_alpha : OPAQUE].sum()) - SOFT_PER_EDGE_PX * sticker.outline_length_px
    share = max(0.0, through / max(art, 1.0))
    measures = {"value": round(share, 3), "limit": TRANSPARENT_SHARE, "unit": "ratio"}
    if share <= TRANSPARENT_SHARE:
        return passed(code, "The art is opaque.", **measures)
    message = f"About {100 * share:.0f} % of the art is see-through; it prints as a mixture with what is under it."
    return warned(code, message, "Flatten the art onto the colour it should have.", **measures)


def edge_contrast(sticker: Sticker) -> Finding:
    """Whether the art's edge can be told from the border, such as white art on a white border."""
    code, spec = "EDGE_CONTRAST", sticker.spec
    if spec.border_mm <= 0:
        return not_applicable(code, "There is no border for the art to stand out from.")
    border = "#ffffff" if spec.border_color == NO_COLOR else spec.border_color
    colors = _edge_colors(sticker)
    if not len(colors):
        return not_applicable(code, "The art has no opaque edge to compare.")
    behind = np.frombuffer(bytes.fromhex(border[1:]), np.uint8)[None]
    difference = np.linalg.norm(_lab(colors) - _lab(behind), axis=1)
    share = round(float((difference < CONTRAST_DELTA_E).mean()), 3)
    measures = {"value": share, "limit": CONTRAST_SHARE, "unit": "ratio"}
    if share <= CONTRAST_SHARE:
        return passed(code, "The art stands out from its border.", **measures)
    message = f"{100 * share:.0f} % of the art's edge has nearly the colour of the border."
    return warned(code, message, "Choose another border colour, or give the art an outline.", **measures)


def _edge_colors(sticker: Sticker) -> NDArray[np.uint8]:
    """Colours two pixels inside the art's outer edge, of shape (n, 3)."""
    rings = [np.array(part.exterior.segmentize(3.0).coords)[:, :2] for part in sticker.outline.art.geoms]
    found = []
    for ring, part in zip(rings, sticker.outline.art.geoms, strict=True):
        along = np.diff(ring, axis=0)
        normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        inward = normal if shapely.is_ccw(part.exterior) else -normal
        found.append((ring[:-1] + ring[1:]) / 2 + 2 * inward)
    points = np.floor(np.concatenate(found)).astype(int)
    height, width = sticker.cutout.rgba.shape[:2]
    inside = (points >= 0).all(axis=1) & (points[:, 0] < width) & (points[:, 1] < height)
    pixels = sticker.cutout.rgba[points[inside, 1], points[inside, 0]]
    return np.asarray(pixels[pixels[:, 3] >= OPAQUE][:, :3])


def _lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """CIE L*a*b* of colours of shape (n, 3)."""
    unit = np.ascontiguousarray(rgb, np.float32)[None] / np.float32(255)
    return np.asarray(cv2.cvtColor(unit, cv2.COLOR_RGB2LAB)[0], np.float32)
