"""What the bleed of a sticker without border looks like: the art's edge goes on, and nothing is printed upon it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from shapely import Point

from cutline.domain.outputs import OutputFormat
from cutline.domain.sticker_spec import StickerSpec, resolve
from cutline.imaging.cut_line.build import build_cut_line
from cutline.imaging.exports.ink import lay_ink
from cutline.imaging.outline import trace_outline
from cutline.imaging.pipeline import make_sticker
from tests.support.drawn_art import ORANGE, artwork_of, cutout_of, disc, discs, drawn
from tests.support.print_files import PrintPdf

BLUE = (20, 60, 200)
needs_pdftocairo = pytest.mark.skipif(shutil.which("pdftocairo") is None, reason="pdftocairo (poppler) is missing")


def shadowed() -> NDArray[np.uint8]:
    """An orange disc over its blurred black shadow, which is nowhere dense enough to be art."""
    rgba = drawn(disc())
    over = rgba[..., 3] / 255
    under = cv2.GaussianBlur(drawn(discs((430, 430, 300)))[..., 3], (0, 0), 12) / 255 * 0.45
    alpha = over + (1 - over) * under
    rgba[..., :3] = np.rint(rgba[..., :3] * (over / np.maximum(alpha, 1e-9))[..., None])
    rgba[..., 3] = np.rint(255 * alpha)
    return rgba


def washed(reach_px: float) -> NDArray[np.uint8]:
    """A blue disc that fades out over so many pixels."""
    rows, columns = np.indices((800, 800))
    rgba = np.empty((800, 800, 4), np.uint8)
    rgba[..., :3] = BLUE
    rgba[..., 3] = np.clip(255 * (1 - (np.hypot(columns - 399.5, rows - 399.5) - 200) / reach_px), 0, 255)
    return rgba


def printed(rgba: NDArray[np.uint8], border_mm: float, folder: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A page without its cut line at 600 dpi: how far each pixel lies from its middle in mm, and its colour."""
    result = make_sticker(
        artwork_of(rgba), cutout_of(rgba), resolve(StickerSpec(width_mm=40.0, border_mm=border_mm, smoothing=0.0))
    )
    pdf = PrintPdf(next(file.data for file in result.files if file.kind is OutputFormat.PRINT_PDF))
    pdf.keep_layers("/LGround", "/LBleed", "/LArt")
    pdf.pdf.save(folder / "page.pdf")
    command = ["pdftocairo", "-png", "-r", "600", "-singlefile", str(folder / "page.pdf"), str(folder / "page")]
    subprocess.run(command, check=True, timeout=60)
    page = np.asarray(Image.open(folder / "page.png").convert("RGB"), np.float64)
    rows, columns = np.indices(page.shape[:2])
    return np.hypot(rows + 0.5 - len(page) / 2, columns + 0.5 - len(page[0]) / 2) * 25.4 / 600, page


@needs_pdftocairo
@pytest.mark.parametrize("border_mm", [0.0, -1.0])
def test_a_shadow_does_not_darken_the_bleed(border_mm: float, tmp_path: Path) -> None:
    """Out to 2 mm beyond the cut all is the disc's own colour, but for its edge: there its pixels hold some shadow."""
    from_middle_mm, page = printed(shadowed(), border_mm, tmp_path)
    beside_edge = (from_middle_mm < 21.8) & (np.abs(from_middle_mm - (20 - border_mm)) > 0.16)

    assert np.abs(page[beside_edge] - ORANGE).max() <= 2


@needs_pdftocairo
@pytest.mark.parametrize("border_mm", [0.0, -1.0])
def test_no_ink_lies_twice_along_a_soft_edge(border_mm: float, tmp_path: Path) -> None:
    """A disc that fades out gets nowhere darker on its way to the bleed, and the bleed stays as pale as it."""
    from_middle_mm, page = printed(washed(200.0), border_mm, tmp_path)
    blue_on_paper = 0.5 * np.array(BLUE) + 0.5 * 255
    rings = [page[np.abs(from_middle_mm - radius) < 0.05].mean(axis=0) for radius in np.arange(5, 21.8, 0.05)]

    assert np.diff(np.array(rings)[:, 0]).min() > -15
    assert np.abs(rings[-1] - blue_on_paper).max() <= 8


def test_specks_inside_the_face_are_printed() -> None:
    """Where the closed cut line encloses a bay, what the artwork has there is printed; only outside it is not."""
    rgba = drawn(discs((250, 400, 150), (550, 400, 150)))
    spec = resolve(StickerSpec(width_mm=60.0, border_mm=0.0))
    cutout = cutout_of(rgba)
    cut_line = build_cut_line(trace_outline(rgba, alpha_threshold=0.5, longer_side_mm=60.0), spec)
    ink = lay_ink(cutout, cut_line, spec)

    assert ink.art.buffer(0.02).contains(cut_line.face)
    assert not ink.art.intersects(Point(-1.0, cut_line.face.centroid.y))
    assert ink.bleed.contains(Point(-1.0, cut_line.face.centroid.y))
