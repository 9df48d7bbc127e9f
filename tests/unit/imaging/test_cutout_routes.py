"""Which way the background is removed, and what each way owes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cutline.domain.errors import ArtworkError, Reason
from cutline.domain.outputs import CutoutMethod
from cutline.imaging.cutout import ModelUnavailableError, cut_out
from cutline.imaging.model import Artwork, Cutout, type_rgba
from tests.unit.imaging.pixel_art import composed, coverage, flat_colour, opaque, overlap, type_levels

DISC = coverage("disc")


class KnownMask:
    """A remover that knows the answer, or that is not there."""

    def __init__(self, mask: NDArray[np.uint8] | None) -> None:
        self.mask = mask
        self.calls = 0

    def subject_mask(self, rgba: type_rgba) -> NDArray[np.uint8]:
        """The mask it was made with."""
        self.calls += 1
        if self.mask is None:
            msg = "The background model file is not there."
            raise ModelUnavailableError(msg)
        assert self.mask.shape == rgba.shape[:2]
        return self.mask


def cut(
    artwork: Artwork, method: CutoutMethod = CutoutMethod.AUTO, model: KnownMask | None = None, threshold: float = 0.5
) -> Cutout:
    """The cutout without removing enclosed background."""
    return cut_out(artwork, method=method, alpha_threshold=threshold, remove_enclosed_background=False, model=model)


def stripes(side_px: int = 320) -> type_levels:
    """A busy background: no colour and no gradient explains its border."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 130, (side_px // 16, side_px // 16, 3), dtype=np.uint8)
    coarse[..., 0] //= 3
    return cv2.resize(coarse, (side_px, side_px), interpolation=cv2.INTER_CUBIC).astype(np.float64)


def transparent(alpha: NDArray[np.uint8], colour: tuple[int, int, int] = (10, 200, 30)) -> Artwork:
    """Artwork of one colour with that alpha."""
    rgba = np.empty((*alpha.shape, 4), np.uint8)
    rgba[..., :3] = colour
    rgba[..., 3] = alpha
    return Artwork(rgba, "image/png", has_alpha=bool((alpha < 255).any()), vector=False)


def test_existing_alpha_is_kept_byte_for_byte() -> None:
    """AUTO keeps a transparent picture as it is, with the colours under its soft shadow."""
    alpha = np.rint(DISC * 255).astype(np.uint8)
    alpha[300:310, 100:200] = 90

    cutout = cut(transparent(alpha))

    assert cutout.method is CutoutMethod.ALPHA
    assert (cutout.rgba == transparent(alpha).rgba).all()
    assert cutout.confidence > 0.9
    assert not cutout.subject_is_everything


@pytest.mark.parametrize("level", [0, 40, 127])
def test_nothing_above_the_threshold_is_no_subject(level: int) -> None:
    """A picture that is nowhere opaque enough is NO_SUBJECT."""
    with pytest.raises(ArtworkError) as caught:
        cut(transparent(np.full((20, 30), level, np.uint8)))

    assert caught.value.reason is Reason.NO_SUBJECT


def test_a_few_stray_transparent_pixels_are_no_cutout() -> None:
    """Two clear pixels in an opaque picture do not make AUTO take its white for art."""
    artwork = composed(DISC, (200, 0, 0), flat_colour((255, 255, 255)))
    rgba = artwork.rgba.copy()
    rgba[100, 100, 3] = rgba[5, 9, 3] = 0

    cutout = cut(Artwork(rgba, "image/png", has_alpha=True, vector=False))

    assert cutout.method is CutoutMethod.FLAT
    assert cutout.rgba[2, 2, 3] == 0
    assert cutout.rgba[5, 9, 3] == 0


def test_flat_never_raises_existing_alpha() -> None:
    """FLAT on transparent artwork judges it as printed on white, and gives no pixel more alpha than it had."""
    alpha = np.rint(DISC * 255).astype(np.uint8)

    cutout = cut(transparent(alpha), CutoutMethod.FLAT)

    assert (cutout.rgba[..., 3] <= alpha).all()
    assert overlap(cutout.rgba[..., 3], DISC) > 0.98


def test_alpha_asked_of_an_opaque_picture_takes_everything_and_says_so() -> None:
    """ALPHA without transparency: the whole canvas is art, and the cutout admits it."""
    cutout = cut(composed(DISC, (1, 2, 3), flat_colour((255, 255, 255))), CutoutMethod.ALPHA)

    assert cutout.subject_is_everything
    assert cutout.confidence <= 0.5


