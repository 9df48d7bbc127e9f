"""Makes a fitted path bend no tighter than allowed, by moving its joints a few micrometres.

The shape below the fit bends no tighter than the least radius, so next to a cubic that does there is one that does not.
It is found by a damped least squares search (Levenberg 1944, Marquardt 1963) over the cubic's two joints and the four
handles at them, which weighs what bends too tight against the distance moved. Joints stay smooth throughout.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cutline.imaging.cut_line.bezier import radii_along, type_points
from cutline.imaging.cut_line.polyline import unit

ENOUGH: Final = 1.0002
"""Share of the least radius that counts as held; what is above 1 covers the rounding of coordinates in files."""
GOAL: Final = 1.002
"""Share of the least radius that is searched for."""
SAMPLES: Final = 33
ROUNDS: Final = 8
STEPS: Final = 14
MOVE_MM: Final = 0.004
"""Distance that costs as much as bending one part in BEND_WEIGHT too tight."""
BEND_WEIGHT: Final = 100.0
SLIDE_MM: Final = 0.08
SMOOTH_DEGREES: Final = 3.0
_STEP: Final = 1e-5
_T: Final = np.linspace(0, 1, SAMPLES)
_BASIS: Final = np.stack([(1 - _T) ** 3, 3 * (1 - _T) ** 2 * _T, 3 * (1 - _T) * _T**2, _T**3], axis=1)


def eased(control: type_points, min_radius_mm: float, most_moved_mm: float) -> type_points:
    """The closed path's cubics (n, 4, 2) with bends under the least radius widened, where a small move does it.

    Args:
        control: The path.
        min_radius_mm: The least radius.
        most_moved_mm: How far a point of the path may move.
    """
    count = len(control)
    if min_radius_mm <= 0 or count < 4:
        return control
    given_up = np.zeros(count, dtype=bool)
    for _ in range(ROUNDS):
        radii = radii_along(control, 33)[0].min(axis=1)
        tight = (radii < ENOUGH * min_radius_mm) & ~given_up
        chosen = _spread_out(np.flatnonzero(tight), radii, count)
        if not len(chosen):
            break
        windows = control[(chosen[:, None] + np.arange(-1, 2)) % count]
        moved, good = _widened(windows, min_radius_mm, most_moved_mm)
        good &= _lack(moved, min_radius_mm) < _lack(windows, min_radius_mm)
        if good.any():
            control = control.copy()
        for index, window, is_good in zip(chosen, moved, good, strict=True):
            if is_good:
                control[(index + np.arange(-1, 2)) % count] = window
            else:
                given_up[index] = True
    return control


def _lack(windows: type_points, min_radius_mm: float) -> NDArray[np.float64]:
    """How much the cubics of each window together bend too tight, as a share of the radius."""
    radii = radii_along(windows.reshape(-1, 4, 2), 33)[0].min(axis=1).reshape(-1, windows.shape[1])
    return np.asarray(np.maximum(ENOUGH * min_radius_mm / np.maximum(radii, 1e-9) - 1, 0).sum(axis=1))


def _spread_out(tight: NDArray[np.intp], radii: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Of the tight cubics the tightest, then others at least three away, so that windows do not overlap."""
    taken: list[int] = []
    blocked = np.zeros(count, dtype=bool)
    for index in tight[np.argsort(radii[tight], kind="stable")].tolist():
        around = (index + np.arange(-2, 3)) % count
        if not blocked[index]:
            taken.append(index)
            blocked[around] = True
    return np.array(sorted(taken), dtype=np.intp)


def _widened(windows: type_points, min_radius_mm: float, most_moved_mm: float) -> tuple[type_points, NDArray[np.bool_]]:
    """Searches all windows (k, 3, 4, 2) at once; also tells which moved no further than allowed."""
    frames = _Frames(windows)
    values = np.zeros((len(windows), _Frames.VARIABLES))
    damping = np.full(len(windows), 1e-2)
    residuals = frames.residuals(values, min_radius_mm)
    cost = (residuals**2).sum(axis=1)
    for _ in range(STEPS):
        slopes = np.stack(
            [
                (frames.residuals(values + _STEP * unit_vector, min_radius_mm) - residuals) / _STEP
                for unit_vector in np.eye(_Frames.VARIABLES)
            ],
            axis=2,
        )
        normal = np.einsum("kri,krj->kij", slopes, slopes)
        right = -np.einsum("kri,kr->ki", slopes, residuals)
        scaled = normal + damping[:, None, None] * (
            np.einsum("kii->ki", normal)[:, :, None] * np.eye(_Frames.VARIABLES) + 1e-9 * np.eye(_Frames.VARIABLES)
        )
        tried = values + np.linalg.solve(scaled, right[..., None])[..., 0]
        tried_residuals = frames.residuals(tried, min_radius_mm)
        tried_cost = (tried_residuals**2).sum(axis=1)
        better = tried_cost < cost
        values[better], residuals[better], cost[better] = tried[better], tried_residuals[better], tried_cost[better]
        damping = np.where(better, damping / 4, damping * 6)
    return frames.windows(values), frames.moved_mm(values) <= most_moved_mm


