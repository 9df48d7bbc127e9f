"""Plain stickers: outlined figures, gradients, separate pieces."""

from __future__ import annotations

from typing import Final

from bench.quality.artworks.shapes import linear_gradient, radial_gradient, star_points
from bench.quality.drawing import Drawing

_CAT: Final = """
<g stroke="#3a2418" stroke-width="14" stroke-linejoin="round" fill="#f2a154">
<path d="M170 380 L140 110 L330 230 Q400 205 470 230 L660 110 L630 380 Q690 640 400 680 Q110 640 170 380Z"/></g>
<path d="M175 165 L195 300 L285 245Z M625 165 L605 300 L515 245Z" fill="#f7c6c0"/>
<ellipse cx="290" cy="400" rx="62" ry="74" fill="#fff"/><ellipse cx="510" cy="400" rx="62" ry="74" fill="#fff"/>
<circle cx="300" cy="412" r="36" fill="#1c120c"/><circle cx="500" cy="412" r="36" fill="#1c120c"/>
<path d="M372 500 H428 L400 530Z" fill="#d4637a"/>
<path d="M400 530 Q370 580 330 560 M400 530 Q430 580 470 560" fill="none" stroke="#3a2418" stroke-width="9"/>
<path d="M230 520 L90 490 M230 545 L95 560 M570 520 L710 490 M570 545 L705 560" stroke="#3a2418" stroke-width="6"/>
"""

_MUSHROOM: Final = """
<path d="M300 470 Q290 650 240 730 Q400 790 560 730 Q510 650 500 470Z" fill="#f0dfbf"/>
<path d="M60 470 Q80 110 400 90 Q720 110 740 470 Q580 540 400 530 Q220 540 60 470Z" fill="#c8242b"/>
<g fill="#fff"><ellipse cx="250" cy="260" rx="66" ry="54"/><circle cx="440" cy="190" r="42"/>
<ellipse cx="580" cy="330" rx="58" ry="66"/><circle cx="390" cy="390" r="50"/><circle cx="165" cy="410" r="32"/></g>
<path d="M300 500 Q400 560 500 500" fill="none" stroke="#c9b48d" stroke-width="12"/>
"""

_STARS: Final = "".join(
    f'<polygon points="{star_points(x, y, radius, turn=turn)}" fill="{colour}"/>'
    for x, y, radius, turn, colour in (
        (400, 330, 250, 0.0, "#f5b700"),
        (150, 150, 90, 0.3, "#e2711d"),
        (690, 140, 70, 0.1, "#d00000"),
        (660, 560, 110, 0.5, "#1d7874"),
        (180, 590, 120, 0.2, "#5f0f40"),
        (430, 650, 34, 0.0, "#0f4c5c"),
        (60, 380, 22, 0.4, "#e2711d"),
    )
)

_RAIN: Final = f"""
<defs>{linear_gradient("cloud", "#f2f6fb", "#a9bdd6")}</defs>
<path d="M190 420 Q70 410 80 300 Q95 210 190 215 Q220 90 370 95 Q500 100 540 210 Q680 190 710 310 Q720 420 610 420Z"
 fill="url(#cloud)" stroke="#6f86a6" stroke-width="8"/>
<g fill="#2f7fd1"><path d="M220 480 Q270 560 220 590 Q170 560 220 480Z"/>
<path d="M400 500 Q450 580 400 610 Q350 580 400 500Z"/>
<path d="M580 480 Q630 560 580 590 Q530 560 580 480Z"/></g>
"""

_SUNSET: Final = f"""
<defs>{linear_gradient("sky", "#2b1055", "#d53a6c", "#ffb347", "#fff1c9")}</defs>
<circle cx="400" cy="400" r="350" fill="url(#sky)"/>
<path d="M110 595 L270 420 L360 520 L480 360 L690 600 A350 350 0 0 1 110 595Z" fill="#22163f"/>
<circle cx="560" cy="470" r="60" fill="#ffe9a8"/>
"""

_BALLOON: Final = f"""
<defs>{radial_gradient("skin", "#ffffff", "#ff9db8", "#e0245e", "#a3123f", at=(0.36, 0.3), radius=0.75)}</defs>
<ellipse cx="320" cy="330" rx="240" ry="290" fill="url(#skin)"/>
<path d="M320 615 L290 660 H350Z" fill="#a3123f"/>
<path d="M320 655 Q250 760 330 830 Q400 890 330 960" fill="none" stroke="#5c4a4f" stroke-width="5"/>
"""

_DROP: Final = f"""
<defs>{
    linear_gradient("rainbow", "#f94144", "#f9c74f", "#90be6d", "#48bfe3", "#5e60ce", "#f15bb5", x2=1, y2=0.4)
}</defs>
<path d="M380 60 Q680 400 640 600 Q600 800 380 810 Q160 800 120 600 Q80 400 380 60Z" fill="url(#rainbow)"/>
"""

FIGURES: Final = (
    Drawing("cat", 800, 760, _CAT),
    Drawing("mushroom", 800, 840, _MUSHROOM),
    Drawing("stars", 800, 760, _STARS),
    Drawing("rain-cloud", 800, 680, _RAIN),
    Drawing("sunset-badge", 800, 800, _SUNSET),
    Drawing("balloon", 640, 1000, _BALLOON),
    Drawing("rainbow-drop", 760, 880, _DROP),
)
