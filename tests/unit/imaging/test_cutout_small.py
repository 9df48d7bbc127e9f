"""FLAT on art of few pixels: light parts are kept, or the confidence says that they may be gone."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cutline.domain.outputs import CutoutMethod
from cutline.imaging.cutout import cut_out
from cutline.imaging.model import Artwork, Cutout
from cutline.imaging.readiness.art import CONFIDENCE_GOOD
from tests.unit.imaging.pixel_art import as_jpeg, opaque, overlap

FINE_PX: Final = 1024
# About 12 and 20 from white in CIELAB.
LIGHT: Final = ((223, 223, 223), (255, 236, 200))


def fox(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A head in a strong colour with light cheeks, which have dark details and lie on its edge: colours and alpha."""
    rng = np.random.default_rng(seed)
    levels, alpha = np.full((FINE_PX, FINE_PX, 3), 255, np.uint8), np.zeros((FINE_PX, FINE_PX), np.uint8)
    strong = tuple(rng.permutation([250, 96, 20]).tolist())

    def draw(points: list[tuple[float, float]], colour: tuple[int, int, int]) -> None:
        corners = np.rint(np.array(points) * FINE_PX).astype(np.int32)
        cv2.fillPoly(levels, [corners], colour)
        cv2.fillPoly(alpha, [corners], (255,))

    def blob(x: float, y: float, radius: float, colour: tuple[int, int, int]) -> None:
        angles = np.arange(60) * np.pi / 30
        wobble = 1 + 0.06 * np.sin(3 * angles + rng.uniform(0, 6))
        round_about = zip(angles, radius * wobble, strict=True)
        draw([(x + reach * np.cos(angle), y + reach * np.sin(angle)) for angle, reach in round_about], colour)

    blob(0.5, 0.4, 0.3, strong)
    draw([(0.22, 0.3), (0.28, 0.05), (0.45, 0.2)], (70, 76, 80))
    for x in (0.3, 0.7):
        blob(x, 0.68, rng.uniform(0.13, 0.17), LIGHT[seed % len(LIGHT)])
        for y, colour in ((0.64, (255, 255, 255)), (0.69, (40, 36, 34)), (0.74, (255, 255, 255))):
            ends = [(round((x + side * 0.08) * FINE_PX), round((y - side * 0.01) * FINE_PX)) for side in (-1, 1)]
            cv2.line(levels, ends[0], ends[1], colour, 20)
    blob(0.5, 0.66, 0.09, (40, 36, 34))
    return levels, alpha


def small(seed: int, side_px: int) -> tuple[Artwork, NDArray[np.float32]]:
    """It at that size, scaled by the filter that programs use, and the share of each pixel that is art."""
    levels, alpha = fox(seed)
    picture = Image.fromarray(levels).resize((side_px, side_px), Image.Resampling.LANCZOS)
    cover = cv2.resize(alpha, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return opaque(np.asarray(picture)), np.asarray(cover / 255, dtype=np.float32)


def cut(artwork: Artwork) -> Cutout:
    """The automatic cutout with the usual threshold."""
    return cut_out(artwork, method=CutoutMethod.AUTO, alpha_threshold=0.5, remove_enclosed_background=False)


@pytest.mark.parametrize("side_px", [64, 80, 100, 120, 128, 256])
@pytest.mark.parametrize("seed", range(6))
def test_light_parts_of_small_art_are_kept(seed: int, side_px: int) -> None:
    """Light cheeks on white, whose edges are most of what lies about them, are not taken for compression noise."""
    artwork, cover = small(seed, side_px)

    cutout = cut(artwork)

    assert cutout.method is CutoutMethod.FLAT
    assert overlap(cutout.rgba[..., 3], cover) > 0.96
    assert cutout.confidence > CONFIDENCE_GOOD


@pytest.mark.parametrize("side_px", [48, 64])
@pytest.mark.parametrize("seed", range(6))
def test_compressed_small_art_is_right_or_not_sure(seed: int, side_px: int) -> None:
    """Where noise covers the light parts of small art, either they are kept, or the confidence falls below a half."""
    artwork, cover = small(seed, side_px)

    cutout = cut(as_jpeg(artwork, 75))

    assert overlap(cutout.rgba[..., 3], cover) > 0.93 or cutout.confidence < 0.5
