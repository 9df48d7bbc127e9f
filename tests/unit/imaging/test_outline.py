"""Tracing alpha to an outline."""

from __future__ import annotations

import numpy as np
import pytest
from shapely import MultiPolygon

from cutline.domain.errors import ArtworkError, Reason
from cutline.imaging.outline import trace_outline
from tests.support.drawn_art import disc, discs, drawn, ring


def test_soft_edges_are_placed_between_pixels() -> None:
    """An antialiased disc is traced within a third of a pixel of its true outline, and without bias."""
    outline = trace_outline(drawn(disc()), alpha_threshold=0.5, longer_side_mm=69)

    assert outline.art.hausdorff_distance(disc()) < 0.33
    assert outline.art.area == pytest.approx(disc().area, rel=1e-3)


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.9])
def test_hard_edges_lie_between_their_pixels_at_any_threshold(threshold: float) -> None:
    """A block of opaque pixels is traced along the pixels' own borders, whatever the threshold."""
    rgba = np.zeros((40, 60, 4), np.uint8)
    rgba[10:30, 15:45, 3] = 255

    outline = trace_outline(rgba, alpha_threshold=threshold, longer_side_mm=50)

    assert outline.box_px == pytest.approx((15, 10, 45, 30), abs=0.01)


def test_art_that_touches_the_canvas_closes_at_its_edge() -> None:
    """Opaque pixels everywhere give the rectangle of the canvas."""
    rgba = np.full((30, 50, 4), 255, np.uint8)

    outline = trace_outline(rgba, alpha_threshold=0.5, longer_side_mm=50)

    assert outline.box_px == pytest.approx((0, 0, 50, 30), abs=0.01)
    assert len(outline.art.geoms) == 1


def test_holes_stay_holes() -> None:
    """A ring has one outer line and one inner one."""
    outline = trace_outline(drawn(ring()), alpha_threshold=0.5, longer_side_mm=69)

    assert [len(part.interiors) for part in outline.art.geoms] == [1]


def test_specks_are_dropped_and_counted() -> None:
    """A dot of 0.2 mm beside a large disc is no art; a disc of 3 mm is."""
    shape = discs((400, 400, 250), (60, 60, 1.0), (720, 720, 15))

    outline = trace_outline(drawn(shape), alpha_threshold=0.5, longer_side_mm=69)

    assert len(outline.art.geoms) == 2
    assert outline.specks.boxes_px == pytest.approx(np.array([[59, 59, 61, 61]]), abs=1)
    assert outline.specks.areas_px == pytest.approx([np.pi], rel=0.2)


@pytest.mark.parametrize("alpha", [0, 100])
def test_art_below_the_threshold_is_no_subject(alpha: int) -> None:
    """A canvas that nowhere reaches the threshold is refused by name."""
    rgba = np.full((20, 20, 4), alpha, np.uint8)

    with pytest.raises(ArtworkError) as refused:
        trace_outline(rgba, alpha_threshold=0.5, longer_side_mm=50)

    assert refused.value.reason is Reason.NO_SUBJECT


def test_a_single_pixel_is_no_subject() -> None:
    """One opaque pixel is a speck."""
    rgba = np.full((1, 1, 4), 255, np.uint8)

    with pytest.raises(ArtworkError) as refused:
        trace_outline(rgba, alpha_threshold=0.5, longer_side_mm=50)

    assert refused.value.reason is Reason.NO_SUBJECT


def test_what_is_traced_is_valid_and_sorted_by_size() -> None:
    """Pieces are valid polygons, the largest first."""
    outline = trace_outline(drawn(discs((150, 150, 60), (500, 500, 200))), alpha_threshold=0.5, longer_side_mm=69)

    areas = [part.area for part in outline.art.geoms]
    assert isinstance(outline.art, MultiPolygon)
    assert all(part.is_valid for part in outline.art.geoms)
    assert areas == sorted(areas, reverse=True)
