"""The artworks that are measured, drawn at full size from vector shapes; seeded, so that they are always the same."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
import resvg_py
from numpy.typing import NDArray
from PIL import Image

from bench.quality.drawing import generator_for, type_rgba
from bench.quality.noise import fractal_noise
from bench.quality.photo_like import PHOTO_LIKE
from bench.stages.cases import FileFormat, Look, Upload
from cutline.domain.outputs import CutoutMethod

_PETALS: Final = "".join(
    f'<ellipse cx="800" cy="430" rx="150" ry="260" fill="hsl({turn * 45},75%,60%)" stroke="#222222" stroke-width="22"'
    f' transform="rotate({turn * 45} 800 800)"/>'
    for turn in range(8)
)
_FLOWER: Final = f'{_PETALS}<circle cx="800" cy="800" r="240" fill="#ffd24d" stroke="#222222" stroke-width="22"/>'
_PEAR: Final = """
<path d="M800 180C1000 180 1000 480 1080 640C1240 860 1300 1020 1200 1220C1080 1440 520 1440 400 1220
 C300 1020 360 860 520 640C600 480 600 180 800 180Z" fill="#c86a3a"/>
<path d="M800 200Q790 110 860 40L890 60Q830 120 835 200Z" fill="#6a3a2a"/>
<path d="M850 150Q1000 20 1180 110Q1050 240 850 150Z" fill="#b8402a"/>
"""
_BODIES: Final = {Look.FLAT: _FLOWER, Look.PHOTO: _PEAR}
_BEHIND: Final = "foliage"
_JPEG_QUALITY: Final = 90
_GRAIN: Final = 3.0
"""Levels of noise, as a camera's sensor leaves it."""
_LARGEST_BEHIND_PX: Final = 1000


def draw(upload: Upload) -> bytes:
    """The artwork as a file: with its alpha, on white, or on something like a photograph."""
    art = _with_texture(_drawn(upload), upload)
    if upload.route is CutoutMethod.ALPHA:
        return _encoded(art, FileFormat.PNG)
    if upload.route is CutoutMethod.FLAT:
        return _encoded(_over(art, np.full(3, 255, np.float32)), upload.file_format)
    return _encoded(_over(art, _behind(upload)), upload.file_format)


def _drawn(upload: Upload) -> type_rgba:
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1600 1600">{_BODIES[upload.look]}</svg>'
    png = resvg_py.svg_to_bytes(svg_string=svg, width=upload.side_px, skip_system_fonts=True)
    return np.array(Image.open(io.BytesIO(png)).convert("RGBA"))


def _with_texture(art: type_rgba, upload: Upload) -> type_rgba:
    """Photo-like art with stains of every size and grain; flat art as it is. Colour is 0 where alpha is."""
    if upload.look is Look.PHOTO:
        rng = generator_for("stages", upload.look.value)
        shape = art.shape[:2]
        shade = 1 + 0.12 * fractal_noise(rng, shape, upload.side_px / 8, 6)
        for channel in range(3):
            grain = _GRAIN * rng.standard_normal(shape, np.float32)
            art[..., channel] = np.clip(np.rint(art[..., channel] * shade + grain), 0, 255)
    art[art[..., 3] == 0] = 0
    return art


def _over(art: type_rgba, behind: NDArray[np.float32]) -> NDArray[np.uint8]:
    share = art[..., 3:].astype(np.float32) / 255
    return np.asarray(np.rint(art[..., :3] * share + behind * (1 - share)), np.uint8)


def _behind(upload: Upload) -> NDArray[np.float32]:
    """Drawn at moderate size and enlarged, as out of focus as a background is, with the camera's grain over it."""
    side_px = min(upload.side_px, _LARGEST_BEHIND_PX)
    rng = generator_for("stages", _BEHIND)
    small = Image.fromarray(PHOTO_LIKE[_BEHIND](side_px, side_px, rng))
    large = np.asarray(small.resize((upload.side_px, upload.side_px), Image.Resampling.BICUBIC), np.float32)
    return np.clip(large + _GRAIN * rng.standard_normal(large.shape, np.float32), 0, 255)


def _encoded(pixels: NDArray[np.uint8], file_format: FileFormat) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, file_format.value, quality=_JPEG_QUALITY, compress_level=6)
    return file.getvalue()
