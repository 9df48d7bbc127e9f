"""White and pale art: with an outline, with half of one, with none."""

from __future__ import annotations

from typing import Final

from bench.quality.artworks.shapes import linear_gradient, radial_gradient
from bench.quality.drawing import Drawing

_GHOST_BODY: Final = (
    "M380 80 Q610 90 620 360 V760 L540 690 L460 770 L380 690 L300 770 L220 690 L140 760 V360 Q150 90 380 80Z"
)
_FACE: Final = (
    '<ellipse cx="300" cy="330" rx="36" ry="52" fill="#222"/><ellipse cx="460" cy="330" rx="36" ry="52" fill="#222"/>'
    '<ellipse cx="380" cy="460" rx="44" ry="30" fill="#222"/>'
)
_GHOST_OUTLINED: Final = (
    f'<path d="{_GHOST_BODY}" fill="#fff" stroke="#222" stroke-width="12" stroke-linejoin="round"/>{_FACE}'
)
_GHOST_BARE: Final = f'<path d="{_GHOST_BODY}" fill="#fff"/>{_FACE}'

_EGG: Final = f"""
<defs>{radial_gradient("shell", "#ffffff", "#fdfdfb", "#ecebe6", "#cfcdc6", at=(0.4, 0.35), radius=0.72)}</defs>
<path d="M350 80 Q600 200 610 520 Q600 780 350 790 Q100 780 90 520 Q100 200 350 80Z" fill="url(#shell)"/>
"""

_SNOWMAN: Final = """
<g fill="#fff" stroke="#9cc3e6" stroke-width="9"><circle cx="350" cy="680" r="230"/>
<circle cx="350" cy="330" r="165"/></g>
<path d="M235 190 H465 V20 H235Z M175 190 H525 V222 H175Z" fill="#23272e"/>
<path d="M235 150 H465 V186 H235Z" fill="#c1121f"/>
<circle cx="300" cy="300" r="20" fill="#23272e"/><circle cx="400" cy="300" r="20" fill="#23272e"/>
<path d="M350 340 L470 372 L350 384Z" fill="#f77f00"/>
<g fill="#23272e"><circle cx="350" cy="560" r="18"/><circle cx="350" cy="650" r="18"/>
<circle cx="350" cy="740" r="18"/></g>
<path d="M130 600 L20 480 M570 600 L680 480" stroke="#6b4226" stroke-width="12"/>
"""

_SHEEP: Final = """
<g fill="#4a4e57"><rect x="260" y="560" width="46" height="150" rx="20"/>
<rect x="520" y="560" width="46" height="150" rx="20"/></g>
<path d="M200 520 Q110 510 130 420 Q90 340 180 310 Q190 220 290 240 Q340 160 430 210 Q520 160 570 240 Q680 230 680 330
Q760 380 700 460 Q710 560 600 550 Q540 620 460 570 Q380 630 310 570 Q230 600 200 520Z" fill="#fffdf5" stroke="#c9c3b1"
 stroke-width="7"/>
<ellipse cx="190" cy="400" rx="92" ry="112" fill="#4a4e57"/><circle cx="165" cy="380" r="15" fill="#fff"/>
"""

_MILK: Final = """
<path d="M140 300 L220 140 H480 L560 300 V880 H140Z" fill="#ffffff"/>
<path d="M140 560 Q350 480 560 600 V880 H140Z" fill="#3a86ff"/><path d="M140 300 H560 V330 H140Z" fill="#8ecae6"/>
<rect x="220" y="80" width="260" height="62" fill="#3a86ff"/>
"""

_PASTEL: Final = f"""
<defs>{linear_gradient("petal", "#fff6d6", "#ffe3e8")}</defs>
<g fill="url(#petal)"><ellipse cx="400" cy="210" rx="110" ry="160"/><ellipse cx="400" cy="590" rx="110" ry="160"/>
<ellipse cx="210" cy="400" rx="160" ry="110"/><ellipse cx="590" cy="400" rx="160" ry="110"/></g>
<circle cx="400" cy="400" r="95" fill="#ffd166"/>
"""

WHITE: Final = (
    Drawing("ghost-outlined", 760, 860, _GHOST_OUTLINED),
    Drawing("ghost-bare", 760, 860, _GHOST_BARE),
    Drawing("egg", 700, 860, _EGG),
    Drawing("snowman", 700, 960, _SNOWMAN),
    Drawing("sheep", 820, 780, _SHEEP),
    Drawing("milk", 700, 960, _MILK),
    Drawing("pastel-flower", 800, 800, _PASTEL),
)