def test_a_busy_background_goes_by_grabcut() -> None:
    """AUTO falls to GrabCut where the border agrees on nothing, and finds art that stands out."""
    cutout = cut(composed(DISC, (250, 230, 40), stripes()))

    assert cutout.method is CutoutMethod.GRABCUT
    assert overlap(cutout.rgba[..., 3], DISC) > 0.97
    assert 0.3 < cutout.confidence < 0.8
    inner = cv2.erode((DISC == 1).astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    assert (cutout.rgba[inner][:, 3] == 255).all()


def test_grabcut_gives_the_same_cutout_each_time() -> None:
    """The colour models are drawn from a fixed seed, whatever ran before."""
    artwork = composed(DISC, (250, 230, 40), stripes())

    first = cut(artwork, CutoutMethod.GRABCUT)
    cv2.setRNGSeed(99)

    assert (cut(artwork, CutoutMethod.GRABCUT).rgba == first.rgba).all()


@pytest.mark.parametrize("method", [CutoutMethod.AUTO, CutoutMethod.GRABCUT, CutoutMethod.FLAT])
def test_texture_all_over_is_everything_and_says_so(method: CutoutMethod) -> None:
    """A canvas of even texture has no background to remove: it stays whole, openly and without confidence."""
    noise = np.random.default_rng(1).integers(0, 256, (200, 200, 3), dtype=np.uint8)

    cutout = cut(opaque(noise), method)

    assert cutout.subject_is_everything
    assert (cutout.rgba == opaque(noise).rgba).all()
    assert cutout.confidence <= 0.3


@pytest.mark.parametrize("size", [(1, 5), (9, 9), (12, 300)])
def test_grabcut_takes_canvases_of_any_size(size: tuple[int, int]) -> None:
    """Canvases too small for colour models are everything."""
    noise = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)

    assert cut(opaque(noise), CutoutMethod.GRABCUT).subject_is_everything


def test_auto_prefers_a_model_to_grabcut_only_on_busy_backgrounds() -> None:
    """A flat background never asks the model; a busy one does."""
    model = KnownMask(np.rint(DISC * 255).astype(np.uint8))

    flat = cut(composed(DISC, (200, 0, 0), flat_colour((255, 255, 255))), model=model)
    calls_for_flat = model.calls
    busy = cut(composed(DISC, (250, 230, 40), stripes()), model=model)

    assert flat.method is CutoutMethod.FLAT
    assert calls_for_flat == 0
    assert busy.method is CutoutMethod.MODEL
    assert overlap(busy.rgba[..., 3], DISC) > 0.98
    assert busy.confidence > 0.7


def test_a_missing_model_ends_model_and_not_auto() -> None:
    """MODEL names MODEL_UNAVAILABLE, with no model or a broken one; AUTO goes on by GrabCut."""
    artwork = composed(DISC, (250, 230, 40), stripes())

    for model in (None, KnownMask(None)):
        with pytest.raises(ArtworkError) as caught:
            cut(artwork, CutoutMethod.MODEL, model)
        assert caught.value.reason is Reason.MODEL_UNAVAILABLE
    assert cut(artwork, model=KnownMask(None)).method is CutoutMethod.GRABCUT


def test_a_model_without_opinion_is_no_subject() -> None:
    """A constant mask says nothing: MODEL ends in NO_SUBJECT and AUTO asks GrabCut."""
    artwork = composed(DISC, (250, 230, 40), stripes())
    blank = KnownMask(np.zeros(DISC.shape, np.uint8))

    with pytest.raises(ArtworkError) as caught:
        cut(artwork, CutoutMethod.MODEL, blank)

    assert caught.value.reason is Reason.NO_SUBJECT
    assert cut(artwork, model=blank).method is CutoutMethod.GRABCUT


def test_a_rough_mask_is_sharpened_by_colour() -> None:
    """A model's blurred mask ends on the art's own edge, and its dull interior becomes solid."""
    dull = cv2.GaussianBlur(np.rint(DISC * 235).astype(np.uint8), (0, 0), 3)

    cutout = cut(composed(DISC, (250, 230, 40), stripes()), CutoutMethod.MODEL, KnownMask(np.asarray(dull, np.uint8)))

    assert overlap(cutout.rgba[..., 3], DISC) > 0.98
    assert cutout.rgba[160, 160].tolist() == [250, 230, 40, 255]
