"""FLAT on the checker that editors show for transparency, baked into the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cutline.domain.errors import ArtworkError, Reason
from cutline.domain.outputs import CutoutMethod
from cutline.imaging.cutout import cut_out
from cutline.imaging.cutout.checker import find_checker
from cutline.imaging.model import Artwork, Cutout
from cutline.imaging.readiness.art import CONFIDENCE_LEAST
from tests.unit.imaging.pixel_art import as_jpeg, composed, coverage, opaque, overlap, type_levels

SIDE_PX = 320


def cut(artwork: Artwork, *, enclosed: bool = False) -> Cutout:
    """The automatic cutout with the usual threshold."""
    return cut_out(artwork, method=CutoutMethod.AUTO, alpha_threshold=0.5, remove_enclosed_background=enclosed)


def checker(cell_px: float, start_px: float = 0.0, levels: tuple[int, int] = (255, 204)) -> type_levels:
    """Squares of two greys."""
    step = np.floor((np.arange(SIDE_PX) + start_px) / cell_px).astype(int) % 2
    return np.repeat(np.where(step[:, None] ^ step[None, :], *levels)[..., None], 3, axis=2).astype(np.float64)


@pytest.mark.parametrize(("cell_px", "start_px"), [(8, 0), (16, 5), (21.3, 9)])
@pytest.mark.parametrize("shape", ["disc", "star", "ring"])
def test_art_comes_off_a_baked_in_checker(shape: str, cell_px: float, start_px: float) -> None:
    """Squares of any size that begin anywhere are background, enclosed ones too where that is asked for."""
    cover = coverage(shape, SIDE_PX)

    cutout = cut(composed(cover, (200, 40, 90), checker(cell_px, start_px)), enclosed=True)

    assert cutout.method is CutoutMethod.FLAT
    assert overlap(cutout.rgba[..., 3], cover) > 0.99
    assert cutout.confidence > 0.75


def test_a_compressed_checker_is_one_too() -> None:
    """JPEG's noise around the squares does not hide the pattern."""
    cover = coverage("disc", SIDE_PX)

    cutout = cut(as_jpeg(composed(cover, (20, 60, 160), checker(16)), 85))

    assert cutout.method is CutoutMethod.FLAT
    assert overlap(cutout.rgba[..., 3], cover) > 0.97


def test_white_art_on_a_checker_is_told_by_the_dark_squares() -> None:
    """White art keeps its middle; its edge is lost on the white squares, and the confidence says so."""
    cover = coverage("disc", SIDE_PX)

    cutout = cut(composed(cover, (255, 255, 255), checker(8)))

    assert cutout.rgba[SIDE_PX // 2, SIDE_PX // 2, 3] == 255
    assert overlap(cutout.rgba[..., 3], cover) > 0.9
    assert cutout.confidence < 0.5


def test_a_checker_alone_is_no_subject() -> None:
    """Nothing but squares is NO_SUBJECT."""
    with pytest.raises(ArtworkError) as caught:
        cut(opaque(checker(16).astype(np.uint8)))

    assert caught.value.reason is Reason.NO_SUBJECT


def test_stripes_are_no_checker() -> None:
    """Two colours by turns along one axis alone are not taken for squares."""
    levels = np.full((SIDE_PX, SIDE_PX, 3), 255, np.uint8)
    levels[:, np.arange(SIDE_PX) // 16 % 2 == 0] = (120, 40, 40)
    cv2.circle(levels, (160, 160), 80, (30, 90, 200), -1)

    assert cut(opaque(levels)).method is CutoutMethod.GRABCUT


@pytest.mark.parametrize("seed", range(12))
def test_two_colours_in_disorder_are_no_checker(seed: int) -> None:
    """Runs of any lengths along the border, down to single pixels, are neither squares nor an error."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 2, (rng.integers(3, 90), rng.integers(3, 90)), dtype=np.uint8) * np.uint8(255)
    levels = cv2.resize(coarse, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_NEAREST)

    assert find_checker(opaque(np.repeat(levels[..., None], 3, axis=2)).rgba) is None


def test_a_chessboard_is_art() -> None:
    """Few large squares of much contrast are no sign of transparency: the whole image is the subject."""
    board = checker(SIDE_PX / 8, levels=(255, 0)).astype(np.uint8)

    cutout = cut(opaque(board))

    assert cutout.subject_is_everything
    assert (cutout.rgba[..., 3] == 255).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_code_without_margin_has_no_sure_background(seed: int) -> None:
    """Where the border turns between black and white all the way round, its more frequent colour is no background."""
    modules = np.random.default_rng(seed).random((29, 29)) < 0.35
    levels = np.kron(modules, np.ones((12, 12))).astype(np.uint8) * 255

    cutout = cut(opaque(np.repeat(levels[..., None], 3, axis=2)))

    assert cutout.subject_is_everything or cutout.confidence < CONFIDENCE_LEAST


def test_art_cropped_in_a_few_places_is_still_cut_out() -> None:
    """One colour that touches two sides of the canvas leaves the other colour the background."""
    levels = np.full((SIDE_PX, SIDE_PX, 3), 255, np.uint8)
    cv2.circle(levels, (SIDE_PX, SIDE_PX), 200, (200, 30, 30), -1)

    cutout = cut(opaque(levels))

    assert not cutout.subject_is_everything
    assert cutout.rgba[10, 10, 3] == 0
