"""The forty artworks the bench draws itself, from easy to unfair."""

from __future__ import annotations

from typing import Final

from bench.quality.artworks.figures import FIGURES
from bench.quality.artworks.glass import GLASS
from bench.quality.artworks.holes import WITH_HOLES
from bench.quality.artworks.letters import LETTERS
from bench.quality.artworks.reach import REACHING
from bench.quality.artworks.texture import TEXTURED
from bench.quality.artworks.thin import THIN
from bench.quality.artworks.white import WHITE
from bench.quality.drawing import Drawing

DRAWINGS: Final[tuple[Drawing, ...]] = (
    *FIGURES,
    *THIN,
    *WITH_HOLES,
    *WHITE,
    *GLASS,
    *LETTERS,
    *TEXTURED,
    *REACHING,
)

__all__ = ["DRAWINGS"]
