"""Edge colours carried into the bleed, against looking at every pixel."""

from __future__ import annotations

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

from cutline.imaging.exports import ink
from cutline.imaging.exports.ink import _carried

STRIPS_BYTES = 4_000_000


@pytest.mark.parametrize("bounds", [(0.0, 0.0, 4.0, 3.0), (-1.0, -0.5, 5.5, 4.0), (1.0, 1.2, 3.0, 6.0)])
def test_every_pixel_has_the_colour_of_the_nearest_opaque_one(bounds: tuple[float, float, float, float]) -> None:
    """Each pixel's colour is that of an opaque pixel that is as near as any, as OpenCV's distances go."""
    rng = np.random.default_rng(5)
    rgba = np.zeros((30, 40, 4), np.uint8)
    rgba[..., 0], rgba[..., 1] = np.arange(40)[None, :], np.arange(30)[:, None]
    rgba[..., 2] = rng.integers(0, 256, (30, 40))
    rgba[5:20, 8:30, 3] = 255
    solid = np.zeros((30, 40), bool)
    solid[6:19, 9:29] = True

    rgb, box = _carried(
        SimpleNamespace(rgba=rgba),  # type: ignore[arg-type]  # a cutout's pixels are all that is looked at
        SimpleNamespace(mm_per_px=0.1, canvas_origin_mm=(0.0, 0.0)),  # type: ignore[arg-type]  # so is a line's scale
        bounds,
        0.5,
    )

    rows, columns = np.nonzero(solid)
    left, top = round(box.x_mm / 0.1), round(box.y_mm / 0.1)
    for y in range(rgb.shape[0]):
        for x in range(rgb.shape[1]):
            distances = np.hypot(columns - (x + left), rows - (y + top))
            taken_x, taken_y, blue = (int(level) for level in rgb[y, x])
            assert blue == rgba[taken_y, taken_x, 2]
            assert solid[taken_y, taken_x]
            assert np.hypot(taken_x - (x + left), taken_y - (y + top)) <= 1.06 * distances.min() + 1e-9


def test_a_wash_goes_on_in_the_bleed_as_it_prints() -> None:
    """Beyond see-through art the bleed has its colour on paper, not the full colour of opaque art further in."""
    rgba = np.zeros((60, 120, 4), np.uint8)
    rgba[..., :3] = (20, 40, 200)
    rgba[..., 3] = np.clip(255 - 3 * (np.arange(120) - 30), 0, 255)

    rgb, box = _carried(
        SimpleNamespace(rgba=rgba),  # type: ignore[arg-type]  # a cutout's pixels are all that is looked at
        SimpleNamespace(mm_per_px=0.1, canvas_origin_mm=(0.0, 0.0)),  # type: ignore[arg-type]  # so is a line's scale
        (7.5, 1.0, 14.0, 5.0),
        0.5,
    )

    # Alpha passes one half at column 72; four pixels in it is 141.
    assert (box.x_mm, rgb.shape) == (7.5, (40, 65, 3))
    printed = 255 - (255 - np.array([20, 40, 200])) * 141 / 255
    assert np.abs(rgb.astype(float) - printed).max() <= 3
    assert rgba[0, 0].tolist() == [20, 40, 200, 255]


def large_art(side_px: int) -> SimpleNamespace:
    """Art of two colours, side by side, that fills its canvas but for a clear margin."""
    rgba = np.zeros((side_px, side_px, 4), np.uint8)
    inner = slice(side_px // 20, -side_px // 20)
    rgba[inner, inner] = (200, 30, 40, 255)
    rgba[inner, side_px // 2 : -side_px // 20] = (20, 60, 190, 255)
    return SimpleNamespace(rgba=rgba)


@pytest.mark.parametrize(("most_px", "side_px"), [(16_000_000, 1_200), (500_000, 600), (360_000, 600), (359_999, 400)])
def test_large_art_is_carried_in_bounded_memory(monkeypatch: pytest.MonkeyPatch, most_px: int, side_px: int) -> None:
    """Beyond the most pixels the carried colours get coarser by a whole step, and each takes 20 bytes at most."""
    monkeypatch.setattr(ink, "MOST_EDGE_PX", most_px)
    art = large_art(1_200)
    line = SimpleNamespace(mm_per_px=0.125, canvas_origin_mm=(0.0, 0.0))

    tracemalloc.start()
    try:
        rgb, box = _carried(art, line, (0.0, 0.0, 150.0, 150.0), 0.5)  # type: ignore[arg-type]  # as above
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert rgb.shape == (side_px, side_px, 3)
    assert (box.x_mm, box.y_mm, box.width_mm, box.height_mm) == pytest.approx((0, 0, 150, 150))
    assert 11 * side_px**2 < peak_bytes < 20 * side_px**2 + STRIPS_BYTES
    assert rgb[0, 0].tolist() == rgb[side_px // 2, side_px // 2 - 2].tolist() == [200, 30, 40]
    assert rgb[-1, -1].tolist() == rgb[side_px // 2, side_px // 2 + 2].tolist() == [20, 60, 190]


def test_a_small_sticker_on_a_large_canvas_is_carried_by_its_own_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the pixels around the bleed are counted and held, however large the canvas around them is."""
    monkeypatch.setattr(ink, "MOST_EDGE_PX", 30_000)
    rgba = np.zeros((3_000, 3_000, 4), np.uint8)
    rgba[1_000:1_150, 2_000:2_150] = (200, 30, 40, 255)

    tracemalloc.start()
    try:
        rgb, _ = _carried(
            SimpleNamespace(rgba=rgba),  # type: ignore[arg-type]  # a cutout's pixels are all that is looked at
            SimpleNamespace(mm_per_px=0.2, canvas_origin_mm=(-400.0, -200.0)),  # type: ignore[arg-type]  # as above
            (-2.0, -2.0, 32.0, 32.0),
            0.5,
        )
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert rgb.shape == (170, 170, 3)
    assert (rgb == (200, 30, 40)).all()
    assert peak_bytes < 20 * 170**2 + STRIPS_BYTES
