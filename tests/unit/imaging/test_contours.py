"""Marching squares on the edge's pixels alone, against contourpy's over the whole canvas."""

from __future__ import annotations

from itertools import pairwise

import contourpy
import numpy as np
import pytest
from numpy.typing import NDArray

from cutline.imaging.contours import ring_area, rings_of


def random_field(seed: int) -> NDArray[np.uint8]:
    """Levels among clear pixels, with many cells of every case, and two clear pixels around them."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 16, 2)
    levels = rng.integers(0, 256, (height, width))
    return np.pad(np.where(rng.random((height, width)) < rng.random(), levels, 0).astype(np.uint8), 2)


def by_contourpy(field: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """Every ring of contourpy's filled contour, outer rings and holes."""
    generator = contourpy.contour_generator(z=field, name="serial", fill_type=contourpy.FillType.OuterOffset)
    return [
        points[start:end]
        for points, offsets in zip(*generator.filled(127.5, 256), strict=True)
        for start, end in pairwise(offsets)
    ]


@pytest.mark.parametrize("seed", range(150))
def test_rings_are_contourpys_to_the_last_bit(seed: int) -> None:
    """The same rings, each from the same start in the same direction."""
    field = random_field(seed)

    ours = sorted(ring.tobytes() for ring in rings_of(field))

    assert ours == sorted(ring.tobytes() for ring in by_contourpy(field))


def test_the_area_tells_holes_from_pieces() -> None:
    """A ring of pixels gives a piece of positive area and a hole of negative area."""
    field = np.zeros((9, 9), np.uint8)
    field[2:7, 2:7] = 255
    field[3:6, 3:6] = 0

    areas = sorted(ring_area(ring) for ring in rings_of(field))

    assert len(areas) == 2
    assert areas[0] == pytest.approx(-9, abs=0.6)
    assert areas[1] == pytest.approx(25, abs=0.6)


def test_a_field_below_the_level_has_no_rings() -> None:
    """Nothing inside, nothing around it."""
    assert rings_of(np.full((5, 5), 127, np.uint8)) == []
