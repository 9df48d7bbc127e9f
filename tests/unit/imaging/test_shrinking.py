"""Parts of pictures at another size, against averaging every pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from cutline.imaging.exports.shrinking import premultiplied_part
from cutline.imaging.model import type_rgba


def picture(width_px: int, height_px: int) -> type_rgba:
    """Smooth colours under a soft disc, loud ones hidden where it is clear."""
    y, x = np.mgrid[0:height_px, 0:width_px]
    disc = np.hypot(x - width_px / 2, y - height_px / 2)
    alpha = np.clip((0.4 * min(width_px, height_px) - disc) * 20, 0, 255)
    colors = np.stack([255 * x / width_px, 255 * y / height_px, np.full(x.shape, 128.0)], axis=2)
    colors[alpha == 0] = (255, 0, 255)
    return np.dstack([colors, alpha]).astype(np.uint8)


def centre(pixels: type_rgba) -> tuple[float, float]:
    """The centre of mass of alpha in px."""
    moments = cv2.moments(np.ascontiguousarray(pixels[..., 3]))
    return moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]


@pytest.mark.parametrize("part", [(0.0, 0.0, 900.0, 700.0), (33.4, 71.9, 801.2, 640.5), (450.0, 0.0, 900.0, 350.0)])
@pytest.mark.parametrize("width_px", [61, 170, 301, 640])
def test_a_part_is_what_averaging_gives(part: tuple[float, float, float, float], width_px: int) -> None:
    """At any factor the picture lies where a box filter over exactly that part puts it."""
    rgba = picture(900, 700)
    height_px = round(width_px * (part[3] - part[1]) / (part[2] - part[0]))

    found = premultiplied_part(rgba, part, width_px, height_px)

    plain = Image.fromarray(rgba).convert("RGBa").resize((width_px, height_px), Image.Resampling.BOX, box=part)
    assert np.abs(found.astype(int) - np.asarray(plain)).mean() < 2.5
    assert centre(found) == pytest.approx(centre(np.asarray(plain)), abs=0.05)


def test_enlarged_pixels_stay_squares() -> None:
    """Each pixel of a small picture becomes a block of its own colour."""
    rgba = np.random.default_rng(1).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    rgba[..., 3] = 255

    found = premultiplied_part(rgba, (0.0, 0.0, 7.0, 5.0), 70, 50)

    assert (found == cv2.resize(rgba, (70, 50), interpolation=cv2.INTER_NEAREST)).all()


def test_every_part_of_a_small_picture_has_a_size() -> None:
    """Parts of fractions of pixels at the far edges come out in their colour too."""
    rgba = np.full((9, 9, 4), (10, 200, 90, 255), np.uint8)
    for start in np.linspace(0, 8.4, 29):
        for size_px in (1, 2, 3):
            assert (premultiplied_part(rgba, (start, start, 9.0, 9.0), size_px, size_px) == rgba[0, 0]).all()


@pytest.mark.parametrize(("side_px", "to_px"), [(1, 1), (1, 9), (2, 1), (9, 1), (3, 2), (11, 4)])
def test_the_smallest_pictures_keep_their_colour(side_px: int, to_px: int) -> None:
    """A picture of one colour is that colour at any size."""
    rgba = np.full((side_px, side_px, 4), (10, 200, 90, 255), np.uint8)

    assert (premultiplied_part(rgba, (0.0, 0.0, side_px, side_px), to_px, to_px) == rgba[0, 0]).all()
