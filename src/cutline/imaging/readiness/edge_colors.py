"""What colours lie along an edge, and where the longest stretch of it is that somebody asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon

from cutline.imaging.model import type_rgba

_EVERY_PX: Final = 3.0
_INSIDE_PX: Final = 2.0
"""How far inside the edge a colour is taken, where antialiasing does not reach."""


@dataclass(frozen=True, slots=True)
class EdgeSamples:
    """Samples along the outer edges of a shape.

    Attributes:
        points_px: Where they are, of shape (n, 2), ring after ring.
        rgba: Their pixels, of shape (n, 4).
        ring: The index of each sample's ring, of shape (n,).
    """

    points_px: NDArray[np.float64]
    rgba: NDArray[np.uint8]
    ring: NDArray[np.intp]

    @classmethod
    def along(cls, shape_px: MultiPolygon, rgba: type_rgba) -> EdgeSamples:
        """Samples two pixels inside the outer rings of a shape in pixel coordinates, where the canvas has any."""
        found, rings = [np.empty((0, 2))], [np.empty(0, np.intp)]
        for index, part in enumerate(shape_px.geoms):
            ring = np.array(part.exterior.segmentize(_EVERY_PX).coords)[:, :2]
            along = np.diff(ring, axis=0)
            normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
            normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
            inward = normal if shapely.is_ccw(part.exterior) else -normal
            found.append((ring[:-1] + ring[1:]) / 2 + _INSIDE_PX * inward)
            rings.append(np.full(len(along), index))
        points, ring_of = np.concatenate(found), np.concatenate(rings)
        height, width = rgba.shape[:2]
        cells = np.floor(points).astype(int)
        inside = (cells >= 0).all(axis=1) & (cells[:, 0] < width) & (cells[:, 1] < height)
        pixels = rgba[cells[inside, 1], cells[inside, 0]]
        return cls(points[inside], np.asarray(pixels, np.uint8), ring_of[inside])

    def of(self, chosen: NDArray[np.bool_]) -> EdgeSamples:
        """Some of the samples."""
        return EdgeSamples(self.points_px[chosen], self.rgba[chosen], self.ring[chosen])

    def longest_run_px(self, chosen: NDArray[np.bool_]) -> tuple[float, float, float, float] | None:
        """Box (x_min, y_min, x_max, y_max) of the longest run of chosen samples along one ring; None without any."""
        best = np.empty(0, np.intp)
        for ring in np.unique(self.ring[chosen]):
            members = np.flatnonzero(self.ring == ring)
            if not chosen[members].all():  # a run may lie across the place where the ring begins
                members = np.roll(members, -int(np.argmin(chosen[members])))
            runs = np.split(members, np.flatnonzero(~chosen[members]))
            longest = max((run[chosen[run]] for run in runs), key=len)
            best = longest if len(longest) > len(best) else best
        if not len(best):
            return None
        (x_min, y_min), (x_max, y_max) = self.points_px[best].min(axis=0), self.points_px[best].max(axis=0)
        return float(x_min), float(y_min), float(x_max), float(y_max)
