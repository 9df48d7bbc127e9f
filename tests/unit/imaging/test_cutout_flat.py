"""FLAT: art on one colour or a smooth gradient comes off cleanly, colours and edge included."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutline.domain.errors import ArtworkError, Reason
from cutline.domain.outputs import CutoutMethod
from cutline.imaging.cutout import cut_out
from cutline.imaging.model import Artwork, Cutout
from tests.unit.imaging.pixel_art import (
    as_jpeg,
    composed,
    coverage,
    flat_colour,
    gradient,
    opaque,
    overlap,
    type_levels,
)

WHITE = (255, 255, 255)
SHAPES = ("disc", "star", "islands")
BACKGROUNDS = {
    "white": flat_colour(WHITE),
    "near-white": flat_colour((250, 249, 246)),
    "blue": flat_colour((96, 180, 220)),
    "gradient": gradient(),
}


def cut(artwork: Artwork, method: CutoutMethod = CutoutMethod.AUTO, *, enclosed: bool = False) -> Cutout:
    """The cutout with the usual threshold."""
    return cut_out(artwork, method=method, alpha_threshold=0.5, remove_enclosed_background=enclosed)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("background", BACKGROUNDS.values(), ids=BACKGROUNDS)
def test_shape_edge_and_colour_are_exact(shape: str, background: type_levels) -> None:
    """The alpha is the coverage the shape was drawn with, and the edge has the art's colour alone: no halo."""
    cover = coverage(shape)
    colour = (200, 40, 90)

    cutout = cut(composed(cover, colour, background))

    assert cutout.method is CutoutMethod.FLAT
    assert overlap(cutout.rgba[..., 3], cover) > 0.995
    assert not cutout.subject_is_everything
    # Pieces apart on paper white may be parts of white art that nobody sees: that alone lowers the confidence.
    assert cutout.confidence > (0.4 if shape == "islands" and background is BACKGROUNDS["white"] else 0.75)
    alpha_error = np.abs(cutout.rgba[..., 3] / 255 - cover)
    assert alpha_error[(cover > 0) & (cover < 1)].mean() < 0.03
    seen = cutout.rgba[..., 3] > 60
    assert np.abs(cutout.rgba[seen][:, :3].astype(int) - colour).max(axis=1).mean() < 1.5
    assert np.percentile(np.abs(cutout.rgba[seen][:, :3].astype(int) - colour).max(axis=1), 99) <= 12


