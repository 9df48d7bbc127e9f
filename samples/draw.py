"""Draws the sample artworks: `python -m samples.draw` writes samples/artworks/ anew.

Everything is drawn by this project and seeded, so the same code gives the same pictures.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import resvg_py
from numpy.typing import NDArray
from PIL import Image

from cutline.mockups.materials import noise, rgb
from samples import characters

FOLDER: Final = Path(__file__).parent / "artworks"
_CANVAS: Final = 1600


def _rendered(body: str, side_px: int, background: str | None = None) -> Image.Image:
    """An SVG body of 1600 units as a square RGBA picture."""
    ground = f'<rect width="{_CANVAS}" height="{_CANVAS}" fill="{background}"/>' if background else ""
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_CANVAS} {_CANVAS}">{ground}{body}</svg>'
    png = resvg_py.svg_to_bytes(svg_string=svg, width=side_px, skip_system_fonts=True)
    return Image.open(io.BytesIO(png)).convert("RGBA")


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def _on(body: str, side_px: int, background: str) -> bytes:
    return _png(_rendered(body, side_px, background).convert("RGB"))


def _clear(body: str, side_px: int) -> bytes:
    return _png(_rendered(body, side_px))


def _whale() -> bytes:
    """The whale over a sky that goes smoothly from one colour to another."""
    gradient = (
        '<defs><linearGradient id="sky" x1="0" y1="0" x2=".35" y2="1"><stop offset="0" stop-color="#ffe3c4"/>'
        '<stop offset="1" stop-color="#ff9fb2"/></linearGradient></defs>'
        f'<rect width="{_CANVAS}" height="{_CANVAS}" fill="url(#sky)"/>'
    )
    return _png(_rendered(gradient + characters.whale(), 1500).convert("RGB"))


def _toadstool() -> bytes:
    """The toadstool on a forest floor that looks photographed: litter, moss, depth of field, grain; a JPEG."""
    side = 1600
    rng = np.random.default_rng(5)
    floor = _forest_floor(rng, side)
    subject = np.asarray(_rendered(characters.toadstool(), side), dtype=np.float32)
    alpha = subject[:, :, 3:] / 255
    # The stem's foot sinks into the moss and the cap shades the ground.
    squashed = cv2.warpAffine(alpha[:, :, 0], np.array([[0.9, 0, 210], [0, 0.34, 980]]), (side, side))
    shade = cv2.GaussianBlur(squashed, (0, 0), 34)
    floor *= 1 - 0.6 * shade[:, :, None]
    skin = 1 + 0.03 * noise(rng, (side, side), (5, 5), 2) + 0.04 * noise(rng, (side, side), (90, 60), 3)
    picture = floor * (1 - alpha) + subject[:, :, :3] * skin[:, :, None] * alpha
    picture += 2.5 * rng.standard_normal((side, side, 1))
    file = io.BytesIO()
    Image.fromarray(np.clip(np.rint(picture), 0, 255).astype(np.uint8)).save(file, "JPEG", quality=86)
    return file.getvalue()


def _forest_floor(rng: np.random.Generator, side: int) -> NDArray[np.float32]:
    """Moss and fallen leaves, sharp in front and soft behind."""
    moss = 0.5 + 0.2 * noise(rng, (side, side), (180, 120), 5) + 0.10 * noise(rng, (side, side), (9, 9), 2)
    dark, green = np.array(rgb("#1d2a14"), np.float32), np.array(rgb("#5f7d33"), np.float32)
    floor = dark + np.clip(moss, 0, 1)[:, :, None] * (green - dark)
    browns = [np.array(rgb(color)) for color in ("#6b4a2b", "#8a6136", "#54371f", "#9a7440", "#473021")]
    for row in np.sort(rng.uniform(0, side * 1.05, 620)):
        size = 18 + 46 * row / side
        centre = (rng.uniform(0, side), row)
        _leaf(floor, centre, size, rng.uniform(0, 360), browns[int(rng.integers(len(browns)))] * rng.uniform(0.55, 1.1))
    far = np.clip((0.75 - np.linspace(0, 1, side)) / 0.75, 0, 1)[:, None, None].astype(np.float32)
    soft = cv2.GaussianBlur(floor, (0, 0), 14)
    softer = cv2.GaussianBlur(floor, (0, 0), 34)
    floor = floor * (1 - far) + (soft * (1 - far) + softer * far) * far
    light = 1.05 - 0.5 * np.linspace(1, 0, side)[:, None] + 0.16 * noise(rng, (side, side), (420, 320), 2)
    return np.asarray(floor * light[:, :, None], dtype=np.float32)


def _leaf(
    floor: NDArray[np.float32], centre: tuple[float, float], size: float, turn: float, color: NDArray[np.float64]
) -> None:
    """One fallen leaf with its shadow and its rib."""
    t = np.linspace(0, np.pi, 14)
    half = np.column_stack([-np.cos(t), 0.42 * np.sin(t) ** 1.3])
    outline = np.concatenate([half, half[::-1] * (1, -1)]) * size
    angle = np.radians(turn)
    spin = np.array([[np.cos(angle), np.sin(angle)], [-0.55 * np.sin(angle), 0.55 * np.cos(angle)]])
    points = outline @ spin.T + centre
    drawn = np.rint(points * 16).astype(np.int32)
    cv2.fillPoly(floor, [drawn + 80], (14.0, 16.0, 9.0), cv2.LINE_AA, 4)
    cv2.fillPoly(floor, [drawn], tuple(float(value) for value in color), cv2.LINE_AA, 4)
    rib = np.rint((np.array([[-size, 0], [size, 0]]) @ spin.T + centre) * 16).astype(np.int32)
    cv2.polylines(floor, [rib], False, tuple(float(value) * 0.7 for value in color), 2, cv2.LINE_AA, 4)  # noqa: FBT003


ARTWORKS: Final[dict[str, Callable[[], bytes]]] = {
    "fox.png": lambda: _on(characters.fox(), 1600, "#ffffff"),
    "cactus.png": lambda: _clear(characters.cactus(), 1600),
    "robot.png": lambda: _on(characters.robot(), 1500, "#ffffff"),
    "donut.png": lambda: _on(characters.donut(), 1500, "#ffffff"),
    "stars.png": lambda: _clear(characters.stars(), 1500),
    "ghost.png": lambda: _on(characters.ghost(), 1400, "#ffffff"),
    "whale.png": _whale,
    "toadstool.jpg": _toadstool,
}


def draw(name: str) -> bytes:
    """The file of one artwork."""
    return ARTWORKS[name]()


def main() -> None:
    """Draws every artwork into samples/artworks."""
    FOLDER.mkdir(exist_ok=True)
    for name in ARTWORKS:
        data = draw(name)
        (FOLDER / name).write_bytes(data)
        print(f"{name}: {len(data) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
