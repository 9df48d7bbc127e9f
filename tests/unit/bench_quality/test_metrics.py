"""The measures, on cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from shapely import Point, Polygon, box

from bench.quality.cut_line_metrics import Reference, control_points, measure_cut_line, reference, smallest_radius
from bench.quality.cutout_metrics import (
    alpha_error,
    auroc,
    boundary_f,
    fringe,
    hole_recall,
    intersection_over_union,
)
from bench.quality.drawing import Drawing, FineAlpha
from bench.quality.truth import Truth, colour_difference

KAPPA = 0.5522847498


def block(left: int, right: int) -> NDArray[np.uint8]:
    """Opaque from one column to the other on a canvas of 40 x 100 px, rows 10 to 30."""
    alpha = np.zeros((40, 100), np.uint8)
    alpha[10:30, left:right] = 255
    return alpha


def ringed(hole_level: int = 0) -> NDArray[np.uint8]:
    """A red square of 60 px with a hole of 20 px on a canvas of 100 px; straight RGBA."""
    rgba = np.zeros((100, 100, 4), np.uint8)
    rgba[20:80, 20:80] = (200, 30, 30, 255)
    rgba[40:60, 40:60, 3] = hole_level
    return rgba


def circle(radius: float, *, x: float = 20.0, y: float = 20.0) -> str:
    """Path data of a circle of four cubics."""
    k, r = KAPPA * radius, radius
    return (
        f"M {x + r:.6f},{y:.6f} C {x + r:.6f},{y + k:.6f} {x + k:.6f},{y + r:.6f} {x:.6f},{y + r:.6f} "
        f"C {x - k:.6f},{y + r:.6f} {x - r:.6f},{y + k:.6f} {x - r:.6f},{y:.6f} "
        f"C {x - r:.6f},{y - k:.6f} {x - k:.6f},{y - r:.6f} {x:.6f},{y - r:.6f} "
        f"C {x + k:.6f},{y - r:.6f} {x + r:.6f},{y - k:.6f} {x + r:.6f},{y:.6f} Z"
    )


def disc(radius: float) -> Reference:
    """The right answer for a disc at 20, 20."""
    shape = Point(20, 20).buffer(radius, quad_segs=512)
    return Reference(shape, shape)


def test_intersection_over_union() -> None:
    """Two blocks of 40 columns that share 20 have an IoU of a third; of a block with itself it is 1."""
    assert intersection_over_union(block(10, 50), block(30, 70)) == pytest.approx(1 / 3)
    assert intersection_over_union(block(10, 50), block(10, 50)) == 1
    assert intersection_over_union(block(0, 0), block(0, 0)) == 1


def test_alpha_error_is_the_mean_over_the_canvas() -> None:
    """Ten columns of twenty rows too many on 4,000 px are an error of 0.05."""
    assert alpha_error(block(10, 60), block(10, 50)) == pytest.approx(0.05)


def test_boundary_f_forgives_two_pixels_and_no_more() -> None:
    """A shift by 2 px is perfect; by 20 px only the parts that still overlap count; nothing scores 0."""
    assert boundary_f(block(10, 50), block(12, 52)) == 1
    assert 0.3 < boundary_f(block(10, 50), block(30, 70)) < 0.7
    assert boundary_f(block(0, 0), block(10, 50)) == 0


def test_enclosed_background_is_filled_with_its_soft_edge() -> None:
    """The filled truth has no hole; its outer edge, however soft, stays as drawn."""
    rgba = ringed()
    rgba[39, 40:60, 3] = 90  # soft edge of the hole
    rgba[19, 20:80, 3] = 90  # soft edge of the outline
    truth = Truth(rgba)

    assert truth.filled[30:70, 30:70].min() == 255
    assert truth.filled[19, 20:80].tolist() == [90] * 60
    assert np.count_nonzero(truth.holes) == 20 * 20 + 20


def test_hole_recall() -> None:
    """Half a hole removed is a recall of a half; art without holes has none."""
    alpha = ringed()[..., 3].copy()
    alpha[40:50, 40:60] = 255

    assert hole_recall(alpha, Truth(ringed())) == pytest.approx(0.5)
    assert hole_recall(alpha, Truth(ringed(255))) is None


def test_fringe_is_nothing_for_true_colours_and_the_background_for_naive_ones() -> None:
    """Own colours along a half-opaque edge have no fringe; the composite's own differ by their share of background."""
    rgba = ringed(255)
    rgba[19, 20:80] = (200, 30, 30, 128)
    truth = Truth(rgba)
    composite = np.full((100, 100, 3), 255, np.uint8)
    composite[20:80, 20:80] = (200, 30, 30)
    composite[19, 20:80] = (227, 142, 142)

    colours = fringe(rgba, composite, truth)

    assert colours.error == pytest.approx(0, abs=1e-4)
    expected = colour_difference(np.array([[227, 142, 142]], np.uint8), np.array([[200, 30, 30]], np.uint8))[0]
    assert colours.naive_error == pytest.approx(float(expected), rel=1e-3)


