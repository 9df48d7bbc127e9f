"""A path without an inside is no shape, and no fault either."""

from __future__ import annotations

import numpy as np

from cutline.imaging.cut_line.bezier import BezierPath, line
from cutline.imaging.cut_line.liner import outline_of


def test_a_path_that_goes_there_and_back_has_no_inside() -> None:
    """Two straight segments over each other, as a grain of noise may be fitted, enclose nothing."""
    here, there = np.array([1.0, 1.0]), np.array([2.0, 1.0])

    assert outline_of(BezierPath(np.stack([line(here, there), line(there, here)]))).is_empty
