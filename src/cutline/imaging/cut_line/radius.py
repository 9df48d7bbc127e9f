"""Makes a fitted path bend no tighter than allowed, by moving its joints a few micrometres.

The shape below the fit bends no tighter than the least radius, so next to a cubic that does there is one that does not.
It is found by a damped least squares search (Levenberg 1944, Marquardt 1963) over the cubic's two joints and the four
handles at them, which weighs what bends too tight against the distance moved. Joints stay smooth throughout.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cutline.imaging.cut_line.bezier import tightest_of, type_points
from cutline.imaging.cut_line.polyline import unit

ENOUGH: Final = 1.0002
"""Share of the least radius that counts as held; what is above 1 covers the rounding of coordinates in files."""
GOAL: Final = 1.002
"""Share of the least radius that is searched for."""
SAMPLES: Final = 33
ROUNDS: Final = 12
WORTH_MORE: Final = 0.8
"""Share of its lack that a round may leave of a window that is searched again."""
STEPS: Final = 14
SETTLED: Final = 0.02
"""A step that gains no larger share of a window's cost is its last one, once its bends are wide enough."""
MOST_DAMPING: Final = 1e3
"""A window whose steps help only when they are damped that much will not come further."""
MOVE_MM: Final = 0.004
"""Distance that costs as much as bending one part in BEND_WEIGHT too tight."""
BEND_WEIGHT: Final = 100.0
STIFFER: Final = 12.0
"""Times the weight of bends for windows that found a balance between their moves and bends still too tight."""
SLIDE_MM: Final = 0.08
CRUMB_MM: Final = 0.12
CRUMB_COSINE: Final = 0.98
SMOOTH_COSINE: Final = 0.9986
LEAST_CUBICS: Final = 6
FURTHEST: Final = 25.0
"""Most of any number that a window is moved by; its units are chosen so that a few are a lot."""
SMOOTH_DEGREES: Final = 3.0
_STEP: Final = 1e-5
_T: Final = np.linspace(0, 1, SAMPLES)


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
    control = _without_crumbs(control, min_radius_mm, most_moved_mm)
    count = len(control)
    stuck, given_up = np.zeros((2, count), dtype=bool)
    for _ in range(ROUNDS):
        radii, _ = tightest_of(control)
        tight = (radii < ENOUGH * min_radius_mm) & ~given_up
        chosen = _spread_out(np.flatnonzero(tight), radii, count)
        if not len(chosen):
            break
        windows = control[(chosen[:, None] + np.arange(-1, 2)) % count]
        weights = np.where(stuck[chosen], STIFFER * BEND_WEIGHT, BEND_WEIGHT)
        moved, good = _widened(windows, min_radius_mm, most_moved_mm, weights)
        before, after = _lack(windows, min_radius_mm), _lack(moved, min_radius_mm)
        good &= after < before
        if good.any():
            control = control.copy()
            control[(chosen[good, None] + np.arange(-1, 2)) % count] = moved[good]
        little = ~good | (after > WORTH_MORE * before)
        given_up[chosen[little & stuck[chosen]]] = True
        stuck[chosen[little]] = True
    return control


def _without_crumbs(control: type_points, min_radius_mm: float, most_moved_mm: float) -> type_points:
    """The cubics without those that are too short for their bend to mean anything, and bend too tight.

    Each neighbour of a crumb is stretched to its middle, where they meet with its mean direction. Next to a straight
    line a crumb stays, since the line keeps its direction; and where it turns so much that a long neighbour, tilted to
    its mean direction, would move too far.
    """
    first, last = unit(control[:, 1] - control[:, 0]), unit(control[:, 3] - control[:, 2])
    chord = np.linalg.norm(control[:, 3] - control[:, 0], axis=1)
    radii, _ = tightest_of(control)
    turn = (first * last).sum(axis=1)
    joint = (last * np.roll(first, -1, axis=0)).sum(axis=1)
    smooth = (joint > SMOOTH_COSINE) & (np.roll(joint, 1) > SMOOTH_COSINE)
    crumbs = (chord < CRUMB_MM) & (radii < ENOUGH * min_radius_mm) & (turn > CRUMB_COSINE) & smooth
    beside_line = np.isinf(np.roll(radii, 1)) | np.isinf(np.roll(radii, -1))
    kept = np.ones(len(control), dtype=bool)
    result = control.copy()
    for crumb in np.flatnonzero(crumbs & ~beside_line).tolist():
        before, after = crumb - 1, (crumb + 1) % len(control)
        if not (kept[before] and kept[after]) or kept.sum() <= LEAST_CUBICS:
            continue
        point = (control[crumb, 0] + control[crumb, 3]) / 2
        tangent = unit(first[crumb] + last[crumb])
        beside = result[[before, after]]
        beside[0, 2:] = point - np.linalg.norm(control[before, 3] - control[before, 2]) * tangent, point
        beside[1, :2] = point, point + np.linalg.norm(control[after, 1] - control[after, 0]) * tangent
        if _moved_mm(result[[before, after]], beside) <= most_moved_mm:
            kept[crumb] = False
            result[[before, after]] = beside
    return result[kept] if not kept.all() else control


