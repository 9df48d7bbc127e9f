"""FLAT: art on one colour or a smooth gradient.

The background is flooded from the canvas border in a perceptual distance. Strict first; then, where the picture was
compressed, once more with the tolerance that its own noise asks for, but only as a thin rind: a looser flood that
runs deep has leaked into art of nearly the background's colour, and is taken back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutline.domain.errors import ArtworkError, Reason
from cutline.domain.outputs import CutoutMethod
from cutline.imaging.cutout.background import Background
from cutline.imaging.cutout.certainty import certainty_on_field
from cutline.imaging.cutout.edge import soften
from cutline.imaging.cutout.masks import (
    above,
    at_most,
    both,
    either,
    grown,
    inverse,
    outer_region,
    parts_of,
    places_of,
    shrunk,
    type_mask,
    without,
)
from cutline.imaging.cutout.overshoot import without_overshoot
from cutline.imaging.model import Cutout, type_rgba
from cutline.imaging.strips import row_strips

_LEAST_TOLERANCE: Final = 2.0
# Rounding to whole levels, in the picture and in Lab, leaves faint islands along a gradient.
_FAINT_ON_FIELD: Final = 8.0
_MOST_TOLERANCE: Final = 30.0
_STRONG_DISTANCE: Final = 48.0
_NOISE_FACTOR: Final = 8.0
# Compression noise reaches about one block beyond the art.
_NOISE_REACH_PX: Final = 10
_RIND_PX: Final = 5
# In a picture of few pixels that is the width of whole parts of the art.
_LEAST_RIND_PX: Final = 2
_RIND_SHARE: Final = 0.02
# Noise seldom fills a square of twice this and one; what does, and was taken for noise, may have been light art.
_SOLID_PX: Final = 2
# Compression leaves little of what lies about the art perfectly even; a clean picture, nearly all of it.
_CALM_DISTANCE: Final = 16.0
# Below this side the edges of small light parts can be a tenth of what lies about the art, and look like noise.
_FEW_PX: Final = 256
_LEAST_UNEVEN_SHARE: Final = 0.27
# Noise swings back to the background between its peaks; art does not.
_SOLID_SHARE: Final = 0.3
_LEAST_SUBJECT_PX: Final = 16
_SPECK_PX: Final = 12
_FAINT_ISLAND_PX: Final = 400
_LEAST_ENCLOSED_PX: Final = 64
_LEAST_ENCLOSED_SHARE: Final = 0.0005
# What the colour planes of a strip need stays in the processor's cache.
_STRIP_PX: Final = 65_536


@dataclass(frozen=True, slots=True)
class _Flood:
    """The background as found: 255 outside, and how it was found.

    Attributes:
        outside: 255 where the background is.
        tolerance: Distance up to which a pixel counted as background.
        noise: How restless the background is near the art; 0 for art that was never compressed.
        leak_share: Area that a looser flood would have leaked into, as a share of the subject.
        doubtful_share: Solid area that was taken for noise, as a share of the subject.
    """

    outside: type_mask
    tolerance: float
    noise: float
    leak_share: float
    doubtful_share: float


def cut_out_flat(rgba: type_rgba, background: Background, *, remove_enclosed_background: bool) -> Cutout:
    """Cuts the art off its flat or smooth background.

    Raises:
        ArtworkError: NO_SUBJECT where nothing but background is found.
    """
    height, width = rgba.shape[:2]
    backdrop = background.over(width, height)
    if backdrop is None:
        backdrop = np.rint(background.colour).astype(np.uint8)
    distance = perceptual_distance(rgba, backdrop)
    flood = _flood(distance, background)
    enclosed, boxes = _enclosed(distance, flood)
    outside = either(flood.outside, enclosed) if remove_enclosed_background else flood.outside
    faint = 2 * flood.tolerance if flood.noise > 0 else _FAINT_ON_FIELD if background.varies else 0.0
    inside = _without_specks(without_overshoot(rgba, inverse(outside), backdrop, distance), distance, faint)
    if cv2.countNonZero(inside) < _LEAST_SUBJECT_PX:
        raise ArtworkError(
            Reason.NO_SUBJECT,
            "The artwork shows nothing but its background; no art was found to cut out. "
            "Cutout method ALPHA keeps the whole image.",
        )
    edge = soften(rgba, inside, backdrop, distance, is_compressed=flood.noise > 0)
    return Cutout(
        rgba=edge.rgba,
        method=CutoutMethod.FLAT,
        confidence=certainty_on_field(
            background,
            inside,
            edge.difference,
            leak_share=flood.leak_share,
            doubtful_share=flood.doubtful_share,
            is_compressed=flood.noise > 0,
        ),
        subject_is_everything=not outside.any(),
        enclosed_background_px=boxes,
    )


def perceptual_distance(rgba: type_rgba, backdrop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """How different each pixel looks from the background: about 2.5 times the worst CIELAB difference, up to 255.

    Worked out in strips: a canvas of each colour plane on the way would take three times as long, and much memory.
    """
    distance = np.empty(rgba.shape[:2], np.uint8)
    for rows in row_strips(rgba.shape, _STRIP_PX):
        distance[rows] = _distance(rgba[rows], backdrop if backdrop.ndim == 1 else backdrop[rows])
    return distance


def _distance(rgba: type_rgba, backdrop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    lab = cv2.cvtColor(rgba, cv2.COLOR_RGB2LAB)
    if backdrop.ndim == 1:
        one = cv2.cvtColor(backdrop.reshape(1, 1, 3), cv2.COLOR_RGB2LAB)[0, 0]
        difference = cv2.absdiff(lab, np.array([*one, 0], dtype=np.float64))
    else:
        difference = cv2.absdiff(lab, cv2.cvtColor(backdrop, cv2.COLOR_RGB2LAB))
    # 8-bit Lab counts lightness in 2.55 steps a unit but chroma in one: doubling brings them about level.
    lightness, green_red, blue_yellow = cv2.split(difference)
    chroma = cv2.max(green_red, blue_yellow)
    return np.asarray(cv2.max(lightness, cv2.add(chroma, chroma)), dtype=np.uint8)


def _flood(distance: NDArray[np.uint8], background: Background) -> _Flood:
    strict = min(_MOST_TOLERANCE, max(_LEAST_TOLERANCE, 1.5 * background.noise + 2))
    outside = _within_region(outer_region(at_most(distance, strict)), background)
    noise = _noise_near_art(distance)
    tolerance = min(_MOST_TOLERANCE, _NOISE_FACTOR * noise + 4)
    if noise == 0 or tolerance <= strict:
        return _Flood(outside, strict, noise, 0.0, 0.0)
    looser = outer_region(at_most(distance, tolerance))
    gained = both(without(looser, outside), above(distance, max(strict, _SOLID_SHARE * tolerance)))
    leaks = _thick_parts(gained, min(_RIND_PX, max(_LEAST_RIND_PX, round(_RIND_SHARE * max(distance.shape)))))
    solid = shrunk(without(gained, leaks), _SOLID_PX)
    doubtful_px = cv2.countNonZero(grown(solid, _SOLID_PX)) if solid.any() else 0
    subject_px = max(1, outside.size - cv2.countNonZero(outside))
    return _Flood(
        without(looser, leaks), tolerance, noise, cv2.countNonZero(leaks) / subject_px, doubtful_px / subject_px
    )


def _within_region(outside: type_mask, background: Background) -> type_mask:
    """Takes back what a flood over a gradient covers far from where the gradient was followed.

    The art may have the gradient's colour somewhere; only its edge, which the region stopped at, tells it apart.
    """
    if background.region is None:
        return outside
    height, width = outside.shape
    followed = cv2.resize(background.region, (width, height), interpolation=cv2.INTER_LINEAR)
    step_px = max(width, height) // max(background.region.shape) + 1
    near = grown(np.asarray(followed, dtype=np.uint8), 3 * step_px)
    # Narrow bays of true background are closed at search size; what is wider would have been followed.
    return without(outside, _thick_parts(without(outside, near), 4 * step_px))


def _noise_near_art(distance: NDArray[np.uint8]) -> float:
    """How restless the background is within a block of the art: 0 for a clean picture, 1 to 4 for a compressed one.

    Measured against the mean of the neighbours, so that faint smooth art beside the edge does not count as noise.
    """
    strong = above(distance, _STRONG_DISTANCE)
    reach = grown(strong, _NOISE_REACH_PX)
    edge = grown(strong, 2)
    faint = at_most(distance, _MOST_TOLERANCE)
    ring = both(without(reach, edge), faint)
    restlessness = cv2.absdiff(distance, cv2.blur(distance, (3, 3)))
    counts = np.bincount(restlessness[places_of(ring)], minlength=256)
    if counts.sum() == 0:
        return 0.0
    noise = float(np.searchsorted(np.cumsum(counts), 0.9 * counts.sum()))
    is_small = max(distance.shape) < _FEW_PX
    return 0.0 if is_small and noise > 0 and not _is_uneven(distance, ring) else noise


def _is_uneven(distance: NDArray[np.uint8], ring: type_mask) -> bool:
    """Whether the background itself is restless, and not only the edges of small light art.

    In a picture of few pixels those edges are much of what lies about the art, but between them all is one colour.
    """
    around = np.ones((3, 3), np.uint8)
    highest, lowest = cv2.dilate(distance, around), cv2.erode(distance, around)
    calm = both(ring, at_most(np.asarray(highest, np.uint8), _CALM_DISTANCE))
    uneven = both(calm, above(np.asarray(cv2.subtract(highest, lowest), np.uint8), 0))
    return cv2.countNonZero(uneven) >= _LEAST_UNEVEN_SHARE * cv2.countNonZero(calm)


def _thick_parts(mask: type_mask, rind_px: int) -> type_mask:
    """The connected parts of a mask that are somewhere thicker than twice the rind."""
    seeds = shrunk(mask, rind_px)
    if not seeds.any():
        return seeds
    parts = parts_of(mask, connectivity=4)
    return parts.only(parts.touching(seeds))


def _enclosed(distance: NDArray[np.uint8], flood: _Flood) -> tuple[type_mask, tuple[tuple[int, int, int, int], ...]]:
    """Regions of background colour that the art surrounds: their mask, and their boxes (x, y, width, height)."""
    parts = parts_of(without(at_most(distance, flood.tolerance), flood.outside), connectivity=4)
    is_region = parts.areas_px >= max(_LEAST_ENCLOSED_PX, _LEAST_ENCLOSED_SHARE * distance.size)
    is_region[0] = False
    boxes = tuple((x, y, width, height) for x, y, width, height in parts.boxes[is_region].tolist())
    return parts.only(is_region), boxes


def _without_specks(inside: type_mask, distance: NDArray[np.uint8], faint: float) -> type_mask:
    """Drops islands of a few pixels, and small ones that nowhere lie further than `faint` from the background."""
    parts = parts_of(inside, connectivity=8)
    keep = parts.areas_px >= _SPECK_PX
    if faint > 0:
        keep &= parts.touching(above(distance, faint)) | (parts.areas_px >= _FAINT_ISLAND_PX)
    return inside if keep[1:].all() else parts.only(keep)
