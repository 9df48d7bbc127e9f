"""How a flat sticker bends over what it sticks to.

A bend works on the flat picture: where the sticker would appear if it lay flat, in pixels. `bend` carries points from
there to the picture; `sheets` goes back from every pixel of the picture, once for each layer of material seen there.
"""

from __future__ import annotations

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


class Bend(Protocol):
    """A surface that is not flat, or a sticker that does not lie flat."""

    def bend(self, points_px: type_points) -> type_points:
        """Points (n, 2) of the flat picture, in the picture; of two places the upper one."""
        ...

    def sheets(self, x: type_plane, y: type_plane) -> tuple[Sheet, ...]:
        """Layers seen at the pixel centres x, y, the lowest first."""
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

    def sheets(self, x: type_plane, y: type_plane) -> tuple[Sheet, ...]:
        """Unwraps the half of the cylinder that is seen."""
        sine = (x - np.float32(self.axis_px)) / np.float32(self.radius_px)
        seen = np.abs(sine) < 1
        sine = np.clip(sine, -1, 1)
        angle, cosine = np.arcsin(sine), np.sqrt(1 - sine**2)
        sag_px = np.float32(self.radius_px * np.sin(np.radians(self.tilt_deg))) * (cosine - 1)
        flat_x = np.where(seen, np.float32(self.axis_px) + np.float32(self.radius_px) * angle, _NOWHERE)
        return (Sheet(flat_x, y - sag_px, np.ones_like(x), np.zeros_like(x), np.ones_like(x)),)


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

    def sheets(self, x: type_plane, y: type_plane) -> tuple[Sheet, ...]:
        """The front, and over it the back of what is rolled up."""
        dx, dy = (np.float32(value) for value in self.direction)
        radius, half_turn = np.float32(self.radius_px), np.float32(np.pi * self.radius_px)
        at = (x - np.float32(self.origin_px[0])) * dx + (y - np.float32(self.origin_px[1])) * dy
        on_roll = (at > 0) & (at < radius)
        turn = np.arcsin(at[on_roll] / radius)  # only a narrow band of the picture needs angles
        # The edge of the roll cuts through pixels; half a pixel beyond it still shows the edge.
        cover = np.clip(radius + np.float32(0.5) - at, 0, 1)
        past = at >= radius
        front_move = np.where(past, half_turn / np.float32(2) - at, np.float32(0))
        front_move[on_roll] = radius * turn - at[on_roll]
        front_shade, front_height_px = np.where(past, np.float32(0.75), np.float32(1)), np.where(past, radius, 0)
        front_shade[on_roll] = 1 + np.float32(0.10) * np.sin(2 * turn) - np.float32(0.25) * np.sin(turn) ** 4
        front_height_px[on_roll] = radius * (1 - np.cos(turn))
        back_move = np.where(past, half_turn / np.float32(2) - at, half_turn - 2 * at)
        back_move[on_roll] = half_turn - radius * turn - at[on_roll]
        back_shade = np.where(past, np.float32(0.7), 1 - np.float32(0.05) * np.clip(-at / (4 * radius), 0, 1))
        back_shade[on_roll] = np.float32(0.70) + np.float32(0.30) * np.maximum(0, np.cos(turn)) ** np.float32(0.6)
        back_height_px = np.where(past, radius, 2 * radius)
        back_height_px[on_roll] = radius * (1 + np.cos(turn))
        front_x, front_y = _plane(x + front_move * dx), _plane(y + front_move * dy)
        back_x, back_y = _plane(x + back_move * dx), _plane(y + back_move * dy)
        return (
            Sheet(front_x, front_y, _plane(front_shade), _plane(front_height_px), _plane(cover)),
            Sheet(back_x, back_y, _plane(back_shade), _plane(back_height_px), _plane(cover), back=True),
        )


def _plane(values: Any) -> type_plane:
    return np.asarray(values, dtype=np.float32)
