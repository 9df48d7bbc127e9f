"""Draws a ring as a spline of even steps, for shapes whose bends no fit holds.

A fit of few cubics bends as its joints have it, and now and then tighter than the ring. A spline through even steps of
a ring that was smoothed a little bends as the ring does, at the price of many short cubics.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from shapely import Polygon

from cutline.imaging.cut_line.bezier import BezierPath, type_points

FINER: Final = 8
"""Points that are smoothed, for each that becomes a joint."""
LEAST_STEPS: Final = 16
MOST_STEPS: Final = 4_000
"""A longer ring is drawn in longer steps."""


def spline_of(polygon: Polygon, *, step_mm: float, smoothing_mm: float) -> BezierPath:
    """A curve with continuous curvature along the outer ring of a polygon.

    Smoothing moves what bends with a radius r inwards by smoothing_mm^2 / 2 r, and evens out jogs that are shorter.

    Args:
        polygon: Its outer ring is drawn.
        step_mm: Length of one cubic; where the ring's curvature jumps, one longer than the smoothing bends too far.
        smoothing_mm: Standard deviation of the Gaussian that the ring is smoothed with, along it.
    """
    ring = polygon.exterior
    steps = int(np.clip(np.ceil(ring.length / step_mm), LEAST_STEPS, MOST_STEPS))
    vertices = np.array(ring.coords)[:, :2]
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(vertices, axis=0), axis=1))])
    at = np.arange(FINER * steps) * (along[-1] / (FINER * steps))
    points = np.stack([np.interp(at, along, vertices[:, axis]) for axis in (0, 1)], axis=1)
    waves = 2 * np.pi * np.fft.rfftfreq(len(points), ring.length / len(points))[:, None]
    smooth = np.fft.irfft(np.fft.rfft(points, axis=0) * np.exp(-((waves * smoothing_mm) ** 2) / 2), len(points), axis=0)
    return BezierPath(_through(smooth[::FINER]))


def _through(points: type_points) -> type_points:
    """Control points (n, 4, 2) of the closed cubic spline through points (n, 2), of one unit of parameter a step.

    Its slopes m solve m[k-1] + 4 m[k] + m[k+1] = 3 (p[k+1] - p[k-1]) around the ring, one division a wave.
    """
    right = 3 * (np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0))
    angles = 2 * np.pi * np.fft.rfftfreq(len(points))[:, None]
    handles = np.fft.irfft(np.fft.rfft(right, axis=0) / (4 + 2 * np.cos(angles)), len(points), axis=0) / 3
    after = np.roll(points, -1, axis=0)
    return np.stack([points, points + handles, after - np.roll(handles, -1, axis=0), after], axis=1)
