"""FLAT beside edges that a sharp filter drew a line along."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from cutline.domain.outputs import CutoutMethod
from cutline.imaging.cutout import cut_out
from cutline.imaging.model import Cutout
from tests.unit.imaging.pixel_art import opaque

SIDE_PX = 400
RADIUS_PX = 150.0
COLOURS = [
    ((120, 200, 240), (200, 100, 150)),
    ((200, 200, 200), (250, 40, 40)),
    ((40, 40, 40), (255, 220, 0)),
    ((120, 200, 240), (20, 60, 40)),
]


def large_disc(background: tuple[int, int, int], art: tuple[int, int, int]) -> Image.Image:
    """A disc drawn at four times the size."""
    image = Image.new("RGB", (4 * SIDE_PX, 4 * SIDE_PX), background)
    edge = 4 * RADIUS_PX
    middle = 2 * SIDE_PX
    ImageDraw.Draw(image).ellipse((middle - edge, middle - edge, middle + edge, middle + edge), fill=art)
    return image


def made(image: Image.Image) -> Cutout:
    """The cutout of a picture."""
    return cut_out(
        opaque(np.asarray(image)), method=CutoutMethod.AUTO, alpha_threshold=0.5, remove_enclosed_background=False
    )


def farthest_px(cutout: Cutout) -> float:
    """How far from the disc's centre any trace of art lies."""
    rows, columns = np.nonzero(cutout.rgba[..., 3])
    return float(np.hypot(rows + 0.5 - SIDE_PX / 2, columns + 0.5 - SIDE_PX / 2).max())


@pytest.mark.parametrize(("background", "art"), COLOURS)
def test_what_a_sharp_filter_leaves_beside_the_edge_is_background(
    background: tuple[int, int, int], art: tuple[int, int, int]
) -> None:
    """A disc scaled down by Lanczos has its edge where it was drawn, all around, and the confidence of a clean one."""
    cutout = made(large_disc(background, art).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS))
    assert cutout.method is CutoutMethod.FLAT
    assert farthest_px(cutout) < RADIUS_PX + 1
    assert cutout.confidence > 0.95


@pytest.mark.parametrize(("background", "art"), COLOURS)
def test_sharpening_leaves_no_halo(background: tuple[int, int, int], art: tuple[int, int, int]) -> None:
    """A disc sharpened as cameras do it has no rim of a background that is too light or too dark."""
    small = large_disc(background, art).resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX)
    cutout = made(small.filter(ImageFilter.UnsharpMask(radius=1, percent=60, threshold=0)))
    assert farthest_px(cutout) < RADIUS_PX + 1.5


def test_an_outline_of_its_own_colour_stays() -> None:
    """Three pixels of white around dark art on grey are design: no filter overshoots as far."""
    grey, white, dark = (180, 180, 180), (255, 255, 255), (20, 30, 60)
    image = large_disc(grey, white)
    edge, middle = 4 * (RADIUS_PX - 3), 2 * SIDE_PX
    ImageDraw.Draw(image).ellipse((middle - edge, middle - edge, middle + edge, middle + edge), fill=dark)
    cutout = made(image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))
    assert farthest_px(cutout) > RADIUS_PX - 0.5
