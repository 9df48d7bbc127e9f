"""GRABCUT: art on a busy background, found at a small size by colour models that the canvas border starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cutline.domain.outputs import CutoutMethod
from cutline.imaging.cutout.enclosed import settle_enclosed
from cutline.imaging.cutout.masks import both, either, inverse, outer_region, parts_of, type_mask, without
from cutline.imaging.cutout.matte import refine
from cutline.imaging.model import Cutout, type_rgba

_SEARCH_SIDE_PX: Final = 320
_LEAST_SIDE_PX: Final = 16
_ITERATIONS: Final = 3
_BORDER_COLOURS: Final = 6
_LEAST_SUBJECT_SHARE: Final = 0.005
_MOST_SUBJECT_SHARE: Final = 0.92
_LEAST_PART_SHARE: Final = 0.04
_MOST_PINHOLE_SHARE: Final = 0.002
# A cut whose two sides differ by less (CIE76) followed no edge.
_LEAST_DIFFERENCE: Final = 6.0
_MOST_OVERLAP: Final = 0.5
# A search must have this much less colour in common with the background to be believed instead of the better one.
_OVERLAP_GAIN: Final = 0.3
# How much dropped grain and colour in common with the background weigh in the confidence's exponent.
_GRAIN_WEIGHT: Final = 6.0
_OVERLAP_WEIGHT: Final = 3.0
_MOST_CONFIDENCE: Final = 0.75
_EVERYTHING_CONFIDENCE: Final = 0.2


@dataclass(frozen=True, slots=True)
class _Found:
    """Art at search size.

    Attributes:
        mask: 255 where art is.
        overlap: Share of colour that art and background have in common, 0 to 1.
        agreement: Mean intersection over union with what two other searches found.
        grain_share: Scattered bits that were dropped as no part of the art, as a share of it.
    """

    mask: type_mask
    overlap: float
    agreement: float
    grain_share: float


def cut_out_by_grabcut(rgba: type_rgba, *, remove_enclosed_background: bool) -> Cutout:
    """Cuts art off a busy background, or says that everything is art where it cannot tell them apart."""
    height, width = rgba.shape[:2]
    scale = min(1.0, _SEARCH_SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if min(size) < _LEAST_SIDE_PX:
        return everything(rgba, CutoutMethod.GRABCUT)
    small = cv2.resize(rgba[..., :3], size, interpolation=cv2.INTER_AREA)
    found = _search(np.asarray(small, dtype=np.uint8))
    if found.overlap > _MOST_OVERLAP:
        return everything(rgba, CutoutMethod.GRABCUT)
    mask, boxes = settle_enclosed(found.mask, width_px=width, height_px=height, remove=remove_enclosed_background)
    edge = refine(rgba, mask)
    if len(edge.difference) == 0 or float(np.median(edge.difference)) < _LEAST_DIFFERENCE:
        return everything(rgba, CutoutMethod.GRABCUT)
    return Cutout(
        rgba=edge.rgba,
        method=CutoutMethod.GRABCUT,
        confidence=_MOST_CONFIDENCE
        * found.agreement
        * math.exp(-_GRAIN_WEIGHT * found.grain_share - _OVERLAP_WEIGHT * found.overlap),
        subject_is_everything=False,
        enclosed_background_px=boxes,
    )


def everything(rgba: type_rgba, method: CutoutMethod) -> Cutout:
    """The whole canvas as art, said openly: no background could be told from it."""
    return Cutout(rgba=rgba, method=method, confidence=_EVERYTHING_CONFIDENCE, subject_is_everything=True)


def _search(small: NDArray[np.uint8]) -> _Found:
    """Art at search size, and how far searches that began otherwise agree with it.

    The search that starts with all within the border as art is right more often, even where art and background share
    colours. Another starts with what looks unlike the border, at half the size; it wins where the first swallowed
    background. A third repeats the first in another colour space at half the size: where it finds something else,
    chance decided.
    """
    height, width = small.shape[:2]
    half = np.asarray(cv2.resize(small, (width // 2, height // 2), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    lab, half_lab = (np.asarray(cv2.cvtColor(one, cv2.COLOR_RGB2LAB), dtype=np.uint8) for one in (small, half))
    raw = _grabcut(small, _within_border(lab))
    mask = _large_parts(raw)
    overlap = _colour_overlap(lab, mask)
    unlike = _large_parts(_grabcut(half, _unlike_border(half_lab)))
    other = _filled(unlike)
    if _colour_overlap(half_lab, unlike) + _OVERLAP_GAIN < overlap:
        other = _filled(mask)
        raw = _grabcut(small, _unlike_border(lab))
        mask = _large_parts(raw)
        overlap = _colour_overlap(lab, mask)
    again = _filled(_large_parts(_grabcut(half_lab, _within_border(half_lab))))
    filled = _filled(mask)
    agreement = (_agreement(filled, other) + _agreement(filled, again)) / 2
    grain_share = cv2.countNonZero(without(raw, filled)) / max(1, cv2.countNonZero(filled))
    return _Found(mask, overlap, agreement, grain_share)


def _filled(mask: type_mask) -> type_mask:
    """With all that it encloses."""
    return inverse(outer_region(inverse(mask)))


def _agreement(mask: type_mask, other: type_mask) -> float:
    """Intersection over union; the other mask may be smaller."""
    height, width = mask.shape
    other = np.asarray(cv2.resize(other, (width, height), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
    covered_px = cv2.countNonZero(either(mask, other))
    return cv2.countNonZero(both(mask, other)) / covered_px if covered_px else 0.0


def _grabcut(small: NDArray[np.uint8], labels: NDArray[np.uint8]) -> type_mask:
    if not (labels == cv2.GC_PR_FGD).any():
        return np.zeros(labels.shape, np.uint8)
    # GrabCut draws its colour models at random: the same artwork must give the same cutout.
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65), np.float64), np.zeros((1, 65), np.float64)
    cv2.grabCut(small, labels, None, models[0], models[1], _ITERATIONS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]  # None: no rectangle, the mask starts it
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8) * np.uint8(255)


def _colour_overlap(lab: NDArray[np.uint8], mask: type_mask) -> float:
    """Share of colour that art and background have in common: 0 for none, 1 for all, or for a side without pixels."""
    share = float((mask > 0).mean())
    if not _LEAST_SUBJECT_SHARE <= share <= _MOST_SUBJECT_SHARE:
        return 1.0
    bins, ranges = [8, 16, 16], [0, 256, 0, 256, 0, 256]
    sides = [np.asarray(cv2.calcHist([lab], [0, 1, 2], side, bins, ranges)) for side in (mask, inverse(mask))]
    art, behind = (histogram / max(1.0, float(histogram.sum())) for histogram in sides)
    return float(np.minimum(art, behind).sum())


def _within_border(lab: NDArray[np.uint8]) -> NDArray[np.uint8]:
    labels = np.full(lab.shape[:2], cv2.GC_PR_FGD, np.uint8)
    depth = _border_depth(lab)
    labels[:depth] = labels[-depth:] = cv2.GC_BGD
    labels[:, :depth] = labels[:, -depth:] = cv2.GC_BGD
    return labels


def _border_depth(lab: NDArray[np.uint8]) -> int:
    height, width = lab.shape[:2]
    return max(1, int(min(height, width)) // 40)


def _unlike_border(lab: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Art is what lies far from every colour of the border; the border itself is background."""
    depth = _border_depth(lab)
    strips = (lab[:depth], lab[-depth:], lab[:, :depth], lab[:, -depth:])
    border = np.concatenate([strip.reshape(-1, 3) for strip in strips]).astype(np.float32)
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_MAX_ITER, 10, 0.0)
    count = min(_BORDER_COLOURS, len(border))
    colours = cv2.kmeans(border, count, None, stop, 1, cv2.KMEANS_PP_CENTERS)[2]  # type: ignore[call-overload]  # None asks for new labels
    apart = np.min([np.abs(lab.astype(np.float32) - colour).sum(axis=2) for colour in colours], axis=0)
    level = np.clip(apart, 0, 255).astype(np.uint8)
    cv2.GaussianBlur(level, (0, 0), 1.5, dst=level)
    cut, _ = cv2.threshold(level, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    labels = _within_border(lab)
    labels[(level <= cut) & (labels == cv2.GC_PR_FGD)] = cv2.GC_PR_BGD
    return labels


def _large_parts(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Without grain: no islands far smaller than the largest part, and no pinholes."""
    opened = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), dtype=np.uint8)
    islands = parts_of(opened, connectivity=8)
    if len(islands.areas_px) == 1:
        return opened
    kept = islands.only(islands.areas_px >= _LEAST_PART_SHARE * islands.areas_px[1:].max())
    gaps = parts_of(inverse(kept), connectivity=4)
    return either(kept, gaps.only(gaps.areas_px < _MOST_PINHOLE_SHARE * mask.size))
