"""SVG snippets that several drawings are made of."""

from __future__ import annotations

import math


def star_points(x: float, y: float, radius: float, *, inner: float = 0.42, points: int = 5, turn: float = 0.0) -> str:
    """Points attribute of a star around (x, y); `turn` in radians."""
    corners = []
    for corner in range(2 * points):
        reach = radius if corner % 2 == 0 else radius * inner
        angle = turn + math.pi * corner / points
        corners.append(f"{x + reach * math.sin(angle):.2f},{y - reach * math.cos(angle):.2f}")
    return " ".join(corners)


def linear_gradient(name: str, *colours: str, x2: float = 0.0, y2: float = 1.0) -> str:
    """A definition of evenly spread colours from the top left corner of what it fills to (x2, y2) of it."""
    return f'<linearGradient id="{name}" x2="{x2}" y2="{y2}">{_stops(colours)}</linearGradient>'


def radial_gradient(name: str, *colours: str, at: tuple[float, float] = (0.5, 0.5), radius: float = 0.5) -> str:
    """A definition of evenly spread colours outwards; centre and radius are shares of what it fills."""
    x, y = at
    return f'<radialGradient id="{name}" cx="{x}" cy="{y}" r="{radius}">{_stops(colours)}</radialGradient>'


def _stops(colours: tuple[str, ...]) -> str:
    last = len(colours) - 1
    return "".join(f'<stop offset="{i / last:.3f}" stop-color="{colour}"/>' for i, colour in enumerate(colours))
