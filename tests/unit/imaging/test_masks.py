"""What is done with masks: fast ways give what the plain ones give."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cutline.imaging.cutout.masks import outer_region, parts_of, places_of


def blotches(seed: int, *, share: float) -> NDArray[np.uint8]:
    """A random mask whose size, too, depends on the seed; a share of it is set."""
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(1, 60, 2))
    return np.where(rng.random((height, width)) < share, 255, 0).astype(np.uint8)


MASKS = [blotches(seed, share=share) for seed in range(12) for share in (0.0, 0.05, 0.4, 0.7, 1.0)]


@pytest.mark.parametrize("connectivity", [4, 8])
def test_parts_have_the_areas_and_boxes_that_opencv_counts(connectivity: int) -> None:
    """Parts told from runs are OpenCV's components, area by area and box by box, whatever their order."""
    for mask in MASKS:
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=connectivity)
        parts = parts_of(mask, connectivity=connectivity)

        assert parts.areas_px[0] == np.count_nonzero(mask == 0)
        assert _sorted_parts(parts.boxes[1:], parts.areas_px[1:]) == _sorted_parts(stats[1:, :4], stats[1:, 4])


@pytest.mark.parametrize("connectivity", [4, 8])
def test_a_choice_of_parts_is_the_mask_of_their_labels(connectivity: int) -> None:
    """Few parts or most of them: the mask that is painted has exactly the pixels of the parts chosen."""
    for seed, mask in enumerate(MASKS):
        _, labels = cv2.connectedComponents(mask, connectivity=connectivity)
        parts = parts_of(mask, connectivity=connectivity)
        for share in (0.0, 0.2, 0.8, 1.0):
            keep = np.random.default_rng(seed).random(len(parts.areas_px)) < share
            chosen = parts.only(keep)
            kept_labels = np.unique(labels[(chosen > 0)])

            assert set(np.unique(chosen)) <= {0, 255}
            assert np.count_nonzero(chosen) == parts.areas_px[1:][keep[1:]].sum()
            assert (chosen == np.where(np.isin(labels, kept_labels) & (labels > 0), 255, 0)).all()


def test_parts_that_share_a_pixel_with_a_mask_are_told() -> None:
    """A part touches another mask if any of its pixels is set there, and only then."""
    for seed, mask in enumerate(MASKS):
        other = np.where(np.random.default_rng(seed).random(mask.shape) < 0.03, 255, 0).astype(np.uint8)
        parts = parts_of(mask, connectivity=8)
        touched = parts.only(parts.touching(other))
        for number in range(1, len(parts.areas_px)):
            one = parts.only(np.arange(len(parts.areas_px)) == number)
            assert bool((one & other).any()) == bool((one & touched).any())


def test_the_outer_region_is_what_hangs_together_with_the_border() -> None:
    """It is the parts with a pixel on the canvas border, and nothing else."""
    for mask in MASKS:
        border = np.zeros_like(mask)
        border[[0, -1]] = border[:, [0, -1]] = 255
        parts = parts_of(mask, connectivity=4)

        assert (outer_region(mask) == parts.only(parts.touching(border))).all()


def test_places_are_those_of_numpy() -> None:
    """Rows and columns of a mask's pixels come in the order of np.nonzero, also for a part of a canvas."""
    for mask in MASKS:
        for part in (mask, mask[1:, 1:], mask[::2, ::3]):
            assert all((ours == theirs).all() for ours, theirs in zip(places_of(part), np.nonzero(part), strict=True))


def _sorted_parts(boxes: NDArray[Any], areas: NDArray[Any]) -> list[list[int]]:
    return sorted([*box, area] for box, area in zip(boxes.tolist(), areas.tolist(), strict=True))
