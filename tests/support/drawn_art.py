"""Art whose outline is known exactly: polygons in pixels, drawn with antialiasing."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from shapely import MultiPolygon, Point, Polygon, box

from cutline.domain.outputs import CutoutMethod
from cutline.imaging.model import Artwork, Cutout
from cutline.imaging.shapes import polygons_of

CANVAS_PX: Final = 800
_FINER: Final = 8
ORANGE: Final = (240, 120, 40)


def disc() -> MultiPolygon:
    """A disc in the middle of the canvas."""
    return MultiPolygon([Point(400, 400).buffer(300, quad_segs=180)])


def off_centre_l() -> MultiPolygon:
    """An L in the upper left part of the canvas."""
    return MultiPolygon([Polygon([(60, 40), (220, 40), (220, 360), (480, 360), (480, 520), (60, 520)])])


def star() -> MultiPolygon:
    """A five-pointed star."""
    angles = np.arange(10) * np.pi / 5
    radii = np.where(np.arange(10) % 2, 140, 360)
    points = np.stack([400 + radii * np.sin(angles), 420 - radii * np.cos(angles)], axis=1)
    return MultiPolygon([Polygon(points)])


def ring() -> MultiPolygon:
    """A disc with a round hole."""
    return holed_disc(150)


def holed_disc(hole_px: float) -> MultiPolygon:
    """A disc with a round hole of that radius in its middle."""
    middle = Point(400, 400)
    return polygons_of(middle.buffer(300, quad_segs=90).difference(middle.buffer(hole_px)))


def discs(*centres_and_radii: tuple[float, float, float]) -> MultiPolygon:
    """Separate discs, each given as x, y and radius in pixels."""
    return MultiPolygon([Point(x, y).buffer(radius, quad_segs=60) for x, y, radius in centres_and_radii])


def bar(width_px: float, height_px: float) -> MultiPolygon:
    """An upright rectangle in the middle of the canvas."""
    middle = CANVAS_PX / 2
    return MultiPolygon(
        [box(middle - width_px / 2, middle - height_px / 2, middle + width_px / 2, middle + height_px / 2)]
    )


def drawn(shape: MultiPolygon, *, canvas_px: int = CANVAS_PX, rgb: tuple[int, int, int] = ORANGE) -> NDArray[np.uint8]:
    """RGBA pixels of a shape in one colour, each alpha being the share of the pixel that is covered."""
    mask = Image.new("L", (canvas_px * _FINER, canvas_px * _FINER))
    pen = ImageDraw.Draw(mask)
    for part in shape.geoms:
        pen.polygon(_finer(part.exterior.coords), fill=255)
        for hole in part.interiors:
            pen.polygon(_finer(hole.coords), fill=0)
    rgba = np.empty((canvas_px, canvas_px, 4), np.uint8)
    rgba[..., :3] = rgb
    rgba[..., 3] = np.asarray(mask.reduce(_FINER))
    return rgba


def _finer(points: object) -> list[tuple[float, float]]:
    # Pillow's polygon points are pixel centres.
    return [(x * _FINER - 0.5, y * _FINER - 0.5) for x, y, *_ in points]  # type: ignore[attr-defined]


def cutout_of(rgba: NDArray[np.uint8], **changes: object) -> Cutout:
    """The cutout as the ALPHA method gives it."""
    values: dict[str, object] = {
        "rgba": rgba,
        "method": CutoutMethod.ALPHA,
        "confidence": 1.0,
        "subject_is_everything": False,
    }
    return Cutout(**(values | changes))  # type: ignore[arg-type]


def artwork_of(rgba: NDArray[np.uint8], *, vector: bool = False) -> Artwork:
    """The artwork these pixels came from."""
    return Artwork(rgba=rgba, media_type="image/png", has_alpha=True, vector=vector)
