"""Thin parts: lines of a few pixels, and what hangs on them."""

from __future__ import annotations

import math
from typing import Final

from bench.quality.drawing import Drawing


def _spoked_wheel(x: float, y: float, radius: float) -> str:
    spokes = "".join(
        f"M{x} {y} L{x + radius * math.cos(angle):.1f} {y + radius * math.sin(angle):.1f} "
        for angle in (math.pi * turn / 7 for turn in range(14))
    )
    return (
        f'<circle cx="{x}" cy="{y}" r="{radius}" fill="none" stroke="#222" stroke-width="16"/>'
        f'<path d="{spokes}" stroke="#777" stroke-width="3"/><circle cx="{x}" cy="{y}" r="14" fill="#222"/>'
    )


def _bicycle() -> str:
    return (
        _spoked_wheel(220, 440, 170)
        + _spoked_wheel(740, 440, 170)
        + '<g fill="none" stroke="#d62828" stroke-width="15" stroke-linejoin="round">'
        '<path d="M220 440 L360 210 L640 210 L460 450 L360 210 M460 450 L220 440 M640 210 L740 440"/></g>'
        '<path d="M630 150 L640 210 M630 150 Q580 120 540 140 M360 210 L345 165" fill="none" stroke="#333" '
        'stroke-width="10"/><path d="M300 165 Q345 145 400 165 Q350 182 300 165Z" fill="#4a2c1a"/>'
    )


def _dandelion() -> str:
    rays, tufts = [], []
    for turn in range(34):
        angle = 2 * math.pi * turn / 34
        reach = 190 + 50 * (turn % 3)
        x, y = 380 + reach * math.cos(angle), 330 + reach * math.sin(angle)
        rays.append(f"M380 330 L{x:.1f} {y:.1f}")
        tufts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9"/>')
    return (
        f'<path d="{" ".join(rays)}" stroke="#6d7f5a" stroke-width="3.5"/>'
        f'<g fill="#a7b08f">{"".join(tufts)}</g><circle cx="380" cy="330" r="42" fill="#8a6a3b"/>'
        '<path d="M380 365 Q350 700 410 950" fill="none" stroke="#4f7a34" stroke-width="11"/>'
        '<path d="M392 820 Q520 720 600 760 Q520 830 396 850Z" fill="#4f7a34"/>'
    )


_SPIDER: Final = """
<g fill="none" stroke="#2d2a32" stroke-width="9" stroke-linejoin="round" stroke-linecap="round">
<path d="M340 350 L190 230 L70 330 M335 385 L150 350 L50 480 M335 420 L160 470 L90 620 M350 455 L230 560 L210 700"/>
<path d="M460 350 L610 230 L730 330 M465 385 L650 350 L750 480 M465 420 L640 470 L710 620 M450 455 L570 560 L590
700"/>
</g><ellipse cx="400" cy="450" rx="105" ry="130" fill="#2d2a32"/><circle cx="400" cy="310" r="62" fill="#423e48"/>
<path d="M400 400 L430 450 L400 500 L370 450Z" fill="#d7263d"/>
<circle cx="378" cy="295" r="11" fill="#fff"/><circle cx="422" cy="295" r="11" fill="#fff"/>
"""


def _net() -> str:
    lines = " ".join(f"M{100 + 60 * i} 100 V700 M100 {100 + 60 * i} H700" for i in range(11))
    return (
        f'<path d="{lines}" stroke="#7b4b94" stroke-width="6" stroke-linecap="square" transform="rotate(9 400 400)"/>'
    )


THIN: Final = (
    Drawing("bicycle", 960, 680, _bicycle()),
    Drawing("dandelion", 760, 1000, _dandelion()),
    Drawing("spider", 800, 780, _SPIDER),
    Drawing("net", 800, 800, _net()),
)
