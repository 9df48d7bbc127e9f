"""What runs in the slot's process: the pure mockup engine, and nothing of the service around it."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

import cv2

from cutline.imaging.model import StepObserver
from cutline.mockups import StickerArt, load_scene, render_mockup, scene_ids, warm


@dataclass(frozen=True, slots=True)
class Picture:
    """A mockup whose bytes travel beside it; `sha256` is 32 bytes."""

    scene: str
    media_type: str
    width_px: int
    height_px: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Rendering:
    """What was rendered, and the scenes that failed with their tracebacks."""

    pictures: tuple[Picture, ...]
    failures: tuple[tuple[str, str], ...]


def warm_up(threads: int) -> None:
    """Paints every scene, so that no job waits for one."""
    cv2.setNumThreads(threads)
    warm()


def render_scenes(
    observe: StepObserver, buffers: Sequence[bytes], scenes: tuple[str, ...] | None
) -> tuple[Rendering, list[bytes]]:
    """Renders a sticker, given as its cutout PNG and report JSON, in scenes; None means every one.

    A scene that fails leaves the others alone.

    Raises:
        InvalidInputError: The sticker's files cannot be read.
    """
    wanted = scene_ids() if scenes is None else scenes
    with observe("read_sticker", 0.0):
        sticker = StickerArt.from_files(buffers[0], buffers[1])
    pictures, files, failures = [], [], []
    for number, scene in enumerate(wanted):
        with observe(f"scene_{scene}", (number + 1) / (len(wanted) + 1)):
            try:
                mockup = render_mockup(load_scene(scene), sticker)
            except MemoryError:
                raise
            except Exception:  # noqa: BLE001  (whatever it is, the other scenes and the print files are sound)
                failures.append((scene, traceback.format_exc()))
                continue
            digest = hashlib.sha256(mockup.data).digest()
        pictures.append(Picture(scene, mockup.media_type, mockup.width_px, mockup.height_px, digest))
        files.append(mockup.data)
    return Rendering(tuple(pictures), tuple(failures)), files
