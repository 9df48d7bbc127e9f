"""Confidence of cutouts off smooth backgrounds: low wherever part of the art cannot be seen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cutline.domain.outputs import CutoutMethod
from cutline.imaging.cutout import cut_out
from cutline.imaging.readiness.art import CONFIDENCE_GOOD
from tests.unit.imaging.pixel_art import opaque

WHITE = (255, 255, 255)


def confidence(levels: NDArray[np.uint8]) -> float:
    """Of the automatic cutout."""
    return cut_out(
        opaque(levels), method=CutoutMethod.AUTO, alpha_threshold=0.5, remove_enclosed_background=False
    ).confidence


def canvas(colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A square of that colour."""
    return np.full((300, 300, 3), colour, np.uint8)


def with_face(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The face of a ghost: two eyes and a mouth."""
    for centre, axes in (((115, 120), (14, 20)), ((185, 120), (14, 20)), ((150, 180), (18, 12))):
        cv2.ellipse(levels, centre, axes, 0, 0, 360, (30, 30, 30), -1, cv2.LINE_AA)
    return levels


def with_carton(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A white carton of which only the printed bands show: one of them is most of what can be seen."""
    cv2.rectangle(levels, (90, 20), (210, 45), (58, 134, 255), -1)
    cv2.rectangle(levels, (60, 100), (240, 110), (142, 202, 230), -1)
    cv2.rectangle(levels, (60, 180), (240, 280), (58, 134, 255), -1)
    return levels


def large_face() -> NDArray[np.uint8]:
    """The same face on a canvas that it fills."""
    return np.asarray(cv2.resize(with_face(canvas(WHITE))[90:210, 90:210], (300, 300), interpolation=cv2.INTER_CUBIC))


MARKS = {
    "face": with_face(canvas(WHITE)),
    "large face": large_face(),
    "carton": with_carton(canvas(WHITE)),
    "lying carton": np.ascontiguousarray(with_carton(canvas(WHITE)).transpose(1, 0, 2)),
    "face of a black cat": 255 - with_face(canvas(WHITE)),
}
PIECES = {
    "pair": ((80, 150, 60), (220, 150, 60)),
    "pair one above the other": ((150, 75, 55), (150, 225, 55)),
    "row": ((50, 150, 38), (150, 150, 38), (250, 150, 38)),
    "grid": ((80, 80, 45), (220, 80, 45), (80, 220, 45), (220, 220, 45)),
    "scatter": ((60, 60, 30), (200, 90, 50), (90, 220, 40), (250, 250, 20), (150, 150, 12)),
}


@pytest.mark.parametrize("art", MARKS.values(), ids=MARKS)
def test_white_art_on_white_is_not_sure_of_its_visible_parts(art: NDArray[np.uint8]) -> None:
    """The white body cannot be seen, so clean edges around the parts that can be are no proof."""
    assert confidence(art) < 0.5


@pytest.mark.parametrize("discs", PIECES.values(), ids=PIECES)
def test_separate_pieces_on_white_need_no_second_look(discs: tuple[tuple[int, int, int], ...]) -> None:
    """Pieces that fill their canvas and are not arranged as marks on a body are cut out as surely as one piece."""
    levels = canvas(WHITE)
    for x, y, radius in discs:
        cv2.circle(levels, (x, y), radius, (200, 30, 30), -1, cv2.LINE_AA)

    assert confidence(levels) > CONFIDENCE_GOOD


def test_pieces_on_a_colour_are_what_they_seem() -> None:
    """On a colour that art is seldom made of, separate pieces are separate pieces."""
    assert confidence(with_carton(canvas((0, 177, 64)))) > 0.75


def test_close_pieces_leave_nothing_to_hide() -> None:
    """Two halves with a crack between them span hardly more than themselves: white does not make them doubtful."""
    levels = canvas(WHITE)
    cv2.rectangle(levels, (60, 60), (146, 240), (200, 30, 30), -1)
    cv2.rectangle(levels, (154, 60), (240, 240), (200, 30, 30), -1)

    assert confidence(levels) > 0.9


@pytest.mark.parametrize(("faint_share", "least", "most"), [(0.0, 0.9, 1.0), (0.05, 0.5, 0.8), (0.2, 0.0, 0.45)])
def test_confidence_falls_with_the_share_of_faint_edge(faint_share: float, least: float, most: float) -> None:
    """A disc of which a sector hardly differs from its background: a tenth of the edge costs half the confidence."""
    levels = canvas((250, 250, 247))
    cv2.circle(levels, (150, 150), 110, (200, 60, 40), -1)
    cv2.ellipse(levels, (150, 150), (111, 111), 0, 0, 360 * faint_share, (241, 241, 241), -1)

    assert least <= confidence(levels) <= most
