"""The artworks that are sent, and how often each comes.

No statistic of uploads stands behind the shares: they are an assumption, kept beside the figures it weighs. The sizes
are those of an icon, of a picture saved from the web or a drawing tool, and of a phone's photo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench.stages.artworks import draw
from bench.stages.cases import FileFormat, Look, Upload
from cutline.domain.outputs import CutoutMethod


@dataclass(frozen=True, slots=True)
class Canvas(Upload):
    """An artwork of the bench of stages on a square canvas of any size."""

    canvas_px: int = 0

    @property
    def side_px(self) -> int:
        """Side of its square canvas."""
        return self.canvas_px


@dataclass(frozen=True, slots=True)
class Artwork:
    """One kind of artwork.

    Attributes:
        name: Short, as a table and the JSON hold it.
        share: How much of all designs is of this kind, 0 to 1.
        upload: What is drawn.
        per_run: Designs made of it in a run; more of small ones, whose costs are small against the clock's noise.
    """

    name: str
    share: float
    upload: Canvas
    per_run: int

    @property
    def media_type(self) -> str:
        """What its upload is declared as."""
        return f"image/{self.upload.file_format.value.lower()}"

    def data(self) -> bytes:
        """Its file, the same each time."""
        return draw(self.upload)


MIX: Final = (
    Artwork("0.3 MP PNG, alpha", 0.20, Canvas(Look.FLAT, CutoutMethod.ALPHA, 0, FileFormat.PNG, 550), 12),
    Artwork("2 MP PNG, alpha", 0.35, Canvas(Look.FLAT, CutoutMethod.ALPHA, 2, FileFormat.PNG, 1414), 8),
    Artwork("2 MP JPEG, on white", 0.20, Canvas(Look.PHOTO, CutoutMethod.FLAT, 2, FileFormat.JPEG, 1414), 8),
    Artwork("12 MP PNG, alpha", 0.10, Canvas(Look.PHOTO, CutoutMethod.ALPHA, 12, FileFormat.PNG, 3464), 4),
    Artwork("12 MP JPEG, on white", 0.15, Canvas(Look.PHOTO, CutoutMethod.FLAT, 12, FileFormat.JPEG, 3464), 4),
)


def weighted(by_artwork: dict[str, float]) -> float:
    """The mean over all designs of a figure known for each kind of artwork."""
    return sum(artwork.share * by_artwork[artwork.name] for artwork in MIX)
