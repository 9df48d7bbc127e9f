"""Art that lets the background through: no method can know its alpha from one picture, so it has its own row."""

from __future__ import annotations

from typing import Final

from bench.quality.artworks.shapes import radial_gradient
from bench.quality.drawing import Drawing

_WINE: Final = """
<path d="M180 80 H520 Q540 420 350 470 Q160 420 180 80Z" fill="#bcd4e0" fill-opacity=".45" stroke="#6d8794"
stroke-width="8"/>
<path d="M178 250 H522 Q500 420 350 455 Q200 420 178 250Z" fill="#7b1e3a" fill-opacity=".8"/>
<path d="M350 465 V820" stroke="#8fa8b5" stroke-opacity=".7" stroke-width="22"/>
<ellipse cx="350" cy="840" rx="160" ry="34" fill="#bcd4e0" fill-opacity=".6" stroke="#6d8794" stroke-width="6"/>
"""

_BUBBLE: Final = f"""
<defs>{radial_gradient("film", "#bde0fe", "#a2d2ff", "#cdb4db", "#ffafcc")}</defs>
<circle cx="360" cy="360" r="300" fill="url(#film)" fill-opacity=".35" stroke="#8fb8de" stroke-width="10"
stroke-opacity=".8"/>
<path d="M190 250 Q230 150 330 130" fill="none" stroke="#fff" stroke-width="26" stroke-linecap="round"
stroke-opacity=".9"/>
"""

_BOTTLE: Final = """
<path d="M240 60 H360 V260 Q460 330 460 430 V900 H140 V430 Q140 330 240 260Z" fill="#1b7f4b" fill-opacity=".62"/>
<rect x="140" y="500" width="320" height="240" fill="#fff3d6"/>
<path d="M190 620 Q300 520 410 620 Q300 720 190 620Z" fill="#b5402a"/>
<rect x="232" y="40" width="136" height="56" rx="10" fill="#3d2b1f"/>
"""

_LAMP: Final = """
<defs><filter id="soft" x="-30%" y="-60%" width="160%" height="220%"><feGaussianBlur stdDeviation="26"/></filter>
</defs>
<ellipse cx="400" cy="720" rx="280" ry="60" fill="#000" fill-opacity=".55" filter="url(#soft)"/>
<path d="M260 120 H540 L640 400 H160Z" fill="#f4a259"/><rect x="382" y="400" width="36" height="270" fill="#5b5f62"/>
<ellipse cx="400" cy="690" rx="150" ry="36" fill="#3f4244"/>
"""

GLASS: Final = (
    Drawing("wine-glass", 700, 920, _WINE),
    Drawing("bubble", 720, 720, _BUBBLE),
    Drawing("bottle", 600, 960, _BOTTLE),
    Drawing("lamp-with-shadow", 800, 840, _LAMP),
)
