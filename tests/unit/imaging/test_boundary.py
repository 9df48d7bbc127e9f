"""Where boundaries are placed between pixels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cutline.imaging.boundary import trace_boundaries

SIDE_PX = 60
FINER = 32


def covered(cover: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Levels of pixels from samples (FINER * SIDE_PX squared): the share that is covered."""
    return np.asarray((cover.reshape(SIDE_PX, FINER, SIDE_PX, FINER).mean(axis=(1, 3)) * 255).round().astype(np.uint8))


def samples() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where every sample lies: x and y in pixels."""
    at = (np.arange(SIDE_PX * FINER) + 0.5) / FINER
    return at[None, :], at[:, None]


@pytest.mark.parametrize("degrees", [0.0, 7.0, 20.0, 33.0, 45.0, 71.0])
def test_a_straight_antialiased_edge_is_placed_within_a_fiftieth_of_a_pixel(degrees: float) -> None:
    """Every crossing along the side of a turned square lies on the line that the pixels were covered by."""
    x, y = samples()
    along, across = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    u, v = (x - 30.3) * along + (y - 29.6) * across, (y - 29.6) * along - (x - 30.3) * across
    ring = trace_boundaries(covered(np.maximum(abs(u), abs(v)) < 15)).ring(0)

    ring_u = (ring[:, 0] - 30.3) * along + (ring[:, 1] - 29.6) * across
    ring_v = (ring[:, 1] - 29.6) * along - (ring[:, 0] - 30.3) * across
    side = (abs(ring_v) < 12) & (ring_u > 0)
    assert side.sum() > 20
    assert np.abs(ring_u[side] - 15).max() < 0.02


def test_a_disc_has_its_radius_and_area() -> None:
    """Crossings of an antialiased disc lie within a twentieth of a pixel of its circle, and enclose its area."""
    x, y = samples()
    found = trace_boundaries(covered(np.hypot(x - 30.2, y - 29.7) < 20))

    distances = np.hypot(found.points[:, 0] - 30.2, found.points[:, 1] - 29.7)
    assert np.abs(distances - 20).max() < 0.05
    assert abs(found.areas[0]) == pytest.approx(np.pi * 400, rel=1e-3)
    assert not found.hard[0]


def test_a_hard_edge_lies_between_its_pixels() -> None:
    """A square of full pixels is bounded halfway between pixels, and known to be hard."""
    field = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    field[10:40, 20:50] = 255
    found = trace_boundaries(field)

    assert found.boxes[0] == pytest.approx([20, 10, 50, 40])
    assert found.hard[0]


def test_holes_know_the_ring_they_lie_in() -> None:
    """A hole's parent is its outer ring, outer rings have none, and a hole turns the other way."""
    field = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    field[5:30, 5:30] = 255
    field[10:20, 10:20] = 0
    field[40:50, 40:50] = 255
    found = trace_boundaries(field)

    (hole,) = np.flatnonzero(found.parents >= 0)
    outer = found.parents[hole]
    assert (found.parents < 0).sum() == 2
    assert found.areas[outer] * found.areas[hole] < 0
    assert found.boxes[outer] == pytest.approx([5, 5, 30, 30])


def test_a_pixel_alone_has_a_ring() -> None:
    """One opaque pixel is enclosed by the four crossings to its neighbours."""
    field = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    field[7, 9] = 255
    found = trace_boundaries(field)

    assert len(found.ring(0)) == 4
    x_min, y_min, x_max, y_max = found.boxes[0]
    assert 9 <= x_min < 9.5 < x_max <= 10
    assert 7 <= y_min < 7.5 < y_max <= 8


@pytest.mark.parametrize("degrees", [3.0, 7.0, 12.0, 20.0, 38.0])
def test_a_straight_hard_edge_is_found_between_its_steps(degrees: float) -> None:
    """Along the sides of a turned square of full pixels, smooth points lie within a quarter of a pixel of the line."""
    x, y = samples()
    along, across = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    u, v = (x - 30.3) * along + (y - 29.6) * across, (y - 29.6) * along - (x - 30.3) * across
    level = covered(np.maximum(abs(u), abs(v)) < 20)
    ring = trace_boundaries(np.where(level >= 128, 255, 0).astype(np.uint8)).smooth_ring(0)

    ring_u = (ring[:, 0] - 30.3) * along + (ring[:, 1] - 29.6) * across
    ring_v = (ring[:, 1] - 29.6) * along - (ring[:, 0] - 30.3) * across
    side = (abs(ring_v) < 8) & (ring_u > 0)
    assert side.sum() > 14
    assert np.abs(ring_u[side] - 20).max() < 0.25


def test_smoothing_leaves_hard_corners_and_level_edges_alone() -> None:
    """A square of full pixels along the grid keeps its sides where they are, up to the points next to its corners."""
    field = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    field[10:40, 20:50] = 255
    found = trace_boundaries(field)

    ring = found.smooth_ring(0)
    middle = (abs(ring - (35, 25)) < 9).any(axis=1)
    sides = np.abs(np.abs(ring[middle] - (35, 25)).max(axis=1) - 15)
    assert sides.max() < 0.03
    assert np.abs(ring - found.ring(0)).max() < 0.2
