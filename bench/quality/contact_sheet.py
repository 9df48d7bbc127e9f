"""A picture of the worst cutouts: what went in, what should have come out, what did, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from bench.quality.backgrounds import PLAIN, over
from bench.quality.cases import CompositeFigures, Source, backgrounds_of, remove_background
from bench.quality.truth import SOLID_LEVEL, Truth
from bench.quality.verdicts import has_tellable_holes, is_counted, label

TILE_PX: Final = 168
CAPTION_PX: Final = 26
CASES_A_ROW: Final = 2
_GAP_PX: Final = 10
_STAGE: Final = (96, 108, 118)
_MISSING: Final = (214, 40, 40)
_EXTRA: Final = (52, 120, 246)
_QUALITY: Final = 82


def worst_cases(composites: Sequence[CompositeFigures], *, each: int) -> list[tuple[CompositeFigures, bool]]:
    """The worst on plain backgrounds, with the holes option, and on busy ones; the flag says whether it was on."""
    plain = sorted((one for one in composites if is_counted(one)), key=lambda one: (one.iou, label(one)))
    holes = sorted(
        (one for one in composites if has_tellable_holes(one) and one.holes_iou is not None),
        key=lambda one: (one.holes_iou or 0.0, label(one)),
    )
    # Of the busy ones the instructive: sure of itself, and wrong.
    busy = sorted(
        (one for one in composites if one.kind not in PLAIN and one.iou < 0.9),
        key=lambda one: (-one.confidence, label(one)),
    )
    return [
        *((one, False) for one in plain[:each]),
        *((one, True) for one in holes[:each]),
        *((one, False) for one in busy[:each]),
    ]


def write_contact_sheet(
    cases: Sequence[tuple[CompositeFigures, bool]],
    sources: dict[str, Source],
    path: Path,
    backgrounds_folder: Path | None = None,
) -> None:
    """Draws the cases anew, four tiles each, with their figures beneath; a JPEG."""
    rows = -(-len(cases) // CASES_A_ROW)
    width = CASES_A_ROW * (4 * TILE_PX + _GAP_PX) + _GAP_PX
    sheet = Image.new("RGB", (width, max(1, rows) * (TILE_PX + CAPTION_PX) + _GAP_PX), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (figures, holes) in enumerate(cases):
        row, column = divmod(number, CASES_A_ROW)
        left, top = _GAP_PX + column * (4 * TILE_PX + _GAP_PX), _GAP_PX + row * (TILE_PX + CAPTION_PX)
        for tile, picture in enumerate(_tiles(figures, sources[figures.art], backgrounds_folder, holes=holes)):
            sheet.paste(_fitted(picture), (left + tile * TILE_PX, top))
        iou = figures.holes_iou if holes else figures.iou
        pen.text(
            (left + 2, top + TILE_PX + 4),
            f"{label(figures)}{' holes on' if holes else ''}  {figures.method}  IoU {iou or 0:.3f}"
            f"  F {figures.boundary_f:.3f}  confidence {figures.confidence:.2f}",
            fill="black",
        )
    path.parent.mkdir(exist_ok=True)
    sheet.save(path, "JPEG", quality=_QUALITY)


def _tiles(
    figures: CompositeFigures, source: Source, backgrounds_folder: Path | None, *, holes: bool
) -> list[NDArray[np.uint8]]:
    """Composite, truth, result, and their difference: red is missing, blue is extra."""
    truth = Truth(source.load())
    background = next(one for one in backgrounds_of(backgrounds_folder) if one.name == figures.background)
    data, picture = background.compose(truth.rgba, background.behind(truth.rgba, figures.art))
    result = remove_background(data, holes=holes).rgba
    alpha = truth.alpha if holes else truth.filled
    stage = np.full_like(picture, _STAGE)
    right = np.dstack([picture if not holes else truth.colour, alpha])
    solid, found = alpha >= SOLID_LEVEL, result[..., 3] >= SOLID_LEVEL
    difference = np.full_like(picture, 255)
    difference[solid & found] = 200
    difference[solid & ~found] = _MISSING
    difference[found & ~solid] = _EXTRA
    return [picture, over(right, stage), over(result, stage), difference]


def _fitted(picture: NDArray[np.uint8]) -> Image.Image:
    height, width = picture.shape[:2]
    scale = (TILE_PX - 4) / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    tile = Image.new("RGB", (TILE_PX, TILE_PX), "white")
    tile.paste(Image.fromarray(np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)))
    return tile