def test_a_halo_is_a_fringe() -> None:
    """Background kept opaque around the art counts with its full difference to the art's colour."""
    truth = Truth(ringed(255))
    composite = np.full((100, 100, 3), 255, np.uint8)
    composite[20:80, 20:80] = (200, 30, 30)
    kept = np.dstack([composite, np.zeros((100, 100), np.uint8)])
    kept[19:81, 19:81, 3] = 255

    colours = fringe(kept, composite, truth)

    assert colours.error == colours.naive_error > 60


def test_boundary_near_is_the_share_that_looks_like_background() -> None:
    """A square whose left half is nearly white has about half of its boundary near white, and none near black."""
    rgba = ringed(255)
    rgba[20:80, 20:50, :3] = (253, 253, 253)
    truth = Truth(rgba)

    assert truth.boundary_near(np.full((100, 100, 3), 255, np.uint8)) == pytest.approx(0.5, abs=0.02)
    assert truth.boundary_near(np.zeros((100, 100, 3), np.uint8)) == 0


def test_enclosed_near_counts_art_and_not_what_reaches_outside() -> None:
    """An enclosed white patch counts by its area; the same patch at the edge could be seen through and does not."""
    rgba = ringed(255)
    rgba[40:60, 40:60, :3] = 255
    white = np.full((100, 100, 3), 255, np.uint8)
    assert Truth(rgba).enclosed_near(white) == pytest.approx(400 / 3600)

    rgba[40:60, 20:60, :3] = 255
    assert Truth(rgba).enclosed_near(white) == 0


def test_auroc() -> None:
    """Perfect order is 1, reversed 0, ties a half, and one class alone says nothing."""
    assert auroc([0.9, 0.8], [0.1, 0.2]) == 1
    assert auroc([0.1], [0.9, 0.8]) == 0
    assert auroc([0.5, 0.5], [0.5]) == 0.5
    assert auroc([], [0.5]) is None


def test_reference_is_the_exact_offset_of_the_traced_art() -> None:
    """A square of 60 px at 0.5 mm a pixel becomes 30 mm, plus the border with round corners; its hole is filled."""
    art = FineAlpha(ringed()[..., 3], 1, (0, 0))
    right = reference(art, mm_per_px=0.5, origin_mm=(-10.0, -10.0), border_mm=3, closing_radius_mm=1)

    exact = box(0, 0, 30, 30).buffer(3, quad_segs=256)
    assert right.wanted.hausdorff_distance(exact) < 0.3  # marching squares cut a pixel's corner
    assert right.wanted.bounds == pytest.approx((-3, -3, 33, 33), abs=1e-6)
    assert len(right.line.geoms if hasattr(right.line, "geoms") else [right.line]) == 1
    assert isinstance(right.line, Polygon)
    assert not right.line.interiors


def test_drawn_art_is_traced_finer_than_its_pixels() -> None:
    """Traced before it became pixels, a small square that ends within pixels has its corners to a hundredth of one."""
    square = Drawing("square", 600, 600, '<rect x="100.3" y="200.6" width="50" height="50"/>')
    alpha = square.render()[..., 3]
    coarse, fine = (
        reference(one, mm_per_px=1.0, origin_mm=(0.0, 0.0), border_mm=0, closing_radius_mm=1).wanted
        for one in (FineAlpha(alpha, 1, (0, 0)), square.fine_alpha((100, 200, 51, 51)))
    )

    exact = box(100.3, 200.6, 150.3, 250.6)
    assert fine.hausdorff_distance(exact) < 0.02
    assert coarse.hausdorff_distance(exact) > 0.2


