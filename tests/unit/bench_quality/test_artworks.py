"""The drawn artworks and what they are put on."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.quality.artworks import DRAWINGS
from bench.quality.backgrounds import Kind, drawn_backgrounds, over
from bench.quality.cases import Half, half_of
from bench.quality.drawing import Drawing
from bench.quality.truth import Truth

BY_NAME = {drawing.name: drawing for drawing in DRAWINGS}


def test_there_are_forty() -> None:
    """Forty artworks of different names, on canvases of 600 to 1,000 px."""
    assert len(BY_NAME) == len(DRAWINGS) == 40
    assert all(600 <= side <= 1000 for one in DRAWINGS for side in (one.width_px, one.height_px))


def test_alpha_is_the_share_of_a_pixel_that_is_covered() -> None:
    """A rectangle that ends in mid-pixel has half-opaque edges and full colour in them."""
    rgba = Drawing("half", 600, 600, '<rect x="100.5" y="200" width="50" height="30" fill="#2040c0"/>').render()

    assert rgba[210, 99:102, 3].tolist() == [0, 128, 255]
    assert rgba[210, 149:152, 3].tolist() == [255, 128, 0]
    assert rgba[210, 100, :3] == pytest.approx([0x20, 0x40, 0xC0], abs=1)


def test_alpha_adds_up_to_the_area() -> None:
    """The alpha of a disc sums to its area within two hundredths of a per cent, wherever its centre lies."""
    rgba = Drawing("disc", 600, 600, '<circle cx="300.3" cy="299.7" r="200"/>').render()

    assert rgba[..., 3].sum() / 255 == pytest.approx(math.pi * 200**2, rel=2e-4)


@pytest.mark.parametrize("name", ["cat", "fur-ball", "brush-stroke"])
def test_drawing_is_deterministic(name: str) -> None:
    """The same drawing gives the same pixels, noise included."""
    assert np.array_equal(BY_NAME[name].render(), BY_NAME[name].render())


@pytest.mark.parametrize("name", ["ring", "soft-heart", "stone"])
def test_composites_hold_the_drawn_alpha(name: str) -> None:
    """Alpha solved from the art on black and on white is the drawn alpha, to a rounding."""
    rgba = BY_NAME[name].render()
    black, white = (over(rgba, np.full_like(rgba[..., :3], level)) for level in (0, 255))

    solved = 255 - (white.astype(int) - black)

    assert np.abs(solved - rgba[..., 3:].astype(int)).max() <= 1


@pytest.mark.parametrize("name", ["bubble", "bottle", "wine-glass", "cat", "script", "soft-heart", "net"])
def test_see_through_art_is_told_by_computation(name: str) -> None:
    """Glass counts as semi-transparent; solid art with thin lines or a soft edge does not."""
    assert Truth(BY_NAME[name].render()).is_semi_transparent == (name in {"bubble", "bottle", "wine-glass"})


def test_every_kind_of_background_is_there_and_seeded() -> None:
    """Each artwork is put on all kinds, on four photo-like scenes, and drawing them again gives the same pixels."""
    rgba = np.zeros((60, 80, 4), np.uint8)
    backgrounds = drawn_backgrounds()

    assert {one.kind for one in backgrounds} == set(Kind)
    assert sum(one.kind is Kind.PHOTO for one in backgrounds) == 4
    for background in backgrounds:
        backdrop = background.behind(rgba, "cat")
        assert backdrop.shape == (60, 80, 3)
        assert np.array_equal(backdrop, background.behind(rgba, "cat"))


def test_halves_are_stable_and_about_even() -> None:
    """A name always falls into the same half, and neither half is far larger than the other."""
    judging = [name for name in BY_NAME if half_of(name) is Half.JUDGING]

    assert half_of("cat") is Half.JUDGING
    assert half_of("net") is Half.TUNING
    assert 14 <= len(judging) <= 26
