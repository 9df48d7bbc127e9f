"""FLAT on gradients as programs draw them: known everywhere once known along the border."""

from __future__ import annotations

import tracemalloc

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cutline.domain.outputs import CutoutMethod
from cutline.imaging.cutout import cut_out
from cutline.imaging.cutout.background import Background
from cutline.imaging.model import Artwork, Cutout
from tests.unit.imaging.pixel_art import as_jpeg, composed, coverage, overlap, type_levels

SIDE_PX = 320
COLOUR = (40, 60, 170)


def cut(artwork: Artwork, *, enclosed: bool = False) -> Cutout:
    """The automatic cutout with the usual threshold."""
    return cut_out(artwork, method=CutoutMethod.AUTO, alpha_threshold=0.5, remove_enclosed_background=enclosed)


def ramp(share: NDArray[np.floating], start: tuple[int, int, int], end: tuple[int, int, int]) -> type_levels:
    """Colours along a share from 0 to 1."""
    return np.asarray(np.array(start) + (np.array(end) - np.array(start)) * share[..., None], dtype=np.float64)


def radial(x: float, y: float, start: tuple[int, int, int], end: tuple[int, int, int]) -> type_levels:
    """A cone of colour around a point given as shares of the canvas."""
    down, across = np.mgrid[0:SIDE_PX, 0:SIDE_PX] / SIDE_PX
    apart = np.hypot(across - x, down - y)
    return ramp(apart / apart.max(), start, end)


def linear(start: tuple[int, int, int], end: tuple[int, int, int]) -> type_levels:
    """A gradient along the diagonal."""
    down, across = np.mgrid[0:SIDE_PX, 0:SIDE_PX] / (2 * SIDE_PX)
    return ramp(down + across, start, end)


@pytest.mark.parametrize("span", [12, 40, 110])
@pytest.mark.parametrize("centre", [(0.5, 0.5), (0.3, 0.7), (0.62, 0.35)])
def test_radial_gradients_are_known_to_their_centre(centre: tuple[float, float], span: int) -> None:
    """Inside a ring lies the centre, which no border touches: it is told from the ring exactly, faint or strong."""
    behind = radial(*centre, (200, 160, 190), (200 - span, 160 + span // 2, 190))
    cover = coverage("ring", SIDE_PX)

    cutout = cut(composed(cover, COLOUR, behind), enclosed=True)

    assert cutout.method is CutoutMethod.FLAT
    assert overlap(cutout.rgba[..., 3], cover) > 0.99
    assert cutout.confidence > 0.75


@pytest.mark.parametrize("seed", [1, 2])
def test_noise_and_compression_do_not_hide_a_gradient(seed: int) -> None:
    """A grainy gradient, stored as JPEG, is followed as well as a clean one."""
    cover = coverage("star", SIDE_PX)
    grain = np.random.default_rng(seed).normal(0, 1.5, (SIDE_PX, SIDE_PX, 3))

    cutout = cut(as_jpeg(composed(cover, COLOUR, radial(0.4, 0.6, (230, 190, 160), (150, 200, 190)) + grain), 80))

    assert cutout.method is CutoutMethod.FLAT
    assert overlap(cutout.rgba[..., 3], cover) > 0.97


def test_art_over_a_third_of_the_border_does_not_bend_the_gradient() -> None:
    """A sun in the corner: the rest of the border agrees, and the sun stays whole."""
    cover = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    cv2.circle(cover, (0, 0), int(0.68 * SIDE_PX), (255,), -1, cv2.LINE_AA)
    shares = (cover / 255).astype(np.float32)

    cutout = cut(composed(shares, (255, 186, 8), linear((20, 170, 150), (40, 120, 200))))

    assert cutout.method is CutoutMethod.FLAT
    assert overlap(cutout.rgba[..., 3], shares) > 0.99
    assert not cutout.subject_is_everything


def test_a_margin_of_few_pixels_is_enough() -> None:
    """A poster that leaves one part in sixty of the canvas free on each side is cut along its own edge."""
    cover = np.zeros((SIDE_PX, SIDE_PX), np.float32)
    cover[5:-5, 5:-5] = 1

    cutout = cut(composed(cover, COLOUR, linear((200, 160, 190), (120, 210, 190))))

    assert overlap(cutout.rgba[..., 3], cover) > 0.995


def test_a_gradient_leaves_no_faint_islands() -> None:
    """Small art on a steep gradient of a saturated colour: what rounding leaves of the background is no art."""
    cover = np.zeros((SIDE_PX, SIDE_PX), np.float32)
    cover[150:170, 150:170] = 1

    cutout = cut(composed(cover, (255, 195, 0), radial(0.3, 0.4, (120, 105, 96), (70, 55, 92))))

    assert cv2.connectedComponents((cutout.rgba[..., 3] >= 128).astype(np.uint8))[0] == 2


def test_an_outline_between_two_colours_is_no_mixture_of_them() -> None:
    """An outline whose lightness lies between art and background, but not its colour, is kept whole."""
    shape = np.zeros((SIDE_PX * 4, SIDE_PX * 4, 3), np.uint8)
    shape[:] = (85, 56, 92)
    middle = (SIDE_PX * 2, SIDE_PX * 2)
    cv2.circle(shape, middle, SIDE_PX, (74, 107, 122), -1)
    cv2.circle(shape, middle, SIDE_PX - 9, (191, 227, 242), -1)
    picture = cv2.resize(shape, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    disc = np.zeros((SIDE_PX * 4, SIDE_PX * 4), np.uint8)
    cv2.circle(disc, middle, SIDE_PX, (255,), -1)
    cover = (cv2.resize(disc, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA) / 255).astype(np.float32)

    opaque = np.dstack([picture, np.full((SIDE_PX, SIDE_PX), 255, np.uint8)])
    cutout = cut(Artwork(opaque, "image/png", has_alpha=False, vector=False))

    assert overlap(cutout.rgba[..., 3], cover) > 0.995


@pytest.mark.parametrize(
    ("rows", "columns", "height", "width"), [(192, 160, 600, 500), (40, 192, 41, 197), (1, 5, 3, 9)]
)
def test_a_field_is_stretched_as_an_image_is(rows: int, columns: int, height: int, width: int) -> None:
    """The full background is the field enlarged between its pixels, to a level of rounding."""
    field = np.random.default_rng(4).uniform(-3, 258, (rows, columns, 3)).astype(np.float32)
    background = Background(field.mean(axis=(0, 1)), field, None, 0.0, 1.0)

    found = background.over(width, height)

    right = cv2.resize(np.clip(field, 0, 255), (width, height), interpolation=cv2.INTER_LINEAR)
    assert found is not None
    assert np.abs(found - right).max() <= 0.51


def test_a_field_takes_no_floats_at_full_size() -> None:
    """Stretching over six megapixels takes little more memory than the three bytes a pixel that come out."""
    field = np.full((192, 144, 3), 100, np.float32)
    background = Background(field.mean(axis=(0, 1)), field, None, 0.0, 1.0)

    tracemalloc.start()
    try:
        background.over(2_100, 2_900)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 3 * 2_100 * 2_900 <= peak_bytes < 5 * 2_100 * 2_900
