"""Closed paths of cubic Beziers in mm and what can be measured on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

DECIMALS: Final = 6
"""Digits of a mm coordinate in every file: at a short handle, how tight a curve bends hangs on the fifth and sixth."""
CORNER_DEGREES: Final = 3.0
"""A turn between two segments above this is a corner, whose radius is 0."""
NO_HANDLE_MM: Final = 1e-4
"""A shorter handle has no direction."""
FLATTEN_TOLERANCE_MM: Final = 0.003
SAMPLES: Final = 33
FINER: Final = 12
"""The tightest of the points of a segment is looked for among so many, then among so many to both sides of the best."""

type_points = NDArray[np.float64]


@dataclass(frozen=True)
class BezierPath:
    """A closed path: segment k starts where segment k - 1 ends, the first where the last ends.

    Attributes:
        control: Control points of shape (segments, 4, 2), x and y in mm.
    """

    control: type_points

    @cached_property
    def box(self) -> tuple[float, float, float, float]:
        """Exact x_min, y_min, x_max, y_max: ends and interior extrema of every segment."""
        p0, p1, p2, p3 = (self.control[:, i] for i in range(4))
        a, b, c = p3 - 3 * p2 + 3 * p1 - p0, 2 * (p2 - 2 * p1 + p0), p1 - p0
        with np.errstate(divide="ignore", invalid="ignore"):
            root = np.sqrt(b * b - 4 * a * c)
            # The second form of the quadratic formula stays exact where a is next to nothing.
            candidates = np.stack(
                [(-b + root) / (2 * a), (-b - root) / (2 * a), 2 * c / (-b + root), 2 * c / (-b - root)]
            )
        inside = np.isfinite(candidates) & (candidates > 0) & (candidates < 1)
        t = np.where(inside, candidates, 0.0)
        extrema = _at(self.control[None], t)
        low, high = self.control[:, 0].min(axis=0), self.control[:, 0].max(axis=0)
        low, high = np.minimum(low, extrema.min(axis=(0, 1))), np.maximum(high, extrema.max(axis=(0, 1)))
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def flattened(self, tolerance_mm: float = FLATTEN_TOLERANCE_MM) -> type_points:
        """Points on the path, the first not repeated, whose chords stay within the tolerance of it."""
        p = self.control
        bend = np.linalg.norm(np.stack([p[:, 0] - 2 * p[:, 1] + p[:, 2], p[:, 1] - 2 * p[:, 2] + p[:, 3]]), axis=2)
        # A cubic leaves its chord by at most |second derivative| / 8 over a unit of t (|B''| <= 6 x bend).
        counts = np.maximum(1, np.ceil(np.sqrt(0.75 * bend.max(axis=0) / tolerance_mm))).astype(int)
        starts = np.repeat(np.arange(len(p)), counts)
        first = np.repeat(np.cumsum(counts) - counts, counts)
        t = (np.arange(counts.sum()) - first) / counts[starts]
        return _at(p[starts], t[:, None])

    @cached_property
    def length_mm(self) -> float:
        """Length of the path."""
        points = self.flattened()
        return float(np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1).sum())

    @cached_property
    def tightest(self) -> tuple[float, float, float]:
        """The smallest radius in mm, 0 at a corner, and the x and y where it is; infinite for straight lines."""
        radii, places = tightest_of(self.control)
        ends, starts = self._end_tangents()
        turns = np.degrees(np.arccos(np.clip((ends * starts).sum(axis=1), -1, 1)))
        if (corners := turns > CORNER_DEGREES).any():
            x, y = self.control[int(np.argmax(corners)), 3]
            return 0.0, float(x), float(y)
        least = int(np.argmin(radii))
        x, y = places[least]
        return float(radii[least]), float(x), float(y)

    def _end_tangents(self) -> tuple[type_points, type_points]:
        """Unit tangents at the end of each segment and at the start of the next one."""
        return _unit(_last_leg(self.control)), np.roll(_unit(_first_leg(self.control)), -1, axis=0)

    def moved(self, scale: tuple[float, float], shift: tuple[float, float]) -> BezierPath:
        """The path with x and y multiplied by `scale`, then `shift` added."""
        return BezierPath(self.control * np.array(scale) + np.array(shift))

    def rounded(self) -> BezierPath:
        """The path with coordinates as they are written to files; joints stay joints."""
        return BezierPath(np.round(self.control, DECIMALS) + 0.0)

    @cached_property
    def path_data(self) -> str:
        """SVG path data: one M, one C per segment, Z."""
        start = self.control[0, 0]
        curves = " ".join(
            "C " + " ".join(f"{number(x)},{number(y)}" for x, y in segment[1:]) for segment in self.control.tolist()
        )
        return f"M {number(float(start[0]))},{number(float(start[1]))} {curves} Z"


def number(value: float) -> str:
    """A coordinate as files hold it: at most DECIMALS digits, no trailing zeros, never -0."""
    text = f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def radii_along(control: type_points, samples: int = 17) -> type_points:
    """Radii of curvature at evenly spread parameters, ends included.

    Args:
        control: Control points of shape (segments, 4, 2).
        samples: Points per segment.

    Returns:
        Radii of shape (segments, samples) in mm, infinite on straight parts.
    """
    return _radii_at(control, np.linspace(0, 1, samples)[None, :, None])


def tightest_of(control: type_points) -> tuple[type_points, type_points]:
    """The smallest radius of each segment in mm, and where it is: shapes (segments,) and (segments, 2)."""
    step = 1 / (SAMPLES - 1)
    about = np.argmax(_peaks(1 / radii_along(control, SAMPLES)), axis=1) * step
    t = np.clip(about[:, None] + step * np.linspace(-1, 1, 2 * FINER + 1), 0, 1)[..., None]
    peaks = _peaks(1 / _radii_at(control, t))
    best = np.argmax(peaks, axis=1)
    rows = np.arange(len(control))
    with np.errstate(divide="ignore"):
        return 1 / peaks[rows, best], _at(control, t[rows, best])


def _peaks(values: type_points) -> type_points:
    """Samples (n, k), those that are greater than both beside them raised to the top of the parabola through the three.

    A segment may bend tightly in two places: which is the tighter one may hang on how near a sample came to it.
    """
    before, middle, after = values[:, :-2], values[:, 1:-1], values[:, 2:]
    bulge = 2 * middle - before - after
    is_peak = (middle > before) & (middle > after)
    peaks = values.copy()
    peaks[:, 1:-1] += np.where(is_peak, (after - before) ** 2 / (8 * np.where(is_peak, bulge, 1.0)), 0.0)
    return peaks


def _radii_at(control: type_points, t: type_points) -> type_points:
    p0, p1, p2, p3 = (control[:, None, i] for i in range(4))
    first = 3 * ((1 - t) ** 2 * (p1 - p0) + 2 * t * (1 - t) * (p2 - p1) + t**2 * (p3 - p2))
    second = 6 * ((1 - t) * (p2 - 2 * p1 + p0) + t * (p3 - 2 * p2 + p1))
    speed = np.linalg.norm(first, axis=2)
    bend = np.abs(first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(bend > 1e-9 * np.maximum(speed, 1e-12) ** 2, speed**3 / bend, np.inf))


def line(start: type_points, end: type_points) -> type_points:
    """Control points, (4, 2), of a straight segment."""
    return np.stack([start, start + (end - start) / 3, end - (end - start) / 3, end])


def _at(control: type_points, t: type_points) -> type_points:
    s = 1 - t
    p0, p1, p2, p3 = (control[..., i, :] for i in range(4))
    return np.asarray(s**3 * p0 + 3 * s * s * t * p1 + 3 * s * t * t * p2 + t**3 * p3)


def _first_leg(control: type_points) -> type_points:
    """Direction a segment leaves in: to the first control point that differs from its start."""
    legs = control[:, 1:] - control[:, :1]
    return _first_long(legs)


def _last_leg(control: type_points) -> type_points:
    legs = control[:, 3:] - control[:, 2::-1]
    return _first_long(legs)


def _first_long(legs: type_points) -> type_points:
    long = np.linalg.norm(legs, axis=2) > NO_HANDLE_MM
    return np.asarray(legs[np.arange(len(legs)), np.argmax(long, axis=1)])


def _unit(vectors: type_points) -> type_points:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))
