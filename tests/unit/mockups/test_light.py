"""What a sticker looks like in a scene: border, shadow, holes, film and liner."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from cutline.domain.outputs import CutPath, CutRole
from cutline.mockups import load_scene, placement, scene_ids
from cutline.mockups.render import compose
from tests.unit.mockups.rectangles import MAGENTA, magenta_mask, rectangle_path, rectangle_sticker, solid


@pytest.mark.parametrize("scene_id", scene_ids())
def test_the_contact_shadow_lies_outside_the_cut(scene_id: str) -> None:
    """Shadows darken the ground around the sticker and nothing inside its edge."""
    scene = load_scene(scene_id)
    bare = replace(scene, finish=replace(scene.finish, shadow=0, contact=0))
    sticker = rectangle_sticker(60, 50, border_color=MAGENTA)
    shaded, plain = (compose(each, sticker).astype(np.int16) for each in (scene, bare))
    mask = magenta_mask(shaded.astype(np.uint8))
    inside = cv2.erode(mask, np.ones((7, 7), np.uint8)) > 0
    around = (cv2.dilate(mask, np.ones((9, 9), np.uint8)) > 0) & (cv2.dilate(mask, np.ones((3, 3), np.uint8)) == 0)
    if scene_id == "peel":  # the rolled corner throws its shadow on the sticker itself
        inside[:, scene.size_px[0] // 2 :] = False
    assert inside.sum() > 20_000
    assert np.array_equal(shaded[inside], plain[inside])
    assert (plain[around] - shaded[around]).mean() > 5


@pytest.mark.parametrize("scene_id", scene_ids())
def test_the_white_border_is_there(scene_id: str) -> None:
    """Halfway between art and cut the sticker is as white as the light on it; where the art is, it is the art."""
    scene = load_scene(scene_id)
    sticker = rectangle_sticker(60, 50, art=solid(54, 44, (200, 20, 20, 255)))
    picture, place = compose(scene, sticker), placement(scene, sticker)
    border_px = place.to_px(np.array([[30, 1.5], [1.5, 25], [15, 48.5], [58.5, 15]]))
    for x, y in border_px.astype(int):
        white = np.clip(255 * scene.light[y, x].astype(np.float32), 0, 255)
        assert np.abs(picture[y, x] - white).max() < 45, "gloss and paper relief add a little"
        assert picture[y, x].min() > 90
    x, y = place.to_px(np.array([[30, 25]])).astype(int)[0]
    red, green, blue = (int(value) for value in picture[y, x])
    assert red > green + 60
    assert red > blue + 60


def test_an_inner_cut_shows_the_ground() -> None:
    """Through a hole in the sticker the scene is seen."""
    scene = load_scene("laptop")
    hole = CutPath(CutRole.INNER, rectangle_path(20, 15, 40, 35))
    sticker = rectangle_sticker(60, 50, border_color=MAGENTA, more_paths=(hole,))
    x, y = placement(scene, sticker).to_px(np.array([[30.0, 25.0]])).astype(int)[0]
    assert np.abs(compose(scene, sticker)[y, x].astype(int) - scene.backdrop[y, x]).max() < 12


def test_an_unprinted_border_is_clear_film() -> None:
    """With border colour none the ground shows through the border, a little lighter."""
    scene = load_scene("notebook")
    sticker = rectangle_sticker(60, 50, border_color="none", art=solid(54, 44, (200, 20, 20, 255)))
    x, y = placement(scene, sticker).to_px(np.array([[30.0, 1.5]])).astype(int)[0]
    lift = compose(scene, sticker)[y, x].astype(int) - scene.backdrop[y, x]
    assert lift.min() > 0
    assert lift.max() < 70


def test_art_beyond_the_cut_is_cut_off() -> None:
    """Full-bleed art that reaches past the cut line ends at it."""
    scene = load_scene("laptop")
    cut, bled = (
        rectangle_sticker(
            60, 50, border_mm=border_mm, art=solid(60 - 2 * border_mm, 50 - 2 * border_mm, (255, 0, 255, 255))
        )
        for border_mm in (0, -4)
    )
    masks = [magenta_mask(compose(scene, sticker)) for sticker in (cut, bled)]
    assert np.count_nonzero(masks[0] != masks[1]) < 0.01 * masks[0].sum()


def test_a_kiss_cut_sticker_peels_from_its_liner() -> None:
    """The peel scene shows the liner around a kiss-cut sticker; the face still ends at the kiss line."""
    scene = load_scene("peel")
    liner = CutPath(CutRole.THROUGH, rectangle_path(-6, -6, 66, 56))
    kiss = rectangle_sticker(60, 50, border_color=MAGENTA, more_paths=(liner,), role=CutRole.KISS)
    die = rectangle_sticker(60, 50, border_color=MAGENTA)
    x, y = placement(scene, kiss).to_px(np.array([[-3.0, 25.0]])).astype(int)[0]
    assert compose(scene, kiss)[y, x].min() > 200
    assert compose(scene, die)[y, x].min() < 200
    masks = [magenta_mask(compose(scene, sticker)) for sticker in (kiss, die)]
    assert np.count_nonzero(masks[0] != masks[1]) < 0.01 * masks[0].sum()
