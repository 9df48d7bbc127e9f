"""Art with grain, soft edges and ragged edges; what paths cannot draw, seeded noise adds."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.quality.drawing import Drawing
from bench.quality.noise import fractal_noise

type_levels = NDArray[np.float32]


def _grained(fine: type_levels, rng: np.random.Generator) -> type_levels:
    """Shades the colour by noise; alpha stays."""
    shade = 1 + 0.16 * fractal_noise(rng, fine.shape[:2], 60, 5)
    fine[..., :3] = np.clip(fine[..., :3] * shade[..., None], 0, fine[..., 3:])
    return fine


def _ragged(fine: type_levels, rng: np.random.Generator) -> type_levels:
    """Eats into the shape along bristles that run from left to right."""
    height, width = fine.shape[:2]
    bristles = cv2.resize(fractal_noise(rng, (height, width // 24), 22, 3), (width, height))
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    keep = (bristles + 2.2 - 3.0 * np.abs(across) ** 3 > 0).astype(np.float32)[..., None]
    return np.asarray(fine * keep, dtype=np.float32)


def _fur() -> str:
    rng = np.random.default_rng(28)
    hairs = []
    for angle in rng.uniform(0, 2 * math.pi, 420):
        reach = 285 + rng.uniform(0, 70)
        bend = angle + rng.uniform(-0.10, 0.10)
        start = f"{400 + 240 * math.cos(angle):.1f} {400 + 240 * math.sin(angle):.1f}"
        hairs.append(f"M{start} L{400 + reach * math.cos(bend):.1f} {400 + reach * math.sin(bend):.1f}")
    return (
        f'<path d="{" ".join(hairs)}" stroke="#8a5a2b" stroke-width="5" stroke-linecap="round"/>'
        '<circle cx="400" cy="400" r="270" fill="#a06b35"/>'
        '<circle cx="310" cy="350" r="44" fill="#fff"/><circle cx="490" cy="350" r="44" fill="#fff"/>'
        '<circle cx="318" cy="356" r="22" fill="#111"/><circle cx="482" cy="356" r="22" fill="#111"/>'
        '<ellipse cx="400" cy="470" rx="60" ry="34" fill="#5a2d0c"/>'
    )


_STONE: Final = """
<path d="M110 470 Q90 280 260 180 Q440 90 600 190 Q740 290 700 480 Q660 640 430 650 Q170 660 110 470Z"
fill="#8f8b85"/>
<path d="M330 190 L400 330 L360 420 L430 560" fill="none" stroke="#56524d" stroke-width="7"/>
"""
_STROKE: Final = '<path d="M60 330 Q240 190 480 260 T900 210 L905 380 Q700 470 470 430 T70 500Z" fill="#1d3557"/>'
_SOFT_HEART: Final = """
<defs><filter id="soft"><feGaussianBlur stdDeviation="2"/></filter></defs>
<path d="M400 690 L130 400 Q40 240 180 160 Q330 110 400 260 Q470 110 620 160 Q760 240 670 400Z" fill="#d90429"
filter="url(#soft)"/>
"""
TEXTURED: Final = (
    Drawing("fur-ball", 800, 800, _fur(), _grained),
    Drawing("stone", 800, 760, _STONE, _grained),
    Drawing("brush-stroke", 960, 640, _STROKE, _ragged),
    Drawing("soft-heart", 800, 780, _SOFT_HEART),
)
