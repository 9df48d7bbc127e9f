"""Drawn artwork and its exact alpha.

Everything is rendered at SUPERSAMPLING times its size and averaged down with premultiplied colour, so that alpha is
the share of each pixel that the shape covers, to a level or so; the rounded RGBA is then the truth by definition.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import resvg_py
from numpy.typing import NDArray
from PIL import Image

SUPERSAMPLING: Final = 3
FINE_SIDE_PX: Final = 5_000
"""How long the longer side of art is rendered to tell its outline, if that is within MOST_FINER of its pixels."""
MOST_FINER: Final = 48

type_rgba = NDArray[np.uint8]
type_box = tuple[int, int, int, int]
type_finish = Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class FineAlpha:
    """Alpha of a part of an artwork, finer than its pixels.

    Attributes:
        levels: Its levels, of shape (height, width).
        finer: How many of them go along a pixel's side.
        corner_px: The part's left and top in the artwork's pixels.
    """

    levels: NDArray[np.uint8]
    finer: int
    corner_px: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Drawing:
    """An artwork as it is drawn.

    Attributes:
        name: Short and stable: seeds and halves hang on it.
        width_px: Width of the canvas and of the SVG's user space.
        height_px: Height of both.
        body: SVG elements.
        finish: What pixels add that paths cannot, such as texture: premultiplied RGBA levels at SUPERSAMPLING times
            the size in, the same out.
    """

    name: str
    width_px: int
    height_px: int
    body: str
    finish: type_finish | None = None

    def render(self) -> type_rgba:
        """Straight RGBA of shape (height_px, width_px, 4); colour is 0 where alpha is."""
        fine = _premultiplied(_rendered(self.body, (0, 0, self.width_px, self.height_px), SUPERSAMPLING))
        if self.finish is not None:
            fine = self.finish(fine, generator_for(self.name))
        size = (self.width_px, self.height_px)
        return _straight(np.asarray(cv2.resize(fine, size, interpolation=cv2.INTER_AREA), dtype=np.float32))

    def fine_alpha(self, box: type_box) -> FineAlpha:
        """The alpha of a part of the canvas as it was before it became pixels, or the pixels' own.

        Paths are rendered many times as fine as the artwork. A finish makes detail finer than a pixel, which is art
        only where it covers half of one.

        Args:
            box: The part, as left, top, width and height in pixels.
        """
        left, top, width, height = box
        if self.finish is not None:
            return FineAlpha(self.render()[top : top + height, left : left + width, 3], 1, (left, top))
        finer = min(MOST_FINER, max(SUPERSAMPLING, FINE_SIDE_PX // max(width, height)))
        return FineAlpha(_rendered(self.body, box, finer)[..., 3], finer, (left, top))


def generator_for(*names: str) -> np.random.Generator:
    """A random generator that depends on the names alone."""
    digest = hashlib.sha256("/".join(names).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8]))


def _rendered(body: str, box: type_box, finer: int) -> type_rgba:
    view = " ".join(str(number) for number in box)
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}">{body}</svg>'
    png = resvg_py.svg_to_bytes(svg_string=svg, width=box[2] * finer, skip_system_fonts=True)
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def _premultiplied(rgba: type_rgba) -> NDArray[np.float32]:
    levels = rgba.astype(np.float32)
    levels[..., :3] *= levels[..., 3:] / 255
    return levels


def _straight(premultiplied: NDArray[np.float32]) -> type_rgba:
    alpha = np.rint(premultiplied[..., 3:])
    share = np.maximum(premultiplied[..., 3:], 1e-3) / 255
    rgba = np.concatenate([np.where(alpha > 0, premultiplied[..., :3] / share, 0), alpha], axis=2)
    return np.asarray(np.clip(np.rint(rgba), 0, 255), dtype=np.uint8)
