"""GRABCUT and MODEL on busy backgrounds: holes by option, and a confidence that instability lowers."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cutline.domain.outputs import CutoutMethod
from cutline.imaging.cutout import cut_out
from cutline.imaging.model import Artwork, Cutout, type_rgba
from tests.unit.imaging.pixel_art import composed, coverage, overlap, type_levels

RING, DISC = coverage("ring"), coverage("disc")
SIDE_PX = 320


class RingMask:
    """A remover that sees the ring, and through it."""

    def subject_mask(self, rgba: type_rgba) -> NDArray[np.uint8]:
        """How much of each pixel the ring covers."""
        assert rgba.shape[:2] == RING.shape
        return np.rint(RING * 255).astype(np.uint8)


def cut(artwork: Artwork, method: CutoutMethod, *, enclosed: bool = False) -> Cutout:
    """The cutout with the usual threshold, and the ring's model at hand."""
    return cut_out(artwork, method=method, alpha_threshold=0.5, remove_enclosed_background=enclosed, model=RingMask())


def busy(least: int, most: int, seed: int = 3) -> type_levels:
    """Blotches of colours between two levels."""
    coarse = np.random.default_rng(seed).integers(least, most, (20, 20, 3), dtype=np.uint8)
    return cv2.resize(coarse, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC).astype(np.float64)


@pytest.mark.parametrize("method", [CutoutMethod.GRABCUT, CutoutMethod.MODEL])
def test_a_hole_opens_only_when_asked(method: CutoutMethod) -> None:
    """What the art encloses is kept and reported by default, and removed on request."""
    artwork = composed(RING, (250, 230, 40), busy(0, 120))

    kept, opened = cut(artwork, method), cut(artwork, method, enclosed=True)

    assert kept.method is opened.method is method
    assert (kept.rgba[100:220, 100:220, 3] == 255).all()
    assert overlap(opened.rgba[..., 3], RING) > 0.97
    assert kept.enclosed_background_px == opened.enclosed_background_px
    (box,) = kept.enclosed_background_px
    assert all(abs(found - true) <= 6 for found, true in zip(box, (80, 80, 160, 160), strict=True))


def test_art_that_fills_its_canvas_is_not_reduced_to_a_part() -> None:
    """Art of two colours, one of them at home in the background as well, is kept whole."""
    picture = busy(20, 130)
    picture[40:-40, 40:-40] = (240, 200, 60)
    picture[170:-40, 40:-40] = (70, 75, 80)
    artwork = composed(np.zeros((SIDE_PX, SIDE_PX), np.float32), (0, 0, 0), picture)
    cover = np.zeros((SIDE_PX, SIDE_PX), np.float32)
    cover[40:-40, 40:-40] = 1

    cutout = cut(artwork, CutoutMethod.GRABCUT)

    assert overlap(cutout.rgba[..., 3], cover) > 0.95


def test_confidence_falls_where_searches_disagree() -> None:
    """Art in the colours of its background is found by chance, and the confidence shows it."""
    clear = cut(composed(DISC, (250, 230, 40), busy(0, 120)), CutoutMethod.GRABCUT)
    lost = np.where(DISC[..., None] > 0.5, busy(0, 140, seed=8), busy(0, 120))
    unclear = cut(composed(np.zeros_like(DISC), (0, 0, 0), lost), CutoutMethod.GRABCUT)

    assert unclear.confidence < 0.35
    assert clear.confidence > 0.6
