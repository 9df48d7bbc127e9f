"""Art one can look through."""

from __future__ import annotations

import math
from typing import Final

from bench.quality.artworks.shapes import linear_gradient, star_points
from bench.quality.drawing import Drawing


def _gear() -> str:
    teeth = []
    for tooth in range(14):
        for reach, share in ((270, -0.30), (350, -0.19), (350, 0.19), (270, 0.30)):
            angle = 2 * math.pi * (tooth + share) / 14
            teeth.append(f"{400 + reach * math.cos(angle):.2f} {400 + reach * math.sin(angle):.2f}")
    bores = "".join(
        f"M{400 + 170 * math.cos(a) + 44:.1f} {400 + 170 * math.sin(a):.1f} a44 44 0 1 0 -88 0 a44 44 0 1 0 88 0Z"
        for a in (math.pi / 3 * turn for turn in range(6))
    )
    axle = "M470 400 a70 70 0 1 0 -140 0 a70 70 0 1 0 140 0Z"
    return f'<path d="M{" L".join(teeth)}Z {axle} {bores}" fill="#6c757d" fill-rule="evenodd"/>'


_RING: Final = f"""
<defs>{linear_gradient("gold", "#fff3b0", "#e0a100", "#8a5a00", "#f4d35e", x2=1)}</defs>
<circle cx="400" cy="430" r="270" fill="none" stroke="url(#gold)" stroke-width="90"/>
<path d="M400 60 L480 130 L400 240 L320 130Z" fill="#48cae4"/>
<path d="M400 60 L430 130 L400 240 L370 130Z" fill="#ade8f4"/>
"""


def _doughnut() -> str:
    sprinkles = "".join(
        f'<rect x="-18" y="-6" width="36" height="12" rx="6" fill="{("#fff", "#ffd166", "#06d6a0", "#118ab2")[i % 4]}" '
        f'transform="translate({400 + r * math.cos(i * 2.4):.0f} {400 + r * math.sin(i * 2.4):.0f}) rotate({i * 47})"/>'
        for i, r in ((i, 175 + 22 * (i % 5)) for i in range(30))
    )
    circle = "M{0} 400 A{1} {1} 0 1 0 {2} 400 A{1} {1} 0 1 0 {0} 400Z "
    dough = circle.format(750, 350, 50) + circle.format(510, 110, 290)
    icing = circle.format(715, 315, 85) + circle.format(535, 135, 265)
    return (
        f'<path d="{dough}" fill="#c98b4a" fill-rule="evenodd"/><path d="{icing}" fill="#ef6f9c" fill-rule="evenodd"/>'
        + sprinkles
    )


_FRAME: Final = f"""
<path d="M60 60 H740 V860 H60Z M150 150 V770 H650 V150Z" fill="#7f5539" fill-rule="evenodd"/>
<path d="M95 95 H705 V825 H95Z" fill="none" stroke="#d4a373" stroke-width="14"/>
<polygon points="{star_points(400, 460, 170)}" fill="#e9c46a"/>
<circle cx="400" cy="460" r="46" fill="#bc6c25"/>
"""

_GLASSES: Final = """
<g fill="none" stroke="#1b1b1e" stroke-width="26"><rect x="60" y="150" width="350" height="250" rx="110"/>
<rect x="550" y="150" width="350" height="250" rx="110"/><path d="M410 250 Q480 190 550 250"/></g>
<path d="M62 240 L20 120 M898 240 L940 120" stroke="#1b1b1e" stroke-width="22"/>
"""

WITH_HOLES: Final = (
    Drawing("gear", 800, 800, _gear()),
    Drawing("ring", 800, 800, _RING),
    Drawing("doughnut", 800, 800, _doughnut()),
    Drawing("frame", 800, 920, _FRAME),
    Drawing("spectacles", 960, 620, _GLASSES),
)
