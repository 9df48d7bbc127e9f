"""Where stickers lie and how large they are, measured in the rendered picture."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cutline.mockups import Placement, Scene, load_scene, placement, scene_ids
from cutline.mockups.bends import Curl, Cylinder
from cutline.mockups.render import compose
from tests.unit.mockups.rectangles import (
    MAGENTA,
    PX_PER_MM,
    corners_mm,
    magenta_mask,
    rectangle_sticker,
    seen_corners,
    solid,
)

PLANES = ("laptop", "notebook")


def side_px(corners: NDArray[np.float64], first: int, second: int) -> float:
    """Distance of two corners in the picture."""
    return float(np.linalg.norm(corners[first] - corners[second]))


@pytest.mark.parametrize("scene_id", PLANES)
def test_corners_lie_where_the_homography_says(scene_id: str) -> None:
    """On a plane the four corners of the cut box are seen within 2 px of their homography."""
    scene, sticker = load_scene(scene_id), rectangle_sticker(80, 50, border_color=MAGENTA)
    matrix = placement(scene, sticker).homography
    mapped = np.column_stack([corners_mm(sticker), np.ones(4)]) @ matrix.T
    expected = mapped[:, :2] / mapped[:, 2:]
    assert np.linalg.norm(seen_corners(scene, sticker) - expected, axis=1).max() < 2


def test_only_the_curled_corner_of_a_peeled_sticker_leaves_the_homography() -> None:
    """Three corners are seen where the homography puts them; the fourth is rolled up and away from there."""
    scene, sticker = load_scene("peel"), rectangle_sticker(60, 80, border_color=MAGENTA)
    place = placement(scene, sticker)
    flat = Placement(place.scale, place.px_per_mm, place.homography).to_px(corners_mm(sticker))
    off_px = np.linalg.norm(seen_corners(scene, sticker) - flat, axis=1)
    assert off_px[[0, 1, 3]].max() < 2
    mask = magenta_mask(compose(scene, sticker))
    inside = flat[2] + 0.06 * (flat[0] - flat[2])
    assert not mask[int(inside[1]), int(inside[0])]


@pytest.mark.parametrize("scene_id", PLANES)
def test_planes_show_true_size(scene_id: str) -> None:
    """A sticker of 100 mm is seen twice as wide as one of 50 mm within 3 %, and as wide as px_per_mm says."""
    scene = load_scene(scene_id)
    widths = []
    for width_mm in (50, 100):
        corners = seen_corners(scene, rectangle_sticker(width_mm, width_mm * 0.6, border_color=MAGENTA))
        widths.append((side_px(corners, 0, 1) + side_px(corners, 3, 2)) / 2)
    assert widths[1] / widths[0] == pytest.approx(2, rel=0.03)
    assert scene.px_per_mm is not None
    assert widths[0] == pytest.approx(50 * scene.px_per_mm, rel=0.03)


def test_the_bottle_shows_true_size() -> None:
    """On the bottle heights double from 50 to 100 mm within 3 %."""
    scene = load_scene("bottle")
    heights = []
    for height_mm in (50, 100):
        mask = magenta_mask(compose(scene, rectangle_sticker(40, height_mm, border_color=MAGENTA)))
        heights.append(int(mask[:, int(scene.surface.centre_px[0])].sum()))
    assert heights[1] / heights[0] == pytest.approx(2, rel=0.03)


@pytest.mark.parametrize("scene_id", [name for name in scene_ids() if name != "peel"])
def test_a_sticker_too_large_for_its_surface_is_shown_smaller(scene_id: str) -> None:
    """A sticker of a metre is shown at the largest size that fits, and its scale says so."""
    scene = load_scene(scene_id)
    place = placement(scene, rectangle_sticker(1000, 400, border_color=MAGENTA))
    assert place.scale == pytest.approx(scene.surface.fits_mm[0] / 1000)


@pytest.mark.parametrize("size_mm", [(60, 80), (15, 20), (300, 400)])
def test_scenes_without_a_scale_show_60_percent(size_mm: tuple[float, float]) -> None:
    """Without px_per_mm the longer side takes 60 % of the picture's shorter side, whatever the sticker's size."""
    scene = load_scene("peel")
    assert scene.px_per_mm is None
    corners = seen_corners(scene, rectangle_sticker(*size_mm, border_color=MAGENTA))
    assert side_px(corners, 0, 3) == pytest.approx(0.6 * min(scene.size_px), rel=0.01)


def test_bottle_columns_are_compressed_as_the_cylinder_says() -> None:
    """Edges of stripes 10 mm apart are seen at axis + R sin(s / R) within 2 px."""
    scene = load_scene("bottle")
    art = solid(90, 40, (255, 255, 255, 255))
    for left_mm in range(0, 90, 20):
        art[:, left_mm * PX_PER_MM : (left_mm + 10) * PX_PER_MM] = (255, 0, 255, 255)
    picture = compose(scene, rectangle_sticker(96, 46, art=art))
    row = magenta_mask(picture)[int(scene.surface.centre_px[1])].astype(np.int8)
    seen_px = np.flatnonzero(np.diff(row)) + 1
    radius_px, axis_px = scene.surface.radius_mm * scene.camera.px_per_mm, scene.surface.centre_px[0]
    arcs_px = (np.arange(0, 91, 10) - 45) * scene.camera.px_per_mm
    expected_px = axis_px + radius_px * np.sin(arcs_px / radius_px)
    assert len(seen_px) == len(expected_px)
    assert np.abs(seen_px - expected_px).max() < 2
    assert (expected_px[1] - expected_px[0]) < 0.75 * (expected_px[5] - expected_px[4])


def grid(scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pixel centres of a coarse grid over a picture."""
    x, y = np.meshgrid(np.arange(0.5, scene.size_px[0], 9), np.arange(0.5, scene.size_px[1], 9))
    return x.astype(np.float32), y.astype(np.float32)


@pytest.mark.parametrize(
    ("scene_id", "bend"),
    [("bottle", Cylinder(600, 290, 9)), ("peel", Curl((800, 600), (0.6, 0.8), 40))],
)
def test_bends_and_layers_agree(scene_id: str, bend: Cylinder | Curl) -> None:
    """What the topmost layer finds under a pixel, the bend puts on that pixel."""
    x, y = grid(load_scene(scene_id))
    outline = np.array([[400.0, 300.0], [1000.0, 300.0], [1000.0, 800.0], [400.0, 800.0]])
    top = bend.layers(outline)[-1].sheet(x, y)
    reached = (top.x > 0) & (top.y > 0) & (top.cover == 1)
    flat = np.column_stack([top.x[reached], top.y[reached]]).astype(np.float64)
    pixels = np.column_stack([x[reached], y[reached]])
    inner = np.abs(pixels[:, 0] - 600) < 280 if isinstance(bend, Cylinder) else np.full(len(pixels), fill_value=True)
    assert inner.sum() > 100
    assert np.linalg.norm(bend.bend(flat) - pixels, axis=1)[inner].max() < 0.1
