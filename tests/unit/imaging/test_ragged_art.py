"""Art whose edge has more points than a search for its size goes through."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely import MultiPolygon, affinity
from shapely.geometry import Point

from cutline.domain.errors import ArtworkError, Reason
from cutline.domain.sticker_spec import IslandPolicy, StickerSpec, resolve
from cutline.imaging.cut_line import scale


def dots(side: int, quarter_points: int) -> MultiPolygon:
    """Discs in rows, 40 px apart."""
    disc = Point(0, 0).buffer(10, quad_segs=quarter_points)
    places = np.indices((side, side)).reshape(2, -1).T * 40
    return MultiPolygon([affinity.translate(disc, x, y) for x, y in places.tolist()])


def refusal(art_px: MultiPolygon) -> ArtworkError:
    """The error that the search for a size of 500 mm without border ends with."""
    spec = resolve(StickerSpec(width_mm=500.0, border_mm=0.0, island_policy=IslandPolicy.KEEP))
    with pytest.raises(ArtworkError) as caught:
        scale.solve_scale(art_px, spec)
    return caught.value


@pytest.mark.parametrize(("side", "quarter_points"), [(10, 500), (10, 160)], ids=["not begun", "given up"])
def test_art_of_too_many_points_is_refused_with_value_and_limit(side: int, quarter_points: int) -> None:
    """The error states how many points there are and how many there may be, in words and for programs."""
    art_px = dots(side, quarter_points)
    points = int(shapely.get_num_coordinates(art_px))
    assert (points > scale.HOPELESS_POINTS) == (quarter_points == 500)

    error = refusal(art_px)

    assert error.reason is Reason.CUT_LINE_IMPOSSIBLE
    assert f"{points:,} points in {side**2} pieces" in error.message
    assert f"may go through {scale.MOST_POINTS:,}." in error.message
    assert error.metadata == {"value": f"{points:,} points", "limit": f"{scale.MOST_POINTS:,} points"}


def test_no_search_is_begun_that_has_no_hope(monkeypatch: pytest.MonkeyPatch) -> None:
    """Art far beyond the limit is refused before its outline is thinned, which takes the longest of all."""

    class SearchBegunError(Exception):
        pass

    def begun(*_: object, **__: object) -> None:
        raise SearchBegunError

    monkeypatch.setattr(MultiPolygon, "simplify", begun)
    monkeypatch.setattr(scale, "_at_scale", begun)

    with pytest.raises(SearchBegunError):
        refusal(dots(10, 160))
    assert refusal(dots(10, 500)).reason is Reason.CUT_LINE_IMPOSSIBLE
