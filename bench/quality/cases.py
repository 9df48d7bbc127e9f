"""One artwork through everything: every background, holes kept and removed, and the cut line."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.quality.artworks import DRAWINGS
from bench.quality.backgrounds import PLAIN, Background, Kind, drawn_backgrounds, photographs
from bench.quality.cut_line_metrics import CutLineMeasures, measure_cut_line, reference
from bench.quality.cutout_metrics import (
    alpha_error,
    boundary_f,
    fringe,
    hole_recall,
    intersection_over_union,
)
from bench.quality.drawing import Drawing, FineAlpha, type_rgba
from bench.quality.truth import Truth
from cutline.domain.artwork import ArtworkLimits
from cutline.domain.errors import ArtworkError
from cutline.domain.outputs import CutoutMethod
from cutline.domain.sticker_spec import IslandPolicy, StickerSpec, resolve
from cutline.imaging.cutout import cut_out
from cutline.imaging.decode import decode_artwork
from cutline.imaging.pipeline import process

BORDER_MM: Final = 3.0
FAILED: Final = "none"
"""What stands for the method where the engine refused."""


class Half(StrEnum):
    """Confidence may be tuned on one half of the artworks and is judged on the other."""

    TUNING = "tuning"
    JUDGING = "judging"


@dataclass(frozen=True, slots=True)
class Source:
    """Where an artwork comes from: one of the drawings by name, or an RGBA file."""

    name: str
    path: Path | None = None

    def load(self) -> type_rgba:
        """The artwork's straight RGBA."""
        if self.path is None:
            return _DRAWINGS[self.name].render()
        with Image.open(self.path) as file:
            return np.asarray(file.convert("RGBA"))

    def fine_alpha(self, alpha: NDArray[np.uint8]) -> FineAlpha:
        """Alpha to trace where the art ends: of a drawing as it was before it became pixels, of a file its own."""
        if self.path is not None:
            return FineAlpha(alpha, 1, (0, 0))
        left, top, width, height = cv2.boundingRect(alpha)
        return _DRAWINGS[self.name].fine_alpha((left, top, width, height))


@dataclass(frozen=True, slots=True)
class CompositeFigures:
    """One artwork on one background.

    Attributes:
        art: The artwork's name.
        background: The background's name.
        kind: Its kind.
        half: Which half the artwork belongs to.
        drawn: Whether the bench draws the artwork itself.
        semi_transparent: Whether a real part of the art is see-through.
        boundary_near: Share of the true boundary that looks like the background; None on busy backgrounds.
        enclosed_near: Share of the subject that the largest enclosed piece of background colour has; None as above.
        hole_share: Area of the background that the art encloses, as a share of the subject.
        method: The method the engine took, or `none` where it refused.
        refusal: The reason it refused with.
        confidence: Its confidence, 0 where it refused.
        all_is_subject: Whether it said that it found no background.
        iou: Against the truth with enclosed background filled.
        alpha_error: As above.
        boundary_f: As above.
        fringe: Colour error along the soft edge.
        fringe_naive: The same of the composite's own colours.
        holes_iou: Holes option on, against the full truth; None on busy backgrounds.
        hole_recall: Share of enclosed background that this option removed; None without any.
    """

    art: str
    background: str
    kind: Kind
    half: Half
    drawn: bool
    semi_transparent: bool
    boundary_near: float | None
    enclosed_near: float | None
    hole_share: float
    method: str
    refusal: str | None
    confidence: float
    all_is_subject: bool
    iou: float
    alpha_error: float
    boundary_f: float
    fringe: float
    fringe_naive: float
    holes_iou: float | None
    hole_recall: float | None


@dataclass(frozen=True, slots=True)
class CutLineFigures:
    """The cut line of one artwork: from its exact alpha, or from its composite on a background.

    `pixel_mm` is the side of a source pixel on the sticker; None where the engine refused.
    """

    art: str
    source: str
    half: Half
    drawn: bool
    semi_transparent: bool
    boundary_near: float
    refusal: str | None
    pixel_mm: float | None
    measures: CutLineMeasures | None


@dataclass(frozen=True, slots=True)
class ArtworkFigures:
    """Everything measured on one artwork."""

    composites: tuple[CompositeFigures, ...]
    cut_lines: tuple[CutLineFigures, ...]


@dataclass(frozen=True, slots=True)
class Removal:
    """A cutout, or the refusal to make one: then `rgba` is clear."""

    rgba: type_rgba
    method: str
    confidence: float
    all_is_subject: bool
    refusal: str | None = None


_DRAWINGS: Final[dict[str, Drawing]] = {drawing.name: drawing for drawing in DRAWINGS}


def half_of(name: str) -> Half:
    """The half that a name belongs to, for good."""
    return (Half.TUNING, Half.JUDGING)[hashlib.sha256(name.encode()).digest()[0] % 2]


