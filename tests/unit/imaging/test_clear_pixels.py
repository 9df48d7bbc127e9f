"""Colours of the clear pixels beside the art."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from cutline.domain.outputs import OutputFormat
from cutline.domain.sticker_spec import StickerSpec, resolve
from cutline.imaging.exports.clear_pixels import REACH_PX, color_beside_art
from cutline.imaging.exports.pdf_objects import rgba_image
from cutline.imaging.pipeline import process
from tests.unit.imaging.pixel_art import encoded

needs_pdftocairo = pytest.mark.skipif(shutil.which("pdftocairo") is None, reason="pdftocairo (poppler) is missing")


@given(arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30)), elements=st.sampled_from([0, 0, 0, 0, 90])))
def test_every_clear_pixel_within_reach_has_a_colour_of_the_art(alpha: np.ndarray) -> None:
    """Clear pixels within reach take a colour from nearby art; those beyond, and the art itself, keep their own."""
    height, width = alpha.shape
    rgba = np.zeros((height, width, 4), np.uint8)
    rgba[..., 0], rgba[..., 1] = np.arange(width) + 1, np.arange(height)[:, None] + 1
    rgba[..., 3] = alpha
    rgba[alpha == 0, 2] = 200
    colored = color_beside_art(rgba).astype(int)
    clear = (alpha == 0).astype(np.uint8)
    distance = cv2.distanceTransform(clear, cv2.DIST_C, 3) if alpha.any() else np.full(alpha.shape, np.inf)
    kept = (distance == 0) | (distance > REACH_PX)
    np.testing.assert_array_equal(colored[kept], rgba[kept, :3])
    assert (colored[~kept][:, 2] == 0).all()
    rows, columns = np.nonzero(~kept)
    from_column, from_row = colored[rows, columns, 0] - 1, colored[rows, columns, 1] - 1
    assert (alpha[from_row, from_column] > 0).all()
    steps = np.maximum(np.abs(from_row - rows), np.abs(from_column - columns))
    np.testing.assert_array_equal(steps, distance[rows, columns])


def test_strips_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worked out in many strips, the colours are those of one."""
    rgba = np.zeros((120, 50, 4), np.uint8)
    cv2.circle(rgba, (25, 60), 22, (200, 30, 60, 255), cv2.FILLED, cv2.LINE_AA)
    rgba[20:40, :, :3] = rgba[20:40, :, :3] // 2 + np.arange(50, dtype=np.uint8)[:, None]
    whole = color_beside_art(rgba)
    monkeypatch.setattr("cutline.imaging.exports.clear_pixels._STRIP_PX", 1)
    np.testing.assert_array_equal(color_beside_art(rgba), whole)


def test_opaque_art_keeps_its_colours() -> None:
    """An image without transparency has no soft mask, and the pixels it was given."""
    rgba = np.random.default_rng(3).integers(0, 256, (9, 7, 4), dtype=np.uint8)
    rgba[..., 3] = 255
    pdf = pikepdf.Pdf.new()
    image = rgba_image(pdf, rgba, pikepdf.Name.DeviceRGB)
    assert "/SMask" not in image
    np.testing.assert_array_equal(np.frombuffer(image.read_bytes(), np.uint8).reshape(9, 7, 3), rgba[..., :3])


@needs_pdftocairo
def test_no_dark_line_around_the_art_in_a_viewer(tmp_path: Path) -> None:
    """White art over black clear pixels stays white in a renderer that scales colours apart from the mask."""
    rgba = np.zeros((400, 400, 4), np.uint8)
    cv2.circle(rgba, (200, 200), 150, (255, 255, 255, 255), cv2.FILLED)
    made = process(encoded(Image.fromarray(rgba), "PNG"), resolve(StickerSpec(width_mm=40, printer_preset="generic")))
    (tmp_path / "print.pdf").write_bytes(next(file.data for file in made.files if file.kind is OutputFormat.PRINT_PDF))
    subprocess.run(
        ["pdftocairo", "-png", "-r", "600", "-singlefile", tmp_path / "print.pdf", tmp_path / "page"],  # noqa: S607  (found on the path above)
        check=True,
        timeout=60,
    )
    page = np.asarray(Image.open(tmp_path / "page.png").convert("RGB"))
    rows, columns = np.indices(page.shape[:2])
    from_centre_mm = np.hypot(rows - len(page) / 2, columns - len(page[0]) / 2) * 25.4 / 600
    # The art's edge lies at 17 mm, the cut line at 20 mm.
    assert page[from_centre_mm < 19].min() == 255
