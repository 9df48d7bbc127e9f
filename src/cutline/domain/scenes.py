"""The ids of the built-in mockup scenes; cutline.mockups holds what they show, and a test holds the two together."""

from __future__ import annotations

from typing import Final

SCENE_IDS: Final = ("bottle", "laptop", "notebook", "peel")
