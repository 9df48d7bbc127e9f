"""Fits stretches of a polyline by few cubics that hold tolerance and radius: splits what does not, joins what may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cutline.imaging.cut_line.bezier import radii_along, type_points
from cutline.imaging.cut_line.polyline import Polyline
from cutline.imaging.cut_line.span import Spans, fit_spans, joined_spans

MIN_SPAN_MM: Final = 0.25
MIN_SPAN_RADII: Final = 0.6
"""A piece that is shorter than the less of these is not split any more."""
RADIUS_SLACK: Final = 0.97
"""A piece that bends tighter than this share of the least radius is split; one above it is only eased."""
WIDE_TURN_COSINE: Final = 0.26
"""A piece whose tangents turn by more (75 degrees) bends unevenly even on a circle: it is split in its middle if it
bends too tight at all, since easing cannot help it."""
LEVELS: Final = 40
JOINING_ROUNDS: Final = 12


@dataclass(frozen=True)
class _Pieces:
    """Parts of stretches, the stretch that each is of, shape (k,), and their cubics, shape (k, 4, 2)."""

    stretch: NDArray[np.intp]
    spans: Spans
    control: type_points

    def chosen(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> _Pieces:
        return _Pieces(self.stretch[which], self.spans.chosen(which), self.control[which])

    def replaced(self, at: NDArray[np.intp], spans: Spans, control: type_points) -> _Pieces:
        changed = self.control.copy()
        changed[at] = control
        return _Pieces(self.stretch, self.spans.replaced(at, spans), changed)


def fit_stretches(
    polyline: Polyline, spans: Spans, tolerance_mm: float, min_radius_mm: float
) -> list[list[type_points]]:
    """Cubics for each stretch in order.

    Stretches are split until each piece holds tolerance and radius. Where a split went by a noisy place, fewer pieces
    do as well: neighbours are then joined as long as one cubic holds both.
    """
    pieces = _joined(polyline, _split(polyline, spans, tolerance_mm, min_radius_mm), tolerance_mm, min_radius_mm)
    ordered: list[list[type_points]] = [[] for _ in range(len(spans))]
    for stretch, cubic in zip(pieces.stretch.tolist(), pieces.control, strict=True):
        ordered[stretch].append(cubic)
    return ordered


def _split(polyline: Polyline, spans: Spans, tolerance_mm: float, min_radius_mm: float) -> _Pieces:
    done: list[_Pieces] = []
    stretch = np.arange(len(spans))
    shortest_mm = min(MIN_SPAN_MM, MIN_SPAN_RADII * min_radius_mm) if min_radius_mm > 0 else MIN_SPAN_MM
    fits = fit_spans(polyline, spans, tolerance_mm)
    for _ in range(LEVELS):
        radius = least_radii(fits.control)
        length = spans.end - spans.start
        too_far = fits.error > tolerance_mm
        too_tight = ~too_far & (radius < _radius_to_hold(spans, min_radius_mm))
        splits = (too_far & (length > shortest_mm)) | (too_tight & (length > 2 * shortest_mm))
        done.append(_Pieces(stretch, spans, fits.control).chosen(~splits))
        if not splits.any():
            break
        parents, tight = spans.chosen(splits), too_tight[splits]
        halves = _halves(polyline, parents, fits.worst[splits], tight, tolerance_mm)
        stretch, spans, fits = np.repeat(stretch[splits], 2), halves, fit_spans(polyline, halves, tolerance_mm)
    pieces = _Pieces(
        np.concatenate([part.stretch for part in done]),
        joined_spans([part.spans for part in done]),
        np.concatenate([part.control for part in done]),
    )
    return pieces.chosen(np.lexsort((pieces.spans.start, pieces.stretch)))


def _joined(polyline: Polyline, pieces: _Pieces, tolerance_mm: float, min_radius_mm: float) -> _Pieces:
    """The pieces after joining neighbours, those first that fit best together."""
    changed = np.ones(len(pieces.stretch), dtype=bool)
    for _ in range(JOINING_ROUNDS):
        same = pieces.stretch[:-1] == pieces.stretch[1:]
        first = np.flatnonzero(same & (changed[:-1] | changed[1:]))
        if not len(first):
            break
        pairs = pieces.spans.through(first, first + 1)
        fits = fit_spans(polyline, pairs, tolerance_mm)
        good = (fits.error <= tolerance_mm) & (least_radii(fits.control) >= _radius_to_hold(pairs, min_radius_mm))
        chosen = _best_of_neighbours(first, np.where(good, fits.error, np.inf))
        if not len(chosen):
            break
        left = first[chosen]
        pieces = pieces.replaced(left, pairs.chosen(chosen), fits.control[chosen])
        changed = np.zeros(len(changed), dtype=bool)
        changed[left] = True
        kept = np.ones(len(changed), dtype=bool)
        kept[left + 1] = False
        pieces, changed = pieces.chosen(kept), changed[kept]
    return pieces


def _best_of_neighbours(first: NDArray[np.intp], error: NDArray[np.float64]) -> NDArray[np.intp]:
    """Which pairs to join, none of which share a piece: each is better than the pairs next to it."""
    padded = np.concatenate([[np.inf], error, [np.inf]])
    next_to_last = np.concatenate([[False], np.diff(first) == 1, [False]])
    lower = np.where(next_to_last[:-1], padded[:-2], np.inf)
    upper = np.where(next_to_last[1:], padded[2:], np.inf)
    return np.flatnonzero(np.isfinite(error) & (error < lower) & (error <= upper))


def _halves(
    polyline: Polyline, spans: Spans, worst: NDArray[np.float64], tight: NDArray[np.bool_], tolerance_mm: float
) -> Spans:
    """Both parts of each stretch, next to each other.

    Split at the worst point; one that is too tight where its bend changes most, or in its middle if it turns far.
    """
    length = spans.end - spans.start
    margin = np.minimum(0.1 * length, MIN_SPAN_MM / 2)
    at = np.clip(worst, spans.start + margin, spans.end - margin)
    if tight.any():
        at[tight] = polyline.bend_changes(spans.start[tight], spans.end[tight])
        wide = tight & _turns_far(spans)
        at[wide] = (spans.start[wide] + spans.end[wide]) / 2
    room = np.minimum(at - spans.start, spans.end - at)
    tangents = polyline.tangents(at, room, tolerance_mm)
    if tight.any():
        tangents[tight] = polyline.tangents_between_bends(at[tight], room[tight])
    points = polyline.at(at)
    return Spans(
        np.stack([spans.start, at], axis=1).ravel(),
        np.stack([at, spans.end], axis=1).ravel(),
        np.stack(
            [np.stack([spans.ends[:, 0], points], axis=1), np.stack([points, spans.ends[:, 1]], axis=1)], axis=1
        ).reshape(-1, 2, 2),
        np.stack(
            [np.stack([spans.tangents[:, 0], tangents], axis=1), np.stack([tangents, spans.tangents[:, 1]], axis=1)],
            axis=1,
        ).reshape(-1, 2, 2),
    )


def _radius_to_hold(spans: Spans, min_radius_mm: float) -> NDArray[np.float64]:
    return np.where(_turns_far(spans), 1.0, RADIUS_SLACK) * min_radius_mm


def _turns_far(spans: Spans) -> NDArray[np.bool_]:
    return np.asarray((spans.tangents[:, 0] * spans.tangents[:, 1]).sum(axis=1) < WIDE_TURN_COSINE)


def least_radii(control: type_points) -> NDArray[np.float64]:
    """Smallest radius along each cubic, in mm."""
    return np.asarray(radii_along(control).min(axis=1))
