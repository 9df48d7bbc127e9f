"""What of a stylesheet or a style attribute decides how much there is to render.

Every pattern here is linear in the length of a hostile text: its repetitions are possessive or end where they began.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|$)", re.DOTALL)
_RULE: Final = re.compile(r"(?<![^{}])([^{}]*+)\{([^{}]*+)\}")
_URL: Final = re.compile(r"url\(\s*+['\"]?\s*+#([^'\")\s]+)")
_SIMPLE: Final = re.compile(r"(?:[a-zA-Z][\w-]*)?([.#])([\w-]+)")
_TRANSFORM: Final = re.compile(r"(matrix|scale[XY]?|skew[XY])\s*+\(([^()]*+)\)")
_LAYERED: Final = re.compile(
    r"(?:^|[;\s])(?:filter|mask|clip-path|mix-blend-mode|isolation|opacity)\s*:(?!\s*(?:none|normal|auto|1(?:\.0*)?)\s*(?:;|$))"
)


@dataclass(frozen=True, slots=True)
class StyleRule:
    """One selector with what its declarations add to the load.

    Attributes:
        kind: "." for a class, "#" for an id, empty for any other selector, which is taken to select everything.
        name: The class or id.
        references: Ids in url() values.
        magnification: How many times larger its transform draws.
        layers: Canvases it makes the renderer keep.
    """

    kind: str
    name: str
    references: tuple[str, ...]
    magnification: float
    layers: float

    def may_select(self, classes: frozenset[str], element_id: str | None) -> bool:
        """Whether an element of these classes and this id may be meant."""
        if self.kind == ".":
            return self.name in classes
        return not self.kind or self.name == element_id


def style_rules(sheet: str) -> list[StyleRule]:
    """The rules of a stylesheet that add anything to the load."""
    found = []
    for selectors, declarations in _RULE.findall(_COMMENT.sub("", sheet)):
        references, magnification = tuple(_URL.findall(declarations)), transform_scale(declarations)
        layers = layers_of(declarations)
        if not references and magnification == 1.0 and not layers:
            continue
        for selector in selectors.split(","):
            simple = _SIMPLE.fullmatch(selector.strip())
            kind, name = (simple[1], simple[2]) if simple else ("", "")
            found.append(StyleRule(kind, name, references, magnification, layers))
    return found


def layers_of(declarations: str) -> float:
    """Canvases that style declarations make the renderer keep."""
    return float(len(_LAYERED.findall(declarations)))


def transform_scale(text: str) -> float:
    """How many times larger the transforms in a text draw: the product of their largest stretches."""
    scale = 1.0
    for kind, arguments in _TRANSFORM.findall(text):
        values = numbers(arguments)
        if kind == "matrix" and len(values) >= 4:
            scale *= _largest_stretch(*values[:4])
        elif kind.startswith("scale") and values:
            scale *= max(abs(value) for value in values[:2])
        elif kind.startswith("skew") and values:
            scale *= _largest_stretch(1.0, 0.0, math.tan(math.radians(values[0])), 1.0)
    return scale if math.isfinite(scale) else 1e9


def numbers(text: str) -> list[float]:
    """The numbers in a text; those too large for a float count as 1e9."""
    return [min(max(float(found), -1e9), 1e9) for found in NUMBER.findall(text)]


def _largest_stretch(a: float, b: float, c: float, d: float) -> float:
    """Largest singular value of the matrix that maps (1, 0) to (a, b) and (0, 1) to (c, d)."""
    first, second = a * a + b * b, c * c + d * d
    return math.sqrt((first + second + math.hypot(first - second, 2 * (a * c + b * d))) / 2)