def pair(gap_mm: float) -> Reference:
    """The right answer for two discs of 10 mm radius with a gap between their borders of 2 mm, in pixels of 0.05 mm."""
    x, y = np.meshgrid(np.arange(960) * 0.05 + 0.025, np.arange(440) * 0.05 + 0.025)
    apart = np.minimum(np.hypot(x - 11, y - 11), np.hypot(x - (35 + gap_mm), y - 11))
    alpha = (np.clip((10 - apart) / 0.05 + 0.5, 0, 1) * 255).astype(np.uint8)
    return reference(
        FineAlpha(alpha, 1, (0, 0)), mm_per_px=0.05, origin_mm=(0.0, 0.0), border_mm=2, closing_radius_mm=1
    )


@pytest.mark.parametrize(("gap_mm", "is_undecided"), [(1.0, False), (1.995, True), (2.3, False)])
def test_a_gap_as_wide_as_the_closing_disc_is_not_judged(gap_mm: float, *, is_undecided: bool) -> None:
    """Only where a hundredth of a millimetre closes a gap or leaves it open does either line count as right."""
    assert pair(gap_mm).undecided.is_empty is not is_undecided


def test_a_true_circle_measures_clean() -> None:
    """Four cubics follow a circle of 12 mm to 3.3 micrometres, contain it, and bend with its radius."""
    measures = measure_cut_line([circle(12)], disc(12))

    assert measures.max_deviation_mm < 0.004
    assert measures.mean_deviation_mm < 0.002
    assert measures.out_of_line_mm < 1e-3
    assert measures.min_radius_mm == pytest.approx(12, rel=0.01)
    assert measures.crossings == 0
    assert measures.segments == 4
    assert measures.segments_per_100_mm == pytest.approx(400 / (2 * np.pi * 12), rel=1e-3)


def test_a_circle_too_small_or_too_large_is_off_by_the_difference() -> None:
    """Half a millimetre too small leaves that much art outside; too large leaves none, and deviates as much."""
    small, large = measure_cut_line([circle(11.5)], disc(12)), measure_cut_line([circle(12.5)], disc(12))

    assert small.out_of_line_mm == pytest.approx(0.5, abs=0.005)
    assert large.out_of_line_mm == 0
    assert small.max_deviation_mm == pytest.approx(0.5, abs=0.005)
    assert large.mean_deviation_mm == pytest.approx(0.5, abs=0.005)


def test_what_a_path_misses_is_a_deviation_too() -> None:
    """A second piece of the reference that no path follows counts with its distance from the paths."""
    both = Point(20, 20).buffer(12).union(Point(60, 20).buffer(2))

    measures = measure_cut_line([circle(12)], Reference(both, both))

    assert measures.max_deviation_mm == pytest.approx(30, abs=0.05)
    assert measures.out_of_line_mm == pytest.approx(30, abs=0.05)


def test_crossings_are_counted() -> None:
    """Two circles that overlap meet; a figure of eight crosses itself."""
    eight = "M 0,0 C 10,10 20,10 20,5 C 20,0 10,0 0,10 C -10,20 -5,-10 0,0 Z"

    assert measure_cut_line([circle(12), circle(12, x=30)], disc(12)).crossings == 1
    assert measure_cut_line([eight], disc(12)).crossings == 1


def test_a_corner_has_no_radius() -> None:
    """A square of straight cubics turns at right angles: radius 0."""
    corners = [(0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0)]
    legs = []
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        thirds = [(x0 + (x1 - x0) * share, y0 + (y1 - y0) * share) for share in (1 / 3, 2 / 3, 1.0)]
        legs.append("C " + " ".join(f"{x:.4f},{y:.4f}" for x, y in thirds))

    assert smallest_radius(control_points(f"M 0.0000,0.0000 {' '.join(legs)} Z")) == 0


@pytest.mark.parametrize("data", ["M 0,0 L 5,5 Z", "M 0,0 C 1,1 2,2 3,3 Z", "M 0,0 C 1,1 2,2 0,0"])
def test_only_closed_cubic_paths_are_measured(data: str) -> None:
    """Lines, open ends and a missing Z are refused."""
    with pytest.raises(ValueError, match="path"):
        control_points(data)
