"""What closing leaves between pieces that nearly meet."""

from __future__ import annotations

import pytest
from shapely import MultiPolygon, Point

from cutline.domain.sticker_spec import IslandPolicy, StickerSpec, resolve
from cutline.imaging.cut_line.border import smoothed
from cutline.imaging.shapes import closed, opened


@pytest.mark.parametrize("gap_mm", [1.985, 1.99])
def test_cusps_between_pieces_are_taken_off_and_nothing_is_filled_instead(gap_mm: float) -> None:
    """Between discs nearly as far apart as the closing disc is wide, points are lost, and no wider disc lies there."""
    spec = resolve(StickerSpec(border_mm=3.0, smoothing=0.0, min_radius_mm=1.0, island_policy=IslandPolicy.KEEP))
    discs = MultiPolygon([Point(x, 0).buffer(60, quad_segs=256) for x in (0.0, 120.0 + gap_mm)])

    line = smoothed(discs, spec)

    assert len(line.geoms) == 2
    assert closed(discs, 1.02).buffer(0.01).covers(line)
    assert line.area - opened(line, 1.0).area < 0.02
