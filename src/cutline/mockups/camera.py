"""A pinhole camera over a table.

World frame in mm: the table is the plane z = 0, x runs to the right, y towards the viewer, z upwards. Seen from above,
x and y are the trim frame's own directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type_matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that looks at a point from a distance.

    Attributes:
        target_mm: The point it looks at, in world mm.
        target_px: Where that point appears.
        px_per_mm: Horizontal scale at that point.
        distance_mm: From the eye to that point; the shorter, the stronger the perspective.
        pitch_deg: 90 looks straight down, 0 along the table.
        yaw_deg: Turns the eye around the target; positive shows its right-hand side.
    """

    target_mm: tuple[float, float, float]
    target_px: tuple[float, float]
    px_per_mm: float
    distance_mm: float
    pitch_deg: float
    yaw_deg: float = 0.0

    def plane(self, z_mm: float, *, centre_mm: tuple[float, float] = (0, 0), rotation_deg: float = 0) -> type_matrix:
        """The homography (3x3) from mm on the plane at height `z_mm` to pixels.

        Args:
            z_mm: Height of the plane.
            centre_mm: World position of the plane frame's origin.
            rotation_deg: Turn of the plane frame, clockwise as seen.
        """
        axes, eye_mm = self._axes()
        turn = np.radians(rotation_deg)
        frame = np.array(
            [
                [np.cos(turn), -np.sin(turn), centre_mm[0] - eye_mm[0]],
                [np.sin(turn), np.cos(turn), centre_mm[1] - eye_mm[1]],
                [0, 0, z_mm - eye_mm[2]],
            ]
        )
        focal_px = self.px_per_mm * self.distance_mm
        lens = np.array([[focal_px, 0, self.target_px[0]], [0, focal_px, self.target_px[1]], [0, 0, 1]])
        matrix = np.asarray(lens @ axes @ frame, dtype=np.float64)
        return np.asarray(matrix / matrix[2, 2], dtype=np.float64)

    def _axes(self) -> tuple[type_matrix, type_matrix]:
        """Rows: the screen's right, the screen's down and the viewing direction; and the eye."""
        pitch, yaw = np.radians(self.pitch_deg), np.radians(self.yaw_deg)
        turn = np.array([[np.cos(yaw), np.sin(yaw), 0], [-np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
        right = turn @ [1, 0, 0]
        down = turn @ [0, np.sin(pitch), -np.cos(pitch)]
        forward = turn @ [0, -np.cos(pitch), -np.sin(pitch)]
        eye_mm = np.array(self.target_mm) - self.distance_mm * forward
        return np.stack([right, down, forward]), eye_mm


def apply_homography(matrix: type_matrix, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points of shape (n, 2) under a 3x3 homography."""
    mapped = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:], dtype=np.float64)


def inverse(matrix: type_matrix) -> type_matrix:
    """The homography back."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)