def _moved_mm(cubics: type_points, moved: type_points) -> float:
    """How far the furthest point of some cubics (k, 4, 2) is moved across them."""
    points = _points(cubics)
    slope = np.gradient(points, axis=2)
    away = _points(moved) - points
    across = away[:, 0] * slope[:, 1] - away[:, 1] * slope[:, 0]
    return float((np.abs(across) / np.maximum(np.hypot(slope[:, 0], slope[:, 1]), 1e-12)).max())


def _lack(windows: type_points, min_radius_mm: float) -> NDArray[np.float64]:
    """How much the cubics of each window together bend too tight, as a share of the radius."""
    radii = tightest_of(windows.reshape(-1, 4, 2))[0].reshape(-1, windows.shape[1])
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


def _widened(
    windows: type_points, min_radius_mm: float, most_moved_mm: float, weights: NDArray[np.float64]
) -> tuple[type_points, NDArray[np.bool_]]:
    """Searches all windows (k, 3, 4, 2) at once; also tells which moved no further than allowed."""
    frames = _Frames(windows, weights)
    values = np.zeros((len(windows), _Frames.VARIABLES))
    damping = np.full(len(windows), 1e-2)
    residuals = frames.residuals(values, min_radius_mm)
    cost = (residuals**2).sum(axis=1)
    open_, part = np.arange(len(windows)), frames
    for _ in range(STEPS):
        step = part.step(values[open_], residuals[open_], damping[open_], min_radius_mm)
        tried = np.clip(values[open_] + step, -FURTHEST, FURTHEST)
        tried_residuals = part.residuals(tried, min_radius_mm)
        tried_cost = (tried_residuals**2).sum(axis=1)
        better = tried_cost < cost[open_]
        settled = better & (tried_cost > (1 - SETTLED) * cost[open_]) & _bends_held(tried_residuals, part.weights)
        which = open_[better]
        values[which], residuals[which], cost[which] = tried[better], tried_residuals[better], tried_cost[better]
        damping[open_] *= np.where(better, 0.25, 6.0)
        kept = ~settled & (damping[open_] < MOST_DAMPING)
        if not kept.any():
            break
        if not kept.all():
            open_ = open_[kept]
            part = _Frames(windows[open_], weights[open_])
    return frames.windows(values), frames.moved_mm(values) <= most_moved_mm


