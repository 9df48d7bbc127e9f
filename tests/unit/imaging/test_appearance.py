"""How colours look on paper and beside each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cutline.imaging.appearance import color_difference, on_paper


def test_white_paper_shows_through_see_through_colours() -> None:
    """A clear pixel looks white, an opaque one keeps its colour, and half black looks grey."""
    pixels = np.array([[200, 30, 30, 0], [200, 30, 30, 255], [0, 0, 0, 128]], np.uint8)

    assert on_paper(pixels).tolist() == [[255, 255, 255], [200, 30, 30], [127, 127, 127]]


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_black_lies_a_hundred_from_white_and_nothing_from_itself(kind: type[np.generic]) -> None:
    """CIE lightness runs from 0 to 100, whatever type the levels have."""
    colors: NDArray[Any] = np.array([[0, 0, 0], [255, 255, 255]], kind)

    assert color_difference(colors, colors[1:]).tolist() == pytest.approx([100, 0], abs=0.01)
