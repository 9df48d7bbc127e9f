"""How a flat sticker bends over what it sticks to.

A bend works on the flat picture: where the sticker would appear if it lay flat, in pixels. `bend` carries points from
there to the picture; each of its layers goes back from every pixel to what is seen there of that layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

type_points = NDArray[np.float64]
type_plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """One layer of material in the picture: for every pixel of a region the flat pixel that is seen there.

    Attributes:
        x: Flat x, float32 of the region's shape; far outside where the layer does not reach.
        y: Flat y.
        shade: Brightness that the bend adds, 1 where it changes nothing.
        height_px: How far the layer stands off the ground, for its shadow.
        cover: Share of the pixel that the layer covers, beside what its own alpha says.
        back: Whether the back of the sticker is seen.
    """

    x: type_plane
    y: type_plane
    shade: type_plane
    height_px: type_plane
    cover: type_plane
    back: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class BentLayer:
    """A layer of material and where to look for it.

    Attributes:
        reach_px: Points of the picture, (n, 2), whose bounding box holds all that is seen of the layer.
        sheet: Gives the sheet for pixel centres x, y.
    """

    reach_px: type_points
    sheet: Callable[[type_plane, type_plane], Sheet]


class Bend(Protocol):
    """A surface that is not flat, or a sticker that does not lie flat."""

    def bend(self, points_px: type_points) -> type_points:
        """Points (n, 2) of the flat picture, in the picture; of two places the upper one."""
        ...

    def layers(self, outline_px: type_points) -> tuple[BentLayer, ...]:
        """The layers of a sticker with this outline in the flat picture, the lowest first."""
        ...


_NOWHERE = np.float32(-1e5)


@dataclass(frozen=True, slots=True)
class Cylinder:
    """An upright cylinder under parallel projection; the sticker's middle lies on the line that faces the viewer.

    An arc of length s from that line appears at radius_px * sin(s / radius_px), so columns narrow towards the edge.

    Attributes:
        axis_px: x of the axis.
        radius_px: Radius.
        tilt_deg: How far the viewer looks down; rows then sag in the middle.
    """

    axis_px: float
    radius_px: float
    tilt_deg: float

    def bend(self, points_px: type_points) -> type_points:
        """Wraps points around the cylinder."""
        angle = (points_px[:, 0] - self.axis_px) / self.radius_px
        sag_px = self.radius_px * np.sin(np.radians(self.tilt_deg)) * (np.cos(angle) - 1)
        return np.column_stack([self.axis_px + self.radius_px * np.sin(angle), points_px[:, 1] + sag_px])

    def layers(self, outline_px: type_points) -> tuple[BentLayer, ...]:
        """One layer; rows sag, so its reach goes beyond the bent outline by the sag."""
        bent = self.bend(outline_px)
        sag_px = self.radius_px * np.sin(np.radians(self.tilt_deg))
        return (BentLayer(np.concatenate([bent, bent + np.array([0, sag_px])]), self.sheet),)

    def sheet(self, x: type_plane, y: type_plane) -> Sheet:
        """Unwraps the half of the cylinder that is seen."""
        sine = (x - np.float32(self.axis_px)) / np.float32(self.radius_px)
        seen = np.abs(sine) < 1
        sine = np.clip(sine, -1, 1)
        angle, cosine = np.arcsin(sine), np.sqrt(1 - sine**2)
        sag_px = np.float32(self.radius_px * np.sin(np.radians(self.tilt_deg))) * (cosine - 1)
        flat_x = np.where(seen, np.float32(self.axis_px) + np.float32(self.radius_px) * angle, _NOWHERE)
        return Sheet(flat_x, y - sag_px, np.ones_like(x), np.zeros_like(x), np.ones_like(x))


@dataclass(frozen=True, slots=True)
class Curl:
    """A sticker whose end in one direction is rolled up and back over itself.

    Beyond a fold line the sheet follows a roll of `radius_px` for half a turn and then lies back on itself. The roll
    is seen from straight above: its front for the first quarter turn, its back from there on.

    Attributes:
        origin_px: A point of the fold line.
        direction: Unit vector across the fold line, towards the rolled end.
        radius_px: Radius of the roll.
    """

    origin_px: tuple[float, float]
    direction: tuple[float, float]
    radius_px: float

    def bend(self, points_px: type_points) -> type_points:
        """Rolls the points beyond the fold line."""
        step = np.array(self.direction)
        beyond = (points_px - np.array(self.origin_px)) @ step
        half_turn = np.pi * self.radius_px
        rolled = np.where(beyond < half_turn, self.radius_px * np.sin(beyond / self.radius_px), half_turn - beyond)
        move = np.where(beyond > 0, rolled - beyond, 0.0)
        return np.asarray(points_px + move[:, None] * step, dtype=np.float64)

    def layers(self, outline_px: type_points) -> tuple[BentLayer, ...]:
        """The front, and over it the back of what is rolled up."""
        bent = self.bend(outline_px)
        beyond = (outline_px - np.array(self.origin_px)) @ np.array(self.direction)
        # Where the roll hides the outline, the roll's own edge is the outermost that is seen.
        roll_edge = bent[beyond > 0] + np.array(self.direction) * self._below_edge(beyond[beyond > 0])[:, None]
        front = np.concatenate([outline_px[beyond <= 0], roll_edge])
        back = np.concatenate([bent[beyond > 0], roll_edge])
        layers = (BentLayer(front, self.front), BentLayer(back, self.back))
        return layers if len(back) else layers[:1]

    def front(self, x: type_plane, y: type_plane) -> Sheet:
        """The printed side: flat, then up the first quarter of the roll."""
        at, on_roll, past, turn = self._turn(x, y)
        radius = np.float32(self.radius_px)
        move = np.where(past, np.float32(np.pi / 2) * radius - at, np.float32(0))
        move[on_roll] = radius * turn - at[on_roll]
        shade = np.where(past, np.float32(0.75), np.float32(1))
        shade[on_roll] = 1 + np.float32(0.10) * np.sin(2 * turn) - np.float32(0.25) * np.sin(turn) ** 4
        height_px = np.where(past, radius, np.float32(0))
        height_px[on_roll] = radius * (1 - np.cos(turn))
        return self._sheet(x, y, move, shade=shade, height_px=height_px, cover=self._cover(at), back=False)

    def back(self, x: type_plane, y: type_plane) -> Sheet:
        """The unprinted side: down the second quarter of the roll, then flat over the front."""
        at, on_roll, past, turn = self._turn(x, y)
        radius, half_turn = np.float32(self.radius_px), np.float32(np.pi * self.radius_px)
        move = np.where(past, half_turn / np.float32(2) - at, half_turn - 2 * at)
        move[on_roll] = half_turn - radius * turn - at[on_roll]
        shade = np.where(past, np.float32(0.7), 1 - np.float32(0.05) * np.clip(-at / (4 * radius), 0, 1))
        shade[on_roll] = np.float32(0.70) + np.float32(0.30) * np.maximum(0, np.cos(turn)) ** np.float32(0.6)
        height_px = np.where(past, radius, 2 * radius)
        height_px[on_roll] = radius * (1 + np.cos(turn))
        return self._sheet(x, y, move, shade=shade, height_px=height_px, cover=self._cover(at), back=True)

    def _below_edge(self, beyond_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far points rolled up by `beyond_px` lie short of the roll's outer edge."""
        half_turn = np.pi * self.radius_px
        at = np.where(beyond_px < half_turn, self.radius_px * np.sin(beyond_px / self.radius_px), half_turn - beyond_px)
        return np.asarray(self.radius_px - at, dtype=np.float64)

    def _turn(
        self, x: type_plane, y: type_plane
    ) -> tuple[type_plane, NDArray[np.bool_], NDArray[np.bool_], type_plane]:
        """How far pixels lie across the fold line, which lie on the roll and which past it, and the angles on it."""
        dx, dy = (np.float32(value) for value in self.direction)
        at = (x - np.float32(self.origin_px[0])) * dx + (y - np.float32(self.origin_px[1])) * dy
        past = at >= np.float32(self.radius_px)
        on_roll = (at > 0) & ~past
        return at, on_roll, past, np.arcsin(at[on_roll] / np.float32(self.radius_px))

    def _cover(self, at: type_plane) -> type_plane:
        """The edge of the roll cuts through pixels; half a pixel beyond it still shows the edge."""
        return np.asarray(np.clip(np.float32(self.radius_px + 0.5) - at, 0, 1), dtype=np.float32)

    def _sheet(
        self, x: type_plane, y: type_plane, move: Any, *, shade: Any, height_px: Any, cover: type_plane, back: bool
    ) -> Sheet:
        dx, dy = (np.float32(value) for value in self.direction)
        return Sheet(_plane(x + move * dx), _plane(y + move * dy), _plane(shade), _plane(height_px), cover, back)


def _plane(values: Any) -> type_plane:
    return np.asarray(values, dtype=np.float32)
