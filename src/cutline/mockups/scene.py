"""Scenes: data in scenes/<id>/scene.toml, painted once a process and kept."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from cutline.domain.errors import FieldViolation, InvalidInputError, Reason
from cutline.mockups.camera import Camera
from cutline.mockups.canvas import Canvas
from cutline.mockups.painters import Studio, paint

_TEXTURE_PX_PER_MM: Final = 4.0
"""Grain of the materials in a scene that shows no true size."""


@dataclass(frozen=True, slots=True)
class Surface:
    """What the sticker sticks to.

    Attributes:
        kind: "plane" lies in the camera's world, "cylinder" stands upright, "sheet" faces the viewer and curls up.
        fits_mm: Width and height of the largest sticker; larger ones are shown smaller. Not read for "sheet".
        centre_mm: World x and y of the sticker's middle (plane).
        z_mm: Height of the plane above the table.
        rotation_deg: Turn of the sticker, clockwise.
        centre_px: Where the sticker's middle lies (cylinder, sheet).
        radius_mm: Radius of the cylinder.
        share: Longer side of the sticker as a share of the picture's shorter side (sheet).
        curl_deg: Direction of the curled corner, clockwise from the right.
        curl: How much of the sticker is rolled up, as a share of its reach in that direction.
        roll: Radius of the roll, as a share of the sticker's longer side.
    """

    kind: Literal["plane", "cylinder", "sheet"]
    fits_mm: tuple[float, float] = (0, 0)
    centre_mm: tuple[float, float] = (0, 0)
    z_mm: float = 0
    rotation_deg: float = 0
    centre_px: tuple[float, float] = (0, 0)
    radius_mm: float = 0
    share: float = 0.6
    curl_deg: float = 0
    curl: float = 0
    roll: float = 0


@dataclass(frozen=True, slots=True)
class Finish:
    """How the sticker meets the light.

    Attributes:
        shadow_px: Where its soft shadow falls.
        shadow_blur_px: Softness (standard deviation) of that shadow.
        shadow: Its depth, 0 to 1.
        contact_px: Softness of the tight shadow all around the edge.
        contact: Its depth.
        edge_px: Thickness of the sheet as seen, towards the shadow.
        rim: Brightness of the edge that faces the light.
        gloss: How much of the scene's highlights the laminate shows.
    """

    shadow_px: tuple[float, float] = (2.0, 3.0)
    shadow_blur_px: float = 5.0
    shadow: float = 0.4
    contact_px: float = 1.6
    contact: float = 0.35
    edge_px: float = 1.0
    rim: float = 0.10
    gloss: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A painted scene, ready for stickers. Treat its arrays as constants: every mockup of the process shares them.

    Attributes:
        id: Name in a spec.
        title: Name for people.
        px_per_mm: Scale at the sticker's middle, where the scene shows true size.
        camera: Where the viewer is.
        surface: What the sticker sticks to.
        finish: How the sticker meets the light.
        backdrop: uint8 RGB of shape (height_px, width_px, 3).
        light: Light that falls on a sticker, float16 of the same shape; 1 is full.
        gloss: Highlights on a sticker, float16 of shape (height_px, width_px); 1 is white.
    """

    id: str
    title: str
    px_per_mm: float | None
    camera: Camera
    surface: Surface
    finish: Finish
    backdrop: NDArray[np.uint8]
    light: NDArray[np.float16]
    gloss: NDArray[np.float16]

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the picture."""
        return self.backdrop.shape[1], self.backdrop.shape[0]


@cache
def scene_ids() -> tuple[str, ...]:
    """Every built-in scene's id, sorted."""
    return tuple(sorted(entry.name for entry in _folder().iterdir() if (entry / "scene.toml").is_file()))


def load_scene(scene_id: str) -> Scene:
    """The scene of that id; painted at the first call in a process.

    Raises:
        InvalidInputError: There is none (SCENE_UNKNOWN).
    """
    if scene_id not in scene_ids():
        known = ", ".join(scene_ids())
        message = f"mockups.scenes: {scene_id[:63]!r} is not one of {known}"
        violation = FieldViolation("mockups.scenes", f"{scene_id[:63]!r} is not one of {known}", Reason.SCENE_UNKNOWN)
        raise InvalidInputError(
            Reason.SCENE_UNKNOWN, message, metadata={"scene": scene_id[:63], "known": known}, violations=(violation,)
        )
    return _painted(scene_id)


def warm() -> None:
    """Paints every scene, so that no mockup waits for one."""
    for scene_id in scene_ids():
        load_scene(scene_id)


def _folder() -> Traversable:
    return resources.files("cutline.mockups") / "scenes"


@cache
def _painted(scene_id: str) -> Scene:
    folder = _folder() / scene_id
    data: dict[str, Any] = tomllib.loads((folder / "scene.toml").read_text("utf-8"))
    width, height = data["size_px"]
    px_per_mm = data.get("px_per_mm")
    camera = Camera(px_per_mm=px_per_mm or _TEXTURE_PX_PER_MM, **data["camera"])
    canvas = Canvas.blank((width, height))
    studio = Studio(canvas, camera, folder)
    for layer in data["layers"]:
        paint(studio, layer)
    return Scene(
        id=scene_id,
        title=data["title"],
        px_per_mm=px_per_mm,
        camera=camera,
        surface=Surface(**data["surface"]),
        finish=Finish(**data.get("finish", {})),
        backdrop=canvas.lit(seed=data["seed"]),
        light=canvas.light.astype(np.float16),
        gloss=canvas.gloss.astype(np.float16),
    )
