"""SVG path data of cut lines, flattened to polygons in mm."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

_ALLOWED: Final = re.compile(r"(?:[MCZ\s,.+\-0-9]|(?<=[0-9.])e(?=[+\-0-9]))*")
_POINTS_PER_CUBIC: Final = 12
# Rows: parameter t of a cubic; columns: weights of its four control points. t = 0 is the previous cubic's end.
_T: Final = np.linspace(0.0, 1.0, _POINTS_PER_CUBIC + 1)[1:]
_BERNSTEIN: Final = np.stack([(1 - _T) ** 3, 3 * _T * (1 - _T) ** 2, 3 * _T**2 * (1 - _T), _T**3], axis=1)


def flatten_path(path_data: str) -> list[NDArray[np.float64]]:
    """Polygons of a path of absolute M, C and Z commands.

    Returns:
        One array of shape (points, 2) in mm for each subpath, closed without repeating its first point.

    Raises:
        ValueError: The path has other commands, or a subpath is not one point and whole cubics.
    """
    if not _ALLOWED.fullmatch(path_data):
        msg = "a cut path may hold absolute M, C and Z commands only"
        raise ValueError(msg)
    polygons = []
    for subpath in path_data.split("M")[1:]:
        numbers = np.array(re.sub(r"[CZ,]", " ", subpath).split(), dtype=np.float64)
        if len(numbers) < 8 or len(numbers) % 6 != 2:
            msg = f"a subpath has {len(numbers)} numbers; it needs one point and whole cubics"
            raise ValueError(msg)
        polygons.append(_flatten_cubics(numbers.reshape(-1, 2)))
    if not polygons:
        msg = "a cut path holds no subpath"
        raise ValueError(msg)
    return polygons


def _flatten_cubics(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Flattens a start point followed by three control points a cubic."""
    ends = points[0::3]
    controls = np.stack([ends[:-1], points[1::3], points[2::3], ends[1:]], axis=1)
    curve = np.einsum("tk,ckd->ctd", _BERNSTEIN, controls).reshape(-1, 2)
    return np.asarray(curve, dtype=np.float64)