class _Frames:
    """Windows of three cubics, moved by ten numbers each.

    Per inner joint: a slide along the path and a shift across it in SLIDE_MM and MOVE_MM, and a turn; then the relative
    change of the four handles at the joints. A corner stays, the end of a straight line only slides, and handles of
    straight lines stay.
    """

    VARIABLES: Final = 10

    def __init__(self, windows: type_points, weights: NDArray[np.float64]) -> None:
        self.original, self.weights = windows, weights
        self.points = _points(windows)
        legs = np.diff(windows, axis=2)
        slope = np.gradient(self.points, axis=3)
        length = np.maximum(np.hypot(slope[:, :, 0], slope[:, :, 1]), 1e-12)
        self.normals = np.stack([-slope[:, :, 1] / length, slope[:, :, 0] / length], axis=2)
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
        """Moved windows (..., k, 3, 4, 2) for values (..., k, VARIABLES)."""
        original = self.original
        slide = SLIDE_MM * values[..., 0:2] * self.may_slide
        shift = MOVE_MM * values[..., 2:4] * self.may_turn
        angle = 0.05 * values[..., 4:6] * self.may_turn
        scale = np.exp(0.2 * values[..., 6:10] * self.handles)
        joints = original[:, :2, 3] + slide[..., None] * self.tangent + shift[..., None] * self.across
        cosine, sine = np.cos(angle)[..., None], np.sin(angle)[..., None]

        def turned(handle: type_points) -> type_points:
            return np.asarray(handle * cosine + np.stack([-handle[..., 1], handle[..., 0]], axis=-1) * sine)

        # Handles before the joints, (..., k, 2, 2), then those behind them.
        arriving = turned(original[:, :2, 2] - original[:, :2, 3]) * scale[..., [0, 2], None]
        leaving = turned(original[:, 1:, 1] - original[:, 1:, 0]) * scale[..., [1, 3], None]
        result = np.empty((*values.shape[:-1], *original.shape[1:]))
        result[...] = original
        result[..., :2, 3, :], result[..., 1:, 0, :] = joints, joints
        result[..., :2, 2, :], result[..., 1:, 1, :] = joints + arriving, joints + leaving
        return result

    def residuals(self, values: NDArray[np.float64], min_radius_mm: float) -> NDArray[np.float64]:
        """What is to become small, (..., k, residuals), for values (..., k, VARIABLES): bends, moves, and values."""
        windows = self.windows(values)
        rows = (*values.shape[:-1], -1)
        excess = np.clip(GOAL * min_radius_mm * _curvature(windows) - 1, 0.0, 5.0).reshape(rows)
        moves = self._moves(windows).reshape(rows) / (MOVE_MM * np.sqrt(SAMPLES))
        return np.concatenate([self.weights[:, None] * excess, moves, 0.05 * values], axis=-1)

    def step(
        self,
        values: NDArray[np.float64],
        residuals: NDArray[np.float64],
        damping: NDArray[np.float64],
        min_radius_mm: float,
    ) -> NDArray[np.float64]:
        """The damped step (k, VARIABLES) towards less."""
        nudges = _STEP * np.eye(self.VARIABLES)[:, None, :]
        slopes = (self.residuals(values + nudges, min_radius_mm) - residuals) / _STEP
        normal = np.matmul(slopes.transpose(1, 0, 2), slopes.transpose(1, 2, 0))
        right = -np.matmul(slopes.transpose(1, 0, 2), residuals[..., None])
        diagonal = np.einsum("kii->ki", normal) + 1e-9
        scaled = normal + damping[:, None, None] * (diagonal[:, :, None] * np.eye(self.VARIABLES))
        return np.asarray(np.linalg.solve(scaled, right)[..., 0])

    def moved_mm(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far the furthest point of each window moves."""
        return np.asarray(np.abs(self._moves(self.windows(values))).max(axis=(-2, -1)))

    def _moves(self, windows: type_points) -> NDArray[np.float64]:
        """How far points move across the path, (..., k, 3, samples)."""
        away = (_points(windows) - self.points) * self.normals
        return np.asarray(away[..., 0, :] + away[..., 1, :])


def _bends_held(residuals: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether no bend of a window is tighter than what counts as held."""
    return np.asarray((residuals[:, : 3 * SAMPLES] <= weights[:, None] * (GOAL / ENOUGH - 1)).all(axis=1))


def _powers(windows: type_points) -> tuple[NDArray[np.float64], ...]:
    """Coefficients of t^3, t^2, t and 1, each (..., 2, 1), of cubics (..., 4, 2)."""
    p0, p1, p2, p3 = (windows[..., number, :, None] for number in range(4))
    first, bend = p1 - p0, p2 - 2 * p1 + p0
    return p3 - p0 - 3 * (p2 - p1), 3 * bend, 3 * first, p0


def _points(windows: type_points) -> NDArray[np.float64]:
    """Points (..., 2, samples) on cubics (..., 4, 2)."""
    a, b, c, d = _powers(windows)
    return np.asarray(((a * _T + b) * _T + c) * _T + d)


def _curvature(windows: type_points) -> NDArray[np.float64]:
    """Curvature (..., samples) along cubics (..., 4, 2)."""
    a, b, c, _ = _powers(windows)
    first, second = (3 * a * _T + 2 * b) * _T + c, 6 * a * _T + 2 * b
    (x1, y1), (x2, y2) = (np.moveaxis(part, -2, 0) for part in (first, second))
    squared = x1 * x1 + y1 * y1
    return np.asarray(np.abs(x1 * y2 - y1 * x2) / np.maximum(squared * np.sqrt(squared), 1e-18))
