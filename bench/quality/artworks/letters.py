"""Shapes of letters: counters, separate pieces, hairlines."""

from __future__ import annotations

from typing import Final

from bench.quality.drawing import Drawing

_WORD: Final = """
<g fill="none" stroke="#14213d" stroke-width="64" stroke-linejoin="miter">
<path d="M240 190 Q90 150 90 300 Q90 450 240 410"/><path d="M350 150 V330 Q350 420 430 420 Q510 420 510 330 V150"/>
<path d="M560 182 H820 M690 182 V450"/></g>
<g fill="none" stroke="#fca311" stroke-width="30">
<path d="M95 560 H300 M197 560 V680 M350 545 V680 M350 560 H440 V620 H350 L440 680"/>
<circle cx="560" cy="615" r="54"/><path d="M680 690 V552 L780 678 V540"/></g>
"""

_SCRIPT: Final = """
<path d="M70 470 Q210 430 230 260 Q240 130 170 140 Q100 160 160 340 Q220 500 300 430 Q380 340 330 320 Q260 330 290 440
Q330 520 420 430 Q500 330 450 320 Q390 330 410 440 Q450 520 540 430 L600 220 Q640 110 590 110 Q540 140 580 340
Q610 500 720 420 Q800 330 740 320 Q680 340 720 450 Q770 520 890 430" fill="none" stroke="#7209b7" stroke-width="20"
 stroke-linecap="round" stroke-linejoin="round"/>
"""

_MONOGRAM: Final = """
<g fill="#111"><path d="M140 120 H330 V132 L280 140 V660 L330 668 V680 H140 V668 L190 660 V140 L140 132Z"/>
<path d="M280 380 L560 140 L500 132 V120 H690 V132 L630 140 L420 330 L660 660 L700 668 V680 H520 V668 L545 660 L360
390 L280 460Z"/>
</g><path d="M100 740 H720" stroke="#111" stroke-width="3"/><path d="M100 60 H720" stroke="#111" stroke-width="5"/>
"""


def _slogan() -> str:
    glyphs = (
        "M0 60 V0 L40 60 V0",
        "M0 30 A20 30 0 1 0 40 30 A20 30 0 1 0 0 30Z",
        "M0 0 L14 60 L22 20 L30 60 L44 0",
        "M40 0 H0 V60 H40 M0 30 H30",
        "M0 60 V0 H26 A15 15 0 0 1 26 30 H0 L38 60",
        "M0 0 H40 M20 0 V60",
        "M0 60 L20 0 L40 60 M8 40 H32",
    )
    rows = "".join(
        f'<path d="{glyphs[(3 * row + 2 * column) % len(glyphs)]}" '
        f'transform="translate({90 + 78 * column} {90 + 105 * row})"/>'
        for row in range(5)
        for column in range(9)
    )
    return f'<g fill="none" stroke="#9b2226" stroke-width="9">{rows}</g>'


LETTERS: Final = (
    Drawing("word", 900, 760, _WORD),
    Drawing("script", 960, 620, _SCRIPT),
    Drawing("monogram", 820, 800, _MONOGRAM),
    Drawing("slogan", 820, 680, _slogan()),
)
