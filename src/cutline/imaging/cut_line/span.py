"""Cubics through many stretches of points at once: least squares between given end tangents.

After Schneider, "An Algorithm for Automatically Fitting Digitized Curves" (Graphics Gems, 1990).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cutline.imaging.cut_line.bezier import type_points
from cutline.imaging.cut_line.polyline import Polyline

NEWTON_ROUNDS: Final = 4
HOPELESS: Final = 12.0
"""Times the tolerance: what is that far off gets no better by moving parameters, only by a split."""

type_floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spans:
    """Stretches of a polyline, each to become one cubic.

    Attributes:
        start: Distance along the polyline where each begins, shape (k,).
        end: Where each ends, behind its start.
        ends: Its first and last point, shape (k, 2, 2).
        tangents: Unit tangents there, both pointing along the path, shape (k, 2, 2).
    """

    start: type_floats
    end: type_floats
    ends: type_points
    tangents: type_points

    def __len__(self) -> int:
        return len(self.start)

    def chosen(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Spans:
        """Some of the stretches."""
        return Spans(self.start[which], self.end[which], self.ends[which], self.tangents[which])

    def through(self, first: NDArray[np.intp], last: NDArray[np.intp]) -> Spans:
        """Stretches that each start where one of these does, and end where another does."""
        return Spans(
            self.start[first],
            self.end[last],
            np.stack([self.ends[first, 0], self.ends[last, 1]], axis=1),
            np.stack([self.tangents[first, 0], self.tangents[last, 1]], axis=1),
        )

    def replaced(self, at: NDArray[np.intp], others: Spans) -> Spans:
        """These stretches with others in some of their places."""
        result = Spans(self.start.copy(), self.end.copy(), self.ends.copy(), self.tangents.copy())
        result.start[at], result.end[at] = others.start, others.end
        result.ends[at], result.tangents[at] = others.ends, others.tangents
        return result


def joined_spans(parts: list[Spans]) -> Spans:
    """Several stretches one after the other."""
    return Spans(
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.end for part in parts]),
        np.concatenate([part.ends for part in parts]),
        np.concatenate([part.tangents for part in parts]),
    )


@dataclass(frozen=True)
class Fits:
    """Cubics of shape (k, 4, 2), how far the worst point lies from each, and where along the polyline that is."""

    control: type_points
    error: type_floats
    worst: type_floats


def fit_spans(line: Polyline, spans: Spans, tolerance_mm: float) -> Fits:
    """The best cubic for each stretch."""
    low = np.searchsorted(line.along, spans.start, side="right")
    counts = np.maximum(np.searchsorted(line.along, spans.end, side="left") - low, 0)
    owner = np.repeat(np.arange(len(spans)), counts)
    first = np.cumsum(counts) - counts
    index = np.arange(counts.sum()) - first[owner] + low[owner]
    along, points = line.along[index], line.points[index]
    groups = _Groups(owner, first, counts)
    t = (along - spans.start[owner]) / (spans.end - spans.start)[owner]
    control = _least_squares(spans, points, t, groups)
    apart = _apart(control, points, t, groups)
    worst = groups.greatest(apart)
    # What is close, and not yet close enough, gets its parameters moved.
    for _ in range(NEWTON_ROUNDS):
        open_ = (worst > 0.5 * tolerance_mm) & (worst < HOPELESS * tolerance_mm)
        if not open_.any():
            break
        subset = np.flatnonzero(open_[owner])
        inner = groups.of(open_)
        moved = _moved(control, points[subset], t[subset], owner[subset])
        better = _least_squares(spans.chosen(open_), points[subset], moved, inner)
        error = _apart(better, points[subset], moved, inner)
        t[subset], apart[subset], control[open_] = moved, error, better
        worst[open_] = inner.greatest(error)
    where = np.where(counts > 0, along[groups.first_at(apart, worst)] if len(along) else 0.0, spans.start)
    return Fits(control, worst, where)


class _Groups:
    """Points of all stretches in one array, the points of a stretch next to each other."""

    def __init__(self, owner: NDArray[np.intp], first: NDArray[np.intp], counts: NDArray[np.intp]) -> None:
        self.owner, self.first, self.counts = owner, first, counts

    def of(self, which: NDArray[np.bool_]) -> _Groups:
        counts = self.counts[which]
        return _Groups(np.repeat(np.arange(len(counts)), counts), np.cumsum(counts) - counts, counts)

    def total(self, values: type_floats) -> type_floats:
        return np.asarray(np.bincount(self.owner, values, minlength=len(self.counts)), np.float64)

    def greatest(self, values: type_floats) -> type_floats:
        result = np.zeros(len(self.counts))
        filled = self.counts > 0
        if filled.any():
            result[filled] = np.maximum.reduceat(values, self.first[filled])
        return result

    def first_at(self, values: type_floats, of_groups: type_floats) -> NDArray[np.intp]:
        """Index of the first value in each group that is the group's given one; 0 for a group without points."""
        hits = np.flatnonzero(values == of_groups[self.owner])
        result = np.zeros(len(self.counts), dtype=np.intp)
        owners, where = np.unique(self.owner[hits], return_index=True)
        result[owners] = hits[where]
        return result


