"""Corners of traced outlines, against the corners that were drawn."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely import MultiPolygon, Polygon, affinity, box

from cutline.imaging.outline import trace_outline
from tests.support.drawn_art import drawn, star

NEAR_PX = 0.25
"""Of that the drawing is off by an eighth along each axis."""
MANY_MM = 400.0
"""A size at which pixels are so coarse that no tip is drawn short for the eye's sake."""


def corners_missed_px(shape: MultiPolygon) -> float:
    """How far the worst corner of a drawn shape lies from the nearest vertex of its outline."""
    outline = trace_outline(drawn(shape), alpha_threshold=0.5, longer_side_mm=MANY_MM)
    traced = shapely.MultiPoint(shapely.get_coordinates(outline.art))
    return float(shapely.distance(traced, shapely.points(shapely.get_coordinates(shape))).max())


@pytest.mark.parametrize("turned", [0.0, 7.0, 31.0, 45.0])
def test_tips_and_notches_lie_where_they_were_drawn(turned: float) -> None:
    """Each corner of a star, convex or concave, is found within a quarter of a pixel, however the star is turned."""
    assert corners_missed_px(affinity.rotate(star(), turned, origin=(400.3, 410.8))) < NEAR_PX


@pytest.mark.parametrize("across", [0.0, 0.25, 0.5, 0.75])
def test_an_edge_in_mid_pixel_does_not_pull_its_corners_in(across: float) -> None:
    """Corners between edges along the pixel grid are as exact, wherever in a pixel the edges lie."""
    ell = Polygon([(60, 40), (220, 40), (220, 360), (480, 360), (480, 520), (60, 520)])

    assert corners_missed_px(MultiPolygon([affinity.translate(ell, across, across)])) < NEAR_PX


def test_corners_a_few_pixels_apart_are_all_found() -> None:
    """Both corners at the short side of a bar stay, although the same vertices tell of both."""
    bar = affinity.rotate(box(100.2, 200.3, 500.6, 207.3), 45.0)

    assert corners_missed_px(MultiPolygon([bar])) < NEAR_PX


def test_a_round_end_gets_no_corner() -> None:
    """The outline of a disc bulges out nowhere."""
    disc = MultiPolygon([shapely.Point(300.2, 300.7).buffer(60, quad_segs=200)])
    outline = trace_outline(drawn(disc), alpha_threshold=0.5, longer_side_mm=MANY_MM)

    away = shapely.distance(disc.boundary, shapely.points(shapely.get_coordinates(outline.art)))

    assert np.max(away) < NEAR_PX