class _Frames:
    """Windows of three cubics, moved by ten numbers each.

    Per inner joint: a slide along the path and a shift across it in SLIDE_MM and MOVE_MM, and a turn; then the relative
    change of the four handles at the joints. A corner stays, the end of a straight line only slides, and handles of
    straight lines stay.
    """

    VARIABLES: Final = 10

    def __init__(self, windows: type_points) -> None:
        self.original = windows
        self.points = np.einsum("st,kntx->knsx", _BASIS, windows)
        legs = np.diff(windows, axis=2)
        derivative = np.gradient(self.points, axis=2)
        heading = unit(derivative)
        self.normals = np.stack([-heading[..., 1], heading[..., 0]], axis=-1)
        arriving, leaving = unit(legs[:, :2, 2]), unit(legs[:, 1:, 0])
        self.tangent = unit(arriving + leaving)
        self.across = np.stack([-self.tangent[..., 1], self.tangent[..., 0]], axis=-1)
        smooth = (arriving * leaving).sum(axis=-1) > np.cos(np.radians(SMOOTH_DEGREES))
        chord = unit(windows[:, :, 3] - windows[:, :, 0])
        bulge = np.abs(legs[..., 0, :] * chord[..., ::-1] @ np.array([1.0, -1.0])) + np.abs(
            legs[..., 2, :] * chord[..., ::-1] @ np.array([1.0, -1.0])
        )
        is_line = bulge < 1e-6
        line_beside = is_line[:, :2] | is_line[:, 1:]
        self.may_slide = smooth
        self.may_turn = smooth & ~line_beside
        self.handles = np.stack([~is_line[:, 0], ~is_line[:, 1], ~is_line[:, 1], ~is_line[:, 2]], axis=1)

    def windows(self, values: NDArray[np.float64]) -> type_points:
        original = self.original
        slide = SLIDE_MM * values[:, 0:2] * self.may_slide
        shift = MOVE_MM * values[:, 2:4] * self.may_turn
        angle = 0.05 * values[:, 4:6] * self.may_turn
        scale = np.exp(0.2 * values[:, 6:10] * self.handles)
        joints = original[:, :2, 3] + slide[..., None] * self.tangent + shift[..., None] * self.across
        cosine, sine = np.cos(angle)[..., None], np.sin(angle)[..., None]

        def turned(handle: type_points) -> type_points:
            return np.asarray(handle * cosine + np.stack([-handle[..., 1], handle[..., 0]], axis=-1) * sine)

        # Handles before the joints, (k, 2, 2), then those behind them.
        arriving = turned(original[:, :2, 2] - original[:, :2, 3]) * scale[:, [0, 2], None]
        leaving = turned(original[:, 1:, 1] - original[:, 1:, 0]) * scale[:, [1, 3], None]
        result = original.copy()
        result[:, :2, 3], result[:, 1:, 0] = joints, joints
        result[:, :2, 2], result[:, 1:, 1] = joints + arriving, joints + leaving
        return result

    def _moves(self, windows: type_points) -> NDArray[np.float64]:
        """How far points move across the path, (k, 3, samples)."""
        points = np.einsum("st,kntx->knsx", _BASIS, windows)
        return np.asarray(((points - self.points) * self.normals).sum(axis=-1))

    def residuals(self, values: NDArray[np.float64], min_radius_mm: float) -> NDArray[np.float64]:
        windows = self.windows(values)
        radii, _ = radii_along(windows.reshape(-1, 4, 2), SAMPLES)
        excess = np.maximum(GOAL * min_radius_mm / np.maximum(radii, 1e-6) - 1, 0).reshape(len(windows), -1)
        excess = np.minimum(excess, 5.0)
        moves = self._moves(windows).reshape(len(windows), -1) / (MOVE_MM * np.sqrt(SAMPLES))
        return np.concatenate([BEND_WEIGHT * excess, moves, 0.05 * values], axis=1)

    def moved_mm(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.abs(self._moves(self.windows(values))).max(axis=(1, 2)))
