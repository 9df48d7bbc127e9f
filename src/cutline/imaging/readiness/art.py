"""Checks of the art itself: what was cut out, soft shadows, transparency."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutline.domain.outputs import BoxMm, CutoutMethod, Finding
from cutline.imaging.readiness.model import OPAQUE, Sticker, failed, not_applicable, passed, warned

CONFIDENCE_GOOD: Final = 0.7
CONFIDENCE_LEAST: Final = 0.3
SHADOW_FAINTEST: Final = 13
"""Alpha, of 255, below which nobody sees it."""
SHADOW_MM: Final = 0.5
SOFT_PER_EDGE_PX: Final = 2.5
"""Soft pixels per pixel of outline up to which they are just an antialiased edge."""
TRANSPARENT_SHARE: Final = 0.02
_GRID_PX: Final = 512
_CONFIDENCE_FIX: Final = (
    "Check the cutout. If it is wrong, upload a PNG with a transparent background, or the art without shadow or glow "
    "on a plain background of another colour, with a margin all round."
)


def subject(sticker: Sticker) -> Finding:
    """Whether a background was found at all."""
    code = "SUBJECT"
    if sticker.cutout.subject_is_everything:
        return failed(
            code,
            "No background was found; the cut follows the edge of the artwork.",
            "Upload artwork with a transparent or plain background, or crop it to the sticker you want; "
            "nothing is wrong if the whole image is the sticker.",
            place=sticker.art_box,
        )
    return passed(code, "The subject stands out from its background.")


def cutout_confidence(sticker: Sticker) -> Finding:
    """How sure background removal is of itself."""
    code, confidence = "CUTOUT_CONFIDENCE", round(sticker.cutout.confidence, 3)
    if sticker.cutout.method is CutoutMethod.ALPHA:
        return not_applicable(code, "The artwork brought its own transparency.")
    measures = {"value": confidence, "limit": CONFIDENCE_GOOD, "unit": "ratio", "place": sticker.art_box}
    if confidence >= CONFIDENCE_GOOD:
        return passed(code, "The background was easy to tell from the art.", **measures)
    if confidence >= CONFIDENCE_LEAST:
        return warned(code, "The background was hard to tell from the art.", _CONFIDENCE_FIX, **measures)
    if sticker.cutout.subject_is_everything:
        return failed(code, "No background was found that could be told from the art.", _CONFIDENCE_FIX, **measures)
    message = (
        "The background could hardly be told from the art. There may be a shadow or glow around the art, "
        "the image may cut the art off, or art and background may be alike in colour."
    )
    return failed(code, message, _CONFIDENCE_FIX, **measures)


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
    code, cutout = "SOFT_SHADOW", sticker.cutout
    if cutout.method is not CutoutMethod.ALPHA and cutout.confidence < CONFIDENCE_LEAST:
        return not_applicable(code, "A shadow or glow cannot be told where the background could hardly be.")
    least = sticker.least_alpha
    soft = float(sticker.alpha_counts[SHADOW_FAINTEST:least].sum())
    faint = soft > SOFT_PER_EDGE_PX * sticker.outline_length_px
    reach, place = _shadow_reach_mm(sticker) if faint else (0.0, None)
    measures: dict[str, Any] = {"value": round(reach, 2), "limit": SHADOW_MM, "unit": "mm"}
    if reach <= SHADOW_MM:
        return passed(code, "No shadow or glow reaches out of the art.", **measures)
    message = f"A shadow or glow reaches {reach:.1f} mm out of the art; the cut line does not follow it."
    fix = "Remove the shadow, or lower alpha_threshold to make it part of the art."
    return warned(code, message, fix, **measures, place=place)


def _shadow_reach_mm(sticker: Sticker) -> tuple[float, BoxMm | None]:
    """Furthest distance of a visible pixel from the art, and the box of the patch it lies in, on a coarse grid."""
    coarse, every = _coarse_alpha(sticker)
    outside = (coarse < sticker.least_alpha).astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, 3)
    visible = (coarse >= SHADOW_FAINTEST) & (outside > 0)
    if not visible.any():
        return 0.0, None
    distance[~visible] = 0
    furthest = np.unravel_index(int(np.argmax(distance)), distance.shape)
    reach_px = max(0.0, float(distance[furthest]) - 1) * every
    _, patches = cv2.connectedComponents(visible.astype(np.uint8))
    rows, columns = np.nonzero(patches == patches[furthest])
    return reach_px * sticker.cut_line.mm_per_px, _place(sticker, every, rows, columns)


def _coarse_alpha(sticker: Sticker) -> tuple[NDArray[np.uint8], int]:
    """Every so many pixels of alpha, and how many."""
    alpha = sticker.cutout.rgba[..., 3]
    every = max(1, max(alpha.shape) // _GRID_PX)
    return np.ascontiguousarray(alpha[::every, ::every]), every


def _place(sticker: Sticker, every: int, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> BoxMm:
    x_min, y_min = int(columns.min()) * every, int(rows.min()) * every
    x_max, y_max = (int(columns.max()) + 1) * every, (int(rows.max()) + 1) * every
    return sticker.cut_line.place_px((x_min, y_min, x_max, y_max))


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
    fix = "Flatten the art onto the colour it should have."
    return warned(code, message, fix, **measures, place=_see_through_place(sticker))


def _see_through_place(sticker: Sticker) -> BoxMm:
    """The largest see-through patch that is more than a soft edge; the art where there is none."""
    coarse, every = _coarse_alpha(sticker)
    through = ((coarse >= sticker.least_alpha) & (coarse < OPAQUE)).astype(np.uint8)
    thick = cv2.morphologyEx(through, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(thick)
    if count < 2:
        return sticker.art_box
    x, y, width, height, _ = stats[1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))].tolist()
    return sticker.cut_line.place_px((x * every, y * every, (x + width) * every, (y + height) * every))
