"""Where a sticker lies in a scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cutline.domain.outputs import BoxMm
from cutline.mockups.bends import Bend, Curl, Cylinder, type_points
from cutline.mockups.camera import apply_homography, type_matrix
from cutline.mockups.scene import Scene
from cutline.mockups.sticker import StickerArt


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """The way from a sticker to its picture.

    Attributes:
        scale: mm shown for each mm of the sticker: 1 at true size, less where it is too large for the scene.
        px_per_mm: Pixels of the picture for each mm of the sticker, at the sticker's middle.
        homography: 3x3, from the sticker's trim frame in mm to the flat picture in pixels (the top left corner of the
            picture is 0, 0). Without a bend the flat picture is the picture.
        bend: How the flat picture bends, if it does.
    """

    scale: float
    px_per_mm: float
    homography: type_matrix
    bend: Bend | None = None

    def to_px(self, points_mm: type_points) -> type_points:
        """Points (n, 2) of the trim frame in mm, in pixels of the picture."""
        flat_px = apply_homography(self.homography, points_mm)
        return flat_px if self.bend is None else self.bend.bend(flat_px)


def placement(scene: Scene, sticker: StickerArt) -> Placement:
    """Puts the middle of the sticker's cut box on the scene's place for it."""
    if scene.surface.kind == "plane":
        return _on_plane(scene, sticker.cut_box)
    if scene.surface.kind == "cylinder":
        return _on_cylinder(scene, sticker.cut_box)
    return _as_sheet(scene, sticker)


def _true_scale(fits_mm: tuple[float, float], box: BoxMm) -> float:
    return min(1.0, fits_mm[0] / box.width_mm, fits_mm[1] / box.height_mm)


def _centred(box: BoxMm, scale: float) -> type_matrix:
    """From the trim frame to mm (or px) around the middle of the cut box."""
    middle_x, middle_y = box.x_mm + box.width_mm / 2, box.y_mm + box.height_mm / 2
    return np.array([[scale, 0, -scale * middle_x], [0, scale, -scale * middle_y], [0, 0, 1]])


def _on_plane(scene: Scene, box: BoxMm) -> Placement:
    surface = scene.surface
    scale = _true_scale(surface.fits_mm, box)
    plane = scene.camera.plane(surface.z_mm, centre_mm=surface.centre_mm, rotation_deg=surface.rotation_deg)
    return Placement(scale, scale * scene.camera.px_per_mm, plane @ _centred(box, scale))


def _on_cylinder(scene: Scene, box: BoxMm) -> Placement:
    surface, camera = scene.surface, scene.camera
    scale = _true_scale(surface.fits_mm, box)
    px_per_mm = scale * camera.px_per_mm
    # Seen from above by the camera's pitch, heights on the upright wall shorten by its cosine.
    upright = np.cos(np.radians(camera.pitch_deg))
    to_picture = np.array([[1, 0, surface.centre_px[0]], [0, upright, surface.centre_px[1]], [0, 0, 1]])
    wrap = Cylinder(surface.centre_px[0], surface.radius_mm * camera.px_per_mm, camera.pitch_deg)
    return Placement(scale, px_per_mm, to_picture @ _centred(box, px_per_mm), wrap)


def _as_sheet(scene: Scene, sticker: StickerArt) -> Placement:
    surface, box = scene.surface, sticker.cut_box
    longer_px = surface.share * min(scene.size_px)
    px_per_mm = longer_px / max(box.width_mm, box.height_mm)
    turn = np.radians(surface.rotation_deg)
    to_picture = np.array(
        [
            [np.cos(turn), -np.sin(turn), surface.centre_px[0]],
            [np.sin(turn), np.cos(turn), surface.centre_px[1]],
            [0, 0, 1],
        ]
    )
    homography = to_picture @ _centred(box, px_per_mm)
    direction = np.array([np.cos(np.radians(surface.curl_deg)), np.sin(np.radians(surface.curl_deg))])
    outline_px = np.concatenate([apply_homography(homography, polygon) for polygon in sticker.outlines_mm])
    reach = (outline_px - np.array(surface.centre_px)) @ direction
    fold = float(reach.max()) - surface.curl * float(reach.max() - reach.min())
    origin = np.array(surface.centre_px) + fold * direction
    curl = Curl(
        (float(origin[0]), float(origin[1])), (float(direction[0]), float(direction[1])), surface.roll * longer_px
    )
    return Placement(px_per_mm / scene.camera.px_per_mm, px_per_mm, homography, curl)