def _least_squares(spans: Spans, points: type_points, t: type_floats, groups: _Groups) -> type_points:
    """Handle lengths along the given tangents that bring the curves closest to the points at parameters t."""
    owner = groups.owner
    s = 1 - t
    b1, b2 = 3 * s * s * t, 3 * s * t * t
    start, end = spans.ends[:, 0], spans.ends[:, 1]
    lead, trail = spans.tangents[:, 0], -spans.tangents[:, 1]
    rest = points - (s**3 + b1)[:, None] * start[owner] - (b2 + t**3)[:, None] * end[owner]
    c00, c11 = groups.total(b1 * b1), groups.total(b2 * b2)
    c01 = groups.total(b1 * b2) * (lead * trail).sum(axis=1)
    x0 = groups.total(b1 * (rest * lead[owner]).sum(axis=1))
    x1 = groups.total(b2 * (rest * trail[owner]).sum(axis=1))
    determinant = c00 * c11 - c01 * c01
    chord = np.linalg.norm(end - start, axis=1)
    sound = (groups.counts > 2) & (determinant > 1e-9 * c00 * c11)
    safe = np.where(sound, determinant, 1.0)
    first, second = (x0 * c11 - x1 * c01) / safe, (c00 * x1 - c01 * x0) / safe
    # A handle that points backwards, or that is longer than the stretch, makes a loop.
    length = spans.end - spans.start
    sound &= (np.minimum(first, second) > 0.01 * chord) & (np.maximum(first, second) < 0.7 * length)
    cosine = np.clip(-(lead * trail).sum(axis=1), -1, 1)
    plain = chord / 3 / np.cos(np.arccos(cosine) / 4) ** 2  # as for an arc that turns as much
    first, second = np.where(sound, first, plain), np.where(sound, second, plain)
    return np.stack([start, start + first[:, None] * lead, end + second[:, None] * trail, end], axis=1)


def _curve(control: type_points, t: type_floats, owner: NDArray[np.intp]) -> type_points:
    s, u = (1 - t)[:, None], t[:, None]
    p = control[owner]
    return np.asarray(s**3 * p[:, 0] + 3 * s * s * u * p[:, 1] + 3 * s * u * u * p[:, 2] + u**3 * p[:, 3])


def _apart(control: type_points, points: type_points, t: type_floats, groups: _Groups) -> type_floats:
    away = _curve(control, t, groups.owner) - points
    return np.asarray(np.sqrt((away * away).sum(axis=1)))


def _moved(control: type_points, points: type_points, t: type_floats, owner: NDArray[np.intp]) -> type_floats:
    """One Newton step of every parameter towards its point's foot on the curve."""
    legs = np.diff(control, axis=1)
    bends = np.diff(legs, axis=1)
    s, u = (1 - t)[:, None], t[:, None]
    away = _curve(control, t, owner) - points
    d, c = legs[owner], bends[owner]
    first = 3 * (s * s * d[:, 0] + 2 * s * u * d[:, 1] + u * u * d[:, 2])
    second = 6 * (s * c[:, 0] + u * c[:, 1])
    slope = (first * first).sum(axis=1) + (away * second).sum(axis=1)
    step = np.where(slope > 1e-12, (away * first).sum(axis=1) / np.where(slope == 0, 1, slope), 0.0)
    return np.asarray(np.clip(t - np.clip(step, -0.1, 0.1), 1e-6, 1 - 1e-6))
