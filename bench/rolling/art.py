"""What is submitted, a number telling one artwork from another."""

from __future__ import annotations

import colorsys
import io
from collections.abc import Callable
from typing import Final

from PIL import Image, ImageDraw

from bench.faults.orders import Order

Art = Callable[[int], bytes]
"""Gives the artwork of a number."""

LONG_EACH: Final = 25
LONG_HOLD_S: Final = 2.0
"""One of so many orders keeps its worker for so long, so that every worker that stops has running work."""
_SIDE_PX: Final = 120


def order(number: int) -> bytes:
    """An order for work without pixels."""
    return Order(number, hold_s=0.0 if number % LONG_EACH else LONG_HOLD_S).encode()


def disc(number: int) -> bytes:
    """A disc of a colour of its own on white, for the real pipeline."""
    red, green, blue = (round(255 * share) for share in colorsys.hsv_to_rgb(number * 0.618 % 1, 0.8, 0.9))
    picture = Image.new("RGB", (_SIDE_PX, _SIDE_PX), "white")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((20, 20, _SIDE_PX - 20, _SIDE_PX - 20), fill=(red, green, blue))
    draw.point((_SIDE_PX // 2, _SIDE_PX // 2), fill=(number % 256, number // 256 % 256, 0))  # no two are the same
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