def measure_artwork(source: Source, backgrounds_folder: Path | None = None) -> ArtworkFigures:
    """Measures one artwork on every background, and its cut line twice."""
    cv2.setNumThreads(1)
    truth = Truth(source.load())
    composites = tuple(_measured(source, truth, background) for background in backgrounds_of(backgrounds_folder))
    white = next(figures for figures in composites if figures.kind is Kind.WHITE)
    return ArtworkFigures(composites, _cut_lines(source, truth, white.boundary_near or 0.0))


def backgrounds_of(folder: Path | None) -> tuple[Background, ...]:
    """What artworks are put on: the drawn backgrounds, and the pictures of a folder."""
    return (*drawn_backgrounds(), *(photographs(folder) if folder else ()))


def remove_background(data: bytes, *, holes: bool) -> Removal:
    """Runs the engine's decoding and automatic cutout on an artwork file."""
    artwork = decode_artwork(data, limits=ArtworkLimits())
    try:
        cutout = cut_out(
            artwork, method=CutoutMethod.AUTO, alpha_threshold=0.5, remove_enclosed_background=holes, model=None
        )
    except ArtworkError as error:
        return Removal(np.zeros_like(artwork.rgba), FAILED, 0.0, all_is_subject=False, refusal=error.reason.value)
    return Removal(cutout.rgba, cutout.method.value, cutout.confidence, cutout.subject_is_everything)


def _measured(source: Source, truth: Truth, background: Background) -> CompositeFigures:
    backdrop = background.behind(truth.rgba, source.name)
    data, picture = background.compose(truth.rgba, backdrop)
    removal = remove_background(data, holes=False)
    alpha = removal.rgba[..., 3]
    colours = fringe(removal.rgba, picture, truth)
    plain = background.kind in PLAIN
    opened = remove_background(data, holes=True).rgba[..., 3] if plain else None
    return CompositeFigures(
        art=source.name,
        background=background.name,
        kind=background.kind,
        half=half_of(source.name),
        drawn=source.path is None,
        semi_transparent=truth.is_semi_transparent,
        boundary_near=truth.boundary_near(backdrop) if plain else None,
        enclosed_near=truth.enclosed_near(backdrop) if plain else None,
        hole_share=truth.hole_share,
        method=removal.method,
        refusal=removal.refusal,
        confidence=removal.confidence,
        all_is_subject=removal.all_is_subject,
        iou=intersection_over_union(alpha, truth.filled),
        alpha_error=alpha_error(alpha, truth.filled),
        boundary_f=boundary_f(alpha, truth.filled),
        fringe=colours.error,
        fringe_naive=colours.naive_error,
        holes_iou=None if opened is None else intersection_over_union(opened, truth.alpha),
        hole_recall=None if opened is None else hole_recall(opened, truth),
    )


def _cut_lines(source: Source, truth: Truth, near_white: float) -> tuple[CutLineFigures, ...]:
    """From the art with its alpha, and from its composite on white."""
    file = io.BytesIO()
    Image.fromarray(truth.rgba).save(file, "PNG", compress_level=1)
    white = next(background for background in drawn_backgrounds() if background.kind is Kind.WHITE)
    composite, _ = white.compose(truth.rgba, white.behind(truth.rgba, source.name))
    fine = source.fine_alpha(truth.alpha)
    figures = []
    for name, data, method in (
        ("alpha", file.getvalue(), CutoutMethod.ALPHA),
        ("white", composite, CutoutMethod.AUTO),
    ):
        pixel_mm, measures, refusal = _cut_line(data, method, fine, truth.alpha.shape[1])
        figures.append(
            CutLineFigures(
                art=source.name,
                source=name,
                half=half_of(source.name),
                drawn=source.path is None,
                semi_transparent=truth.is_semi_transparent,
                boundary_near=0.0 if name == "alpha" else near_white,
                refusal=refusal,
                pixel_mm=pixel_mm,
                measures=measures,
            )
        )
    return tuple(figures)


def _cut_line(
    data: bytes, method: CutoutMethod, alpha: FineAlpha, width_px: int
) -> tuple[float | None, CutLineMeasures | None, str | None]:
    """The side of a source pixel in mm, the measures, and the reason of a refusal."""
    spec = resolve(
        StickerSpec(
            border_mm=BORDER_MM,
            smoothing=0.0,
            cutout_method=method,
            # Pieces stay apart: how they are joined is policy, which a reference cannot second-guess.
            island_policy=IslandPolicy.KEEP,
            output_formats=(),
        )
    )
    try:
        sticker = process(data, spec)
    except ArtworkError as error:
        return None, None, error.reason.value
    canvas = sticker.geometry.canvas_box
    pixel_mm = canvas.width_mm / width_px
    right = reference(
        alpha,
        mm_per_px=pixel_mm,
        origin_mm=(canvas.x_mm, canvas.y_mm),
        border_mm=BORDER_MM,
        closing_radius_mm=sticker.geometry.closing_radius_mm,
    )
    return pixel_mm, measure_cut_line([path.path_data for path in sticker.cut_paths], right), None
