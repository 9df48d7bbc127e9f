"""The check for art that runs off its canvas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cutline.domain.outputs import Finding
from cutline.imaging.outline import SIMPLIFY_MM
from cutline.imaging.readiness.model import Sticker, not_applicable, passed, warned

CROPPED_MM: Final = 3.0
"""Length along the canvas's edge up to which cut-off art would hardly be missed."""
_LEAST_RUN_MM: Final = 1.0
# An outline that follows a side may stray so far from it, and by what thinning out its points may move it besides.
_NEAR_SIDE_PX: Final = 0.2
_NEAR_CORNER_PX: Final = 1.0
# Pixels along the edge that are as opaque as those behind them are cut off there; the antialiased ones of art that was
# trimmed to its size are paler.
_BEHIND_PX: Final = 2
_AS_OPAQUE: Final = 0.97
_CUT_SHARE: Final = 0.9
# How far from where it leaves the canvas's edge an outline is looked at, and the most of a short one.
_LOOK_PX: Final = 48.0
_LOOK_SHARE: Final = 1 / 8
# Where they leave it, such shares of the way are looked at; straying aside by less than this share of it, an edge is
# straight and was drawn at a right angle.
_LOOKS: Final = (0.25, 0.5, 0.75, 1.0)
_UPRIGHT: Final = 0.01
_TRIMMED_PX: Final = 2.0
"""A curve that would rise no more than this beyond the canvas was trimmed to its own height, as tools do."""

type_points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of the canvas.

    Attributes:
        axis: 0 for the left and the right side, 1 for the top and the bottom.
        at_px: Where it lies on that axis.
        is_cut: For each pixel along it, whether it is as opaque as the art behind it.
    """

    axis: int
    at_px: float
    is_cut: NDArray[np.bool_]

    @property
    def along(self) -> int:
        """The axis that it runs along."""
        return 1 - self.axis


@dataclass(frozen=True, slots=True)
class _Run:
    """A stretch of an outline along one side of the canvas: it leaves the side at vertices `first` and `last`.

    Attributes:
        ring: The outline, of shape (n, 2), closed without repeating a point.
        first: Index of the first vertex on the side.
        last: Index of the last one; beyond n where the stretch lies across the ring's beginning.
        side: The side.
    """

    ring: type_points
    first: int
    last: int
    side: _Side

    @property
    def points(self) -> type_points:
        """Its vertices."""
        return self.ring[np.arange(self.first, self.last + 1) % len(self.ring)]

    @property
    def length_px(self) -> float:
        """How far it goes along the side."""
        return float(np.ptp(self.points[:, self.side.along]))

    def seems_cut(self) -> bool:
        """Whether its pixels are cut off, and the art would go on beyond the side at either end."""
        ways = self.points[:, self.side.along]
        is_cut = self.side.is_cut[int(np.ceil(ways.min())) : int(ways.max())]
        if not len(is_cut) or is_cut.mean() < _CUT_SHARE:
            return False
        return any(self._goes_on(index, step) for index, step in ((self.first, -1), (self.last, 1)))

    def _goes_on(self, index: int, step: int) -> bool:
        """Whether the outline arrives at the side as one that would go on; not so at right angles, and in corners.

        A curve that was trimmed to its own height touches the side, so it rises hardly higher.
        """
        end = self.ring[index % len(self.ring)]
        if min(end[self.side.along], len(self.side.is_cut) - end[self.side.along]) <= _NEAR_CORNER_PX:
            return False
        look_px = min(_LOOK_PX, _LOOK_SHARE * _length(self.ring))
        way = _along(self.ring, index, step, look_px * np.array(_LOOKS))
        if float(np.ptp(way[:, self.side.along])) <= _UPRIGHT * look_px:
            return False
        depth_px = np.abs(way[:, self.side.axis] - end[self.side.axis])
        return _rise_px(float(depth_px[0]), float(depth_px[-1]), look_px) > _TRIMMED_PX


def art_cropped(sticker: Sticker) -> Finding:
    """Art that the edge of its own image seems to have cut off."""
    code = "ART_CROPPED"
    if sticker.cutout.subject_is_everything:
        return not_applicable(code, "The whole artwork is art, so its edge is the sticker's.")
    mm_per_px = sticker.cut_line.mm_per_px
    cut = [run for run in _runs(sticker) if run.length_px * mm_per_px >= _LEAST_RUN_MM and run.seems_cut()]
    length = round(sum(run.length_px for run in cut) * mm_per_px, 1)
    measures: dict[str, Any] = {"value": length, "limit": CROPPED_MM, "unit": "mm"}
    if length <= CROPPED_MM:
        return passed(code, "No art seems cut off by the edge of its image.", **measures)
    longest = max(cut, key=lambda run: run.length_px).points
    place = sticker.cut_line.place_px((*longest.min(axis=0), *longest.max(axis=0)))
    message = f"The art runs off its image along {length:g} mm; the cut line is straight there."
    fix = "Upload artwork that shows all of the art, with some background around it."
    return warned(code, message, fix, **measures, place=place)


def _runs(sticker: Sticker) -> Iterator[_Run]:
    """Where outer outlines of the art follow the canvas's sides."""
    near_px = _NEAR_SIDE_PX + SIMPLIFY_MM / sticker.cut_line.mm_per_px
    sides = _sides(sticker.cutout.rgba[..., 3])
    for part in sticker.outline.art.geoms:
        ring = np.array(part.exterior.coords)[:-1, :2]
        for side in sides:
            on_side = np.abs(ring[:, side.axis] - side.at_px) <= near_px
            follows = on_side & np.roll(on_side, -1)
            for first in np.flatnonzero(follows & ~np.roll(follows, 1)).tolist():
                yield _Run(ring, first, first + int(np.argmin(np.roll(follows, -first))), side)


def _sides(alpha: NDArray[np.uint8]) -> tuple[_Side, ...]:
    """Left, right, top and bottom."""
    height, width = alpha.shape
    edges = ((0, 0, alpha.T), (0, width, alpha.T[::-1]), (1, 0, alpha), (1, height, alpha[::-1]))
    return tuple(
        _Side(axis, float(at_px), lines[0] >= _AS_OPAQUE * lines[min(_BEHIND_PX, len(lines) - 1)])
        for axis, at_px, lines in edges
    )


def _rise_px(near_px: float, far_px: float, look_px: float) -> float:
    """How far a curve would rise beyond the side, told from how deep it lies after a quarter of a way and after all.

    It is taken for a parabola, depth = lean x way + bend x way^2 / 2. One that does not bend back rises without end.
    """
    near, far = near_px / (look_px / 4), far_px / look_px
    bend = (far - near) * 8 / (3 * look_px)
    lean = near - bend * look_px / 8
    if lean <= 0:
        return 0.0
    return lean**2 / (2 * bend) if bend > 0 else np.inf


def _along(ring: type_points, index: int, step: int, ways_px: NDArray[np.float64]) -> type_points:
    """Points of a ring so far along it from a vertex, forwards or backwards."""
    ordered = ring[(index + step * np.arange(len(ring) + 1)) % len(ring)]
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(ordered, axis=0), axis=1))])
    return np.stack([np.interp(ways_px, way, ordered[:, axis]) for axis in (0, 1)], axis=1)


def _length(ring: type_points) -> float:
    return float(np.linalg.norm(ring - np.roll(ring, 1, axis=0), axis=1).sum())
