"""A ring of points by distance along it: places, slopes and bends at any distance, for many distances at once."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cutline.imaging.cut_line.bezier import type_points

REACHES_MM: Final = np.array([3.0, 1.5, 0.8, 0.4, 0.2])
"""How far to both sides of a place its tangent is measured, longest first."""
BEND_REACH_MM: Final = 0.5
"""The same to each side alone, where curvature jumps."""
_TWO_SIDED: Final = np.linspace(-1, 1, 11)
_ONE_SIDED: Final = np.linspace(0, 1, 7)
_BEND_SAMPLES: Final = 33


def _parabola(at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrix from samples at these places to the coefficients of their best parabola."""
    return np.asarray(np.linalg.pinv(np.stack([np.ones_like(at), at, at * at], axis=1)))


_TO_PARABOLA: Final = _parabola(_TWO_SIDED)
_FROM_PARABOLA: Final = np.stack([np.ones_like(_TWO_SIDED), _TWO_SIDED, _TWO_SIDED**2], axis=1)
_TO_END_PARABOLA: Final = _parabola(_ONE_SIDED)


class Polyline:
    """A closed ring (n, 2) in mm; distances run twice around it, so that any piece is one interval."""

    def __init__(self, ring: type_points, longest_edge_mm: float | NDArray[np.float64]) -> None:
        lengths = np.linalg.norm(np.roll(ring, -1, axis=0) - ring, axis=1)
        self.vertices = np.concatenate([[0.0], np.cumsum(lengths)])
        """Distance of each vertex of the ring; the last is the ring's length."""
        self.length = float(self.vertices[-1])
        parts = np.maximum(1, np.ceil(lengths / longest_edge_mm)).astype(int)
        starts = np.repeat(np.arange(len(parts)), parts)
        share = (np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)) / parts[starts]
        once = self.vertices[starts] + share * lengths[starts]
        points = ring[starts] + share[:, None] * (np.roll(ring, -1, axis=0) - ring)[starts]
        self.along = np.concatenate([once, once + self.length, [2 * self.length]])
        """Distance of each point, over two rounds."""
        self.points = np.concatenate([points, points, points[:1]])

    def at(self, along: NDArray[np.float64]) -> type_points:
        """Points at distances from 0 to two rounds, shape (..., 2)."""
        return np.stack([np.interp(along, self.along, self.points[:, axis]) for axis in (0, 1)], axis=-1)

    def tangents(self, along: NDArray[np.float64], room: NDArray[np.float64], tolerance_mm: float) -> type_points:
        """Unit tangents (k, 2): slopes of the parabolas through the longest stretches around that are parabolas.

        A long stretch averages the steps of the pixels out; a short one is all there is next to a tight bend.

        Args:
            along: Distances.
            room: How far to either side of each the stretch may reach.
            tolerance_mm: Stretches stay within half of it.
        """
        reach = np.minimum(REACHES_MM[None, :], room[:, None])
        offsets = reach[:, :, None] * _TWO_SIDED
        # Distances may fall below 0 by a reach: one round is added, since there are two.
        samples = self.at((along[:, None, None] + offsets) % self.length)
        coefficients = np.einsum("cs,krsx->krcx", _TO_PARABOLA, samples)
        residual = np.abs(np.einsum("sc,krcx->krsx", _FROM_PARABOLA, coefficients) - samples).max(axis=(2, 3))
        good = residual < 0.5 * tolerance_mm
        chosen = np.where(good.any(axis=1), np.argmax(good, axis=1), len(REACHES_MM) - 1)
        return unit(coefficients[np.arange(len(along)), chosen, 1])

    def tangents_between_bends(self, along: NDArray[np.float64], room: NDArray[np.float64]) -> type_points:
        """Unit tangents (k, 2) where curvature jumps: the mean of the slopes at which both sides arrive."""
        reach = np.minimum(BEND_REACH_MM, room)
        slopes = []
        for side in (-1.0, 1.0):
            samples = self.at((along[:, None] + side * reach[:, None] * _ONE_SIDED) % self.length)
            slopes.append(side * unit(np.einsum("s,ksx->kx", _TO_END_PARABOLA[1], samples)))
        return unit(slopes[0] + slopes[1])

    def bend_changes(self, start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distances at which curvature changes most within intervals, such as where an arc meets a straight line.

        One cubic across such a place bends tighter than the arc on one side of it.
        """
        at = start[:, None] + (end - start)[:, None] * np.linspace(0, 1, _BEND_SAMPLES)
        points = self.at(at)
        steps = np.diff(points, axis=1)
        headings = np.unwrap(np.arctan2(steps[..., 1], steps[..., 0]), axis=1)
        # Headings a few samples apart: the ring's own chords are about that long.
        bend = headings[:, 4:] - headings[:, :-4]
        change = np.abs(bend[:, 6:] - bend[:, :-6])
        return np.asarray(at[np.arange(len(at)), np.argmax(change, axis=1) + 5])


def unit(vectors: type_points) -> type_points:
    """Vectors divided by their lengths."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))
