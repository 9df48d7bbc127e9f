"""Specks and pinholes of ragged alpha."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cutline.domain.errors import ArtworkError, Reason
from cutline.imaging import specks
from cutline.imaging.outline import trace_outline
from cutline.imaging.specks import without_specks

NOISE = np.random.default_rng(5).random((400, 400))


def grainy() -> NDArray[np.uint8]:
    """A square with pinholes, and specks around it; the outermost pixels are empty."""
    field = np.zeros((440, 440), np.uint8)
    field[20:420, 20:420] = np.where(NOISE < 0.1, 255, 0)
    field[120:320, 120:320] = np.where(NOISE[100:300, 100:300] < 0.9, 255, 0)
    return field


def test_art_without_much_edge_is_left_alone() -> None:
    """Below the bound nothing is looked for, and the very field comes back."""
    field = grainy()

    cleaned, found = without_specks(field, 50.0)

    assert cleaned is field
    assert len(found) == 0


def test_specks_and_pinholes_go_and_the_art_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above it, most specks are counted and gone, and pinholes are filled."""
    monkeypatch.setattr(specks, "RAGGED_CROSSINGS", 1000)
    field = grainy()

    cleaned, found = without_specks(field, 50.0)

    assert len(found) > 1000
    assert found.boxes_px[:, 2:].max() <= 440
    assert (cleaned[125:315, 125:315] == 255).mean() > 0.97 > (field[125:315, 125:315] == 255).mean()
    assert (cleaned[:110] > 0).sum() < 0.2 * (field[:110] > 0).sum()


def test_the_outline_is_the_same_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Specks found as pixels or by their boundary leave the same art, and nearly the same number of specks."""
    rgba = np.zeros((440, 440, 4), np.uint8)
    rgba[..., 3] = grainy()
    by_boundary = trace_outline(rgba, alpha_threshold=0.5, longer_side_mm=50.0)
    monkeypatch.setattr(specks, "RAGGED_CROSSINGS", 1000)
    by_pixels = trace_outline(rgba, alpha_threshold=0.5, longer_side_mm=50.0)

    assert by_pixels.art.symmetric_difference(by_boundary.art).area < 1e-3 * by_boundary.art.area
    assert len(by_pixels.specks) == pytest.approx(len(by_boundary.specks), rel=0.05)


def test_an_edge_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stays ragged without its specks is refused in words that say what to do."""
    monkeypatch.setattr(specks, "RAGGED_CROSSINGS", 1000)
    monkeypatch.setattr(specks, "MOST_CROSSINGS", 700)

    with pytest.raises(ArtworkError, match="noise out of its transparency") as refused:
        without_specks(grainy(), 50.0)

    assert refused.value.reason is Reason.CUT_LINE_IMPOSSIBLE
