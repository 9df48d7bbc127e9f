"""Scenes: which there are, how large they are, and what an unknown one gives."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cutline.domain.errors import InvalidInputError, Reason
from cutline.mockups import load_scene, render_mockup, scene_ids, warm
from tests.unit.mockups.rectangles import MAGENTA, rectangle_sticker


def test_the_built_in_scenes() -> None:
    """A laptop, a bottle, a notebook and a peeled sticker come with the package."""
    assert {"laptop", "bottle", "notebook", "peel"} <= set(scene_ids())


@pytest.mark.parametrize("scene_id", scene_ids())
def test_scenes_are_large_enough(scene_id: str) -> None:
    """Every scene is at least 1,600 px on its longer side."""
    assert max(load_scene(scene_id).size_px) >= 1600


def test_an_unknown_scene_is_named() -> None:
    """An id that is no scene is refused with SCENE_UNKNOWN, the id and the ids there are."""
    with pytest.raises(InvalidInputError, match=r"'moon' is not one of .*laptop") as refusal:
        load_scene("moon")
    assert refusal.value.reason is Reason.SCENE_UNKNOWN
    assert refusal.value.violations[0].field == "mockups.scenes"


def test_scenes_are_painted_once() -> None:
    """After `warm` a scene is the same object at every call."""
    warm()
    assert load_scene("peel") is load_scene("peel")


@pytest.mark.parametrize("scene_id", scene_ids())
def test_a_mockup_is_a_jpeg_of_the_scene_with_the_sticker_in_it(scene_id: str) -> None:
    """The file decodes to the scene's size, differs from the empty scene, and is the same bytes every time."""
    scene, sticker = load_scene(scene_id), rectangle_sticker(60, 40, border_color=MAGENTA)
    mockup = render_mockup(scene, sticker)
    assert (mockup.scene, mockup.media_type) == (scene_id, "image/jpeg")
    assert (mockup.width_px, mockup.height_px) == scene.size_px
    decoded = cv2.imdecode(np.frombuffer(mockup.data, dtype=np.uint8), cv2.IMREAD_COLOR_RGB)
    assert decoded is not None
    assert decoded.shape == scene.backdrop.shape
    assert np.abs(decoded.astype(np.int16) - scene.backdrop).max() > 100
    assert render_mockup(scene, sticker).data == mockup.data


def test_rendering_leaves_the_scene_alone() -> None:
    """A mockup does not draw into the backdrop that all mockups share."""
    scene = load_scene("laptop")
    before = scene.backdrop.copy()
    render_mockup(scene, rectangle_sticker(50, 50, border_color=MAGENTA))
    assert np.array_equal(scene.backdrop, before)
