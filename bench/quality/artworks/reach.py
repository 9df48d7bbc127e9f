"""Art that nearly fills its canvas, leaves it, or is lost on it."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from bench.quality.artworks.shapes import linear_gradient
from bench.quality.drawing import Drawing

_POSTER: Final = f"""
<defs>{linear_gradient("sea", "#ffd6a5", "#ff8c61", "#5c4d7d")}</defs>
<rect x="14" y="14" width="772" height="972" rx="40" fill="url(#sea)"/>
<circle cx="400" cy="420" r="160" fill="#fff3c4"/>
<path d="M14 640 Q200 560 400 640 T786 640 V946 Q786 986 746 986 H54 Q14 986 14 946Z" fill="#2d3047"/>
"""

_BANNER: Final = """
<path d="M0 250 Q240 170 480 250 T960 250 V460 Q720 540 480 460 T0 460Z" fill="#bc4749"/>
<path d="M0 300 Q240 220 480 300 T960 300 V322 Q720 402 480 322 T0 322Z" fill="#f2e8cf"/>
<path d="M0 390 Q240 310 480 390 T960 390 V412 Q720 492 480 412 T0 412Z" fill="#f2e8cf"/>
"""


def _corner_sun() -> str:
    rays = "".join(
        f"M0 0 L{900 * math.cos(a - 0.05):.1f} {900 * math.sin(a - 0.05):.1f} "
        f"L{900 * math.cos(a + 0.05):.1f} {900 * math.sin(a + 0.05):.1f}Z "
        for a in (math.pi / 14 * turn for turn in range(1, 7))
    )
    return (
        f'<clipPath id="reach"><circle r="640"/></clipPath><path d="{rays}" fill="#f48c06" clip-path="url(#reach)"/>'
        '<circle r="380" fill="#ffba08"/>'
    )


_BEE: Final = """
<g transform="translate(440 300) scale(.16)"><g fill="#bfe3f2" stroke="#4a6b7a" stroke-width="14">
<ellipse cx="300" cy="180" rx="110" ry="170" transform="rotate(-20 300 180)"/>
<ellipse cx="480" cy="180" rx="110" ry="170" transform="rotate(20 480 180)"/></g>
<ellipse cx="400" cy="430" rx="300" ry="190" fill="#ffc300"/>
<path d="M330 248 Q290 430 330 612 L410 620 Q370 430 410 240Z M490 248 Q460 430 490 606 L570 585 Q545 430 570 276Z"
fill="#1f1f1f"/>
<circle cx="180" cy="390" r="26" fill="#1f1f1f"/></g>
"""


def _confetti() -> str:
    rng = np.random.default_rng(7)
    colours = ("#ef476f", "#f78c19", "#06a77d", "#118ab2", "#7b2cbf")
    pieces = []
    for piece in range(90):
        x, y, turn = rng.uniform(60, 840), rng.uniform(60, 640), rng.uniform(0, 180)
        width, height = rng.uniform(6, 34), rng.uniform(5, 14)
        pieces.append(
            f'<rect x="{-width / 2:.1f}" y="{-height / 2:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'fill="{colours[piece % 5]}" transform="translate({x:.1f} {y:.1f}) rotate({turn:.1f})"/>'
        )
    return "".join(pieces) + '<path d="M450 200 L560 460 H340Z" fill="#073b4c"/>'


REACHING: Final = (
    Drawing("poster", 800, 1000, _POSTER),
    Drawing("banner", 960, 700, _BANNER),
    Drawing("corner-sun", 800, 800, _corner_sun()),
    Drawing("tiny-bee", 960, 720, _BEE),
    Drawing("confetti", 900, 700, _confetti()),
)