@settings(max_examples=40, deadline=None)
@given(
    art=st.tuples(*[st.integers(0, 255)] * 3),
    behind=st.tuples(*[st.integers(0, 255)] * 3),
    shape=st.sampled_from(SHAPES),
)
def test_any_two_distinct_colours_are_told_apart(
    art: tuple[int, int, int], behind: tuple[int, int, int], shape: str
) -> None:
    """Whatever the colours, as long as they differ visibly: shape kept, interior solid, canvas size kept."""
    if max(abs(a - b) for a, b in zip(art, behind, strict=True)) < 24:
        art = (255 - behind[0], art[1], art[2]) if abs(255 - 2 * behind[0]) >= 24 else (0, art[1], art[2])
    cover = coverage(shape, side_px=160)

    cutout = cut(composed(cover, art, flat_colour(behind, 160)))

    assert cutout.rgba.shape == (160, 160, 4)
    assert overlap(cutout.rgba[..., 3], cover) > 0.98
    interior = cv2.erode((cover == 1).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert (cutout.rgba[interior][:, 3] == 255).all()
    assert (cutout.rgba[interior][:, :3] == art).all()
    assert (cutout.rgba[cutout.rgba[..., 3] == 0] == 0).all()


@pytest.mark.parametrize("quality", [90, 70])
@pytest.mark.parametrize("behind", [WHITE, (240, 150, 180)])
def test_compression_noise_does_not_stick_to_the_art(quality: int, behind: tuple[int, int, int]) -> None:
    """JPEG ringing beside the art is background, not a crust around it."""
    cover = coverage("star")

    cutout = cut(as_jpeg(composed(cover, (30, 60, 160), flat_colour(behind)), quality))

    assert overlap(cutout.rgba[..., 3], cover) > 0.985


def test_white_art_on_white_keeps_its_interior() -> None:
    """An outline is enough: the white inside it stays, is solid, and is reported as a candidate."""
    levels = np.full((240, 240, 3), 255, np.uint8)
    cv2.circle(levels, (120, 120), 80, (20, 20, 20), 6, cv2.LINE_AA)

    cutout = cut(opaque(levels))

    assert cutout.rgba[120, 120].tolist() == [255, 255, 255, 255]
    assert cutout.rgba[5, 5, 3] == 0
    (box,) = cutout.enclosed_background_px
    assert all(abs(found - true) <= 3 for found, true in zip(box, (45, 45, 151, 151), strict=True))


def test_enclosed_background_goes_only_when_asked() -> None:
    """A ring keeps its middle by default and loses it on request; both name the region."""
    cover = coverage("ring")
    artwork = composed(cover, (10, 120, 60), flat_colour((250, 240, 200)))

    kept, removed = cut(artwork), cut(artwork, enclosed=True)

    assert kept.rgba[160, 160, 3] == 255
    assert removed.rgba[160, 160, 3] == 0
    assert kept.enclosed_background_px == removed.enclosed_background_px != ()
    assert overlap(removed.rgba[..., 3], cover) > 0.99


def test_faint_art_is_not_eaten() -> None:
    """Art hardly darker than its background, beside a strong part, survives a clean picture's flood."""
    levels = np.full((200, 200, 3), 255, np.uint8)
    cv2.rectangle(levels, (40, 40), (160, 160), (246, 246, 246), -1)
    cv2.rectangle(levels, (80, 80), (120, 120), (0, 0, 0), -1)

    alpha = cut(opaque(levels)).rgba[..., 3]

    assert (alpha[45:155, 45:155] == 255).all()
    assert (alpha[:38] == 0).all()


def test_faint_edges_lower_the_confidence() -> None:
    """The cutout is less sure of itself where art and background hardly differ."""
    cover = coverage("disc")

    clear = cut(composed(cover, (20, 20, 20), flat_colour(WHITE)))
    faint = cut(composed(cover, (244, 244, 244), flat_colour(WHITE)))

    assert faint.confidence < 0.6 < clear.confidence


def test_a_hairline_survives() -> None:
    """A line thinner than a pixel is kept in its own colour."""
    levels = np.full((120, 120, 3), 255, np.uint8)
    cv2.rectangle(levels, (20, 20), (60, 100), (200, 0, 0), -1)
    levels[58, 60:100] = (160, 160, 160)

    cutout = cut(opaque(levels))

    assert (cutout.rgba[58, 65:95, 3] > 80).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (64, 64), (3, 900)])
def test_one_colour_alone_is_no_subject(size: tuple[int, int]) -> None:
    """A canvas of one colour, down to a single pixel, is NO_SUBJECT, and the message names what keeps it whole."""
    levels = np.full((*size, 3), 90, np.uint8)

    with pytest.raises(ArtworkError) as caught:
        cut(opaque(levels))

    assert caught.value.reason is Reason.NO_SUBJECT
    assert "ALPHA" in caught.value.message
    assert (cut(opaque(levels), CutoutMethod.ALPHA).rgba[..., 3] == 255).all()


def test_a_bare_gradient_is_no_subject() -> None:
    """A smooth gradient with nothing on it is NO_SUBJECT, not a sticker of the gradient."""
    with pytest.raises(ArtworkError) as caught:
        cut(opaque(np.rint(gradient()).astype(np.uint8)))

    assert caught.value.reason is Reason.NO_SUBJECT


def test_art_may_touch_the_canvas_edge() -> None:
    """Art that runs off one side is cut there and kept otherwise."""
    levels = np.full((200, 200, 3), (240, 240, 250), np.uint8)
    cv2.rectangle(levels, (60, 90), (140, 199), (180, 30, 30), -1)

    cutout = cut(opaque(levels))

    assert (cutout.rgba[92:, 62:139, 3] == 255).all()
    assert (cutout.rgba[:, :58, 3] == 0).all()


def test_bays_and_crests_on_a_gradient_are_cleared() -> None:
    """A narrow bay into the art, over a gradient with a crest that no polynomial follows, is background to its end."""
    side_px = 640
    across = np.abs(np.linspace(-1, 1.4, side_px))[None, :] + np.zeros((side_px, 1))
    behind = np.stack([250 - 60 * across, 225 - 70 * across, 200 - 30 * across], axis=-1)
    cover = coverage("disc", side_px)
    cover[280:640, 310:322] = 0

    cutout = cut(composed(cover, (40, 60, 170), behind))

    assert (cutout.rgba[290:, 312:320, 3] == 0).all()
    assert overlap(cutout.rgba[..., 3], cover) > 0.99
