"""The pure mockup engine: a cutout, its cut line and a scene in; a picture out. Read render.py first."""

from cutline.mockups.placement import Placement, placement
from cutline.mockups.render import Mockup, render_mockup
from cutline.mockups.scene import Scene, load_scene, scene_ids, warm
from cutline.mockups.sticker import StickerArt

__all__ = [
    "Mockup",
    "Placement",
    "Scene",
    "StickerArt",
    "load_scene",
    "placement",
    "render_mockup",
    "scene_ids",
    "warm",
]
