"""Rectangular stickers with known measures, and how they are found again in a picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cutline.domain.outputs import BoxMm, CutPath, CutRole
from cutline.mockups import Scene, StickerArt, placement
from cutline.mockups.camera import apply_homography
from cutline.mockups.render import compose

MAGENTA = "#ff00ff"
PX_PER_MM = 8


def rectangle_path(left_mm: float, top_mm: float, right_mm: float, bottom_mm: float) -> str:
    """A rectangle as cut path data: four straight cubics."""
    corners = [(left_mm, top_mm), (right_mm, top_mm), (right_mm, bottom_mm), (left_mm, bottom_mm)]
    text = f"M {left_mm} {top_mm}"
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        text += f" C {x0} {y0} {x1} {y1} {x1} {y1}"
    return text + " Z"


def rectangle_sticker(
    width_mm: float,
    height_mm: float,
    *,
    border_mm: float = 3,
    border_color: str = "#ffffff",
    art: NDArray[np.uint8] | None = None,
    more_paths: tuple[CutPath, ...] = (),
    role: CutRole = CutRole.THROUGH,
) -> StickerArt:
    """A rectangle of art (clear unless given) inside a border; the cutout's canvas is the art's box."""
    box = BoxMm(border_mm, border_mm, width_mm - 2 * border_mm, height_mm - 2 * border_mm)
    if art is None:
        art = np.zeros((round(box.height_mm * PX_PER_MM), round(box.width_mm * PX_PER_MM), 4), dtype=np.uint8)
    outline = CutPath(role, rectangle_path(0, 0, width_mm, height_mm))
    return StickerArt(art, box, BoxMm(0, 0, width_mm, height_mm), (outline, *more_paths), border_color)


def solid(width_mm: float, height_mm: float, rgba: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Art of one colour."""
    return np.full((round(height_mm * PX_PER_MM), round(width_mm * PX_PER_MM), 4), rgba, dtype=np.uint8)


def corners_mm(sticker: StickerArt) -> NDArray[np.float64]:
    """The cut box's corners: top left, top right, bottom right, bottom left."""
    box = sticker.cut_box
    right, bottom = box.x_mm + box.width_mm, box.y_mm + box.height_mm
    return np.array([[box.x_mm, box.y_mm], [right, box.y_mm], [right, bottom], [box.x_mm, bottom]])


def magenta_mask(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Where a magenta sticker is seen: green is far below red and blue."""
    red, green, blue = (picture[:, :, channel].astype(np.int16) for channel in range(3))
    return ((np.minimum(red, blue) - green) > 60).astype(np.uint8)


def seen_corners(scene: Scene, sticker: StickerArt) -> NDArray[np.float64]:
    """Corners of a magenta rectangle as they are in the picture, in the order of corners_mm.

    Straight lines are fitted to stretches of the four sides away from the third corner, which may be curled, and
    crossed: that finds a corner to a part of a pixel however its very tip is drawn.
    """
    mask = magenta_mask(compose(scene, sticker))
    contour = max(cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=cv2.contourArea)
    points = contour[:, 0].astype(np.float64) + 0.5
    rough = apply_homography(placement(scene, sticker).homography, corners_mm(sticker))
    stretches = ((0.2, 0.8), (0.1, 0.4), (0.6, 0.9), (0.2, 0.8))
    lines = [_side(points, rough[index], rough[(index + 1) % 4], stretches[index]) for index in range(4)]
    crossed = [np.cross(lines[index - 1], lines[index]) for index in range(4)]
    return np.array([point[:2] / point[2] for point in crossed])


def _side(
    points: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64], stretch: tuple[float, float]
) -> NDArray[np.float64]:
    """The line (a, b, c) with ax + by + c = 0 through the contour points of a stretch of a side."""
    along = (points - start) @ (end - start) / ((end - start) @ (end - start))
    outwards = np.array([(end - start)[1], -(end - start)[0]]) / np.linalg.norm(end - start)
    near = (np.abs((points - start) @ outwards) < 6) & (along > stretch[0]) & (along < stretch[1])
    dx, dy, x, y = cv2.fitLine(points[near].astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01).ravel().tolist()
    # Contours run through the centres of the outermost pixels, half a pixel inside the edge.
    at = np.array([x, y]) + 0.5 * outwards
    return np.array([-dy, dx, dy * at[0] - dx * at[1]])
