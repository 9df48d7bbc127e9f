"""What a press gets: the plates of a print PDF, made by an independent renderer."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pikepdf
import pytest
from numpy.typing import NDArray
from PIL import Image

from cutline.domain.outputs import OutputFormat
from cutline.domain.presets import printer_preset, printer_preset_ids
from cutline.domain.sticker_spec import CutType, StickerSpec, resolve
from cutline.imaging.pipeline import make_sticker
from cutline.imaging.press_profile import PressProfile
from tests.support.drawn_art import artwork_of, cutout_of, disc, drawn, ring
from tests.support.plates import MM_PER_PX, PROCESS_INKS, inked_box_mm, saved, separated, without_layers
from tests.support.press_profiles import icc_profile

NEAR_MM = 0.09
"""A pixel of 0.04 mm, at either end, counts as inked wherever ink touches it."""
STROKE_MM = 0.25 / 72 * 25.4


def glazed(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The art with its left half see-through and its lower half white: hard cases for ink on ink."""
    rgba = rgba.copy()
    rgba[:, :400, 3] = rgba[:, :400, 3] * 0.6
    rgba[400:, :, :3] = 255
    return rgba


def print_pdf(*, art: NDArray[np.uint8] | None = None, press: PressProfile | None = None, **wishes: Any) -> bytes:
    """A print PDF, 40 mm wide, of a drawn ring or other art."""
    rgba = drawn(ring()) if art is None else art
    spec = resolve(StickerSpec(**{"width_mm": 40.0, **wishes}, output_formats=(OutputFormat.PRINT_PDF,)))
    result = make_sticker(artwork_of(rgba), cutout_of(rgba), spec, press=press)
    return next(file.data for file in result.files if file.kind is OutputFormat.PRINT_PDF)


def line_box_mm(plate: NDArray[np.uint8]) -> tuple[float, float, float, float]:
    """The box of the middle of a cut line's stroke."""
    x, y, width, height = inked_box_mm(plate)
    return x + STROKE_MM / 2, y + STROKE_MM / 2, width - STROKE_MM, height - STROKE_MM


def test_the_cut_has_a_plate_of_its_own_and_the_right_size(tmp_path: Path) -> None:
    """The CutContour plate shows a line whose box is the sticker's, 40 mm, and the bleed from the page's corner."""
    plates = separated(print_pdf(art=drawn(disc())), tmp_path / "plates")

    assert set(plates) == {*PROCESS_INKS, "CutContour"}
    assert line_box_mm(plates["CutContour"]) == pytest.approx((2, 2, 40, 40), abs=NEAR_MM)
    middle = plates["CutContour"][plates["CutContour"].shape[0] // 2]
    assert 2 <= np.count_nonzero(middle) <= 10, "a hairline on either side, nothing between"


@pytest.mark.parametrize("preset_id", printer_preset_ids())
def test_plates_have_the_names_of_the_preset(preset_id: str, tmp_path: Path) -> None:
    """Cut and white are plates by the preset's names; only `C` is none, which Ghostscript takes for cyan."""
    preset = printer_preset(preset_id)

    plates = separated(print_pdf(printer_preset=preset_id, white_ink=True), tmp_path / "plates")

    assert set(plates) == {*PROCESS_INKS, preset.through_spot, preset.white_spot} - {"C"}


def test_white_ink_has_a_plate_choked_inside_the_cut(tmp_path: Path) -> None:
    """The White plate is full under art and border, ends 0.1 mm inside the cut and leaves the cut-out hole free."""
    plates = separated(print_pdf(white_ink=True, inner_cuts=True), tmp_path / "plates")

    assert inked_box_mm(plates["White"]) == pytest.approx((2.1, 2.1, 39.8, 39.8), abs=NEAR_MM)
    middle = plates["White"].shape[0] // 2
    assert plates["White"][middle, middle] == 0
    assert plates["White"][middle, round(8 / MM_PER_PX)] == 255, "in the middle of the ring's band"


def test_without_a_border_colour_only_the_art_gets_white(tmp_path: Path) -> None:
    """With border colour none the plate is 3 mm of border and 0.1 mm of choke smaller than the cut on each side."""
    plates = separated(print_pdf(white_ink=True, border_color="none"), tmp_path / "plates")

    assert inked_box_mm(plates["White"]) == pytest.approx((5.1, 5.1, 33.8, 33.8), abs=NEAR_MM)


def test_a_kiss_cut_by_rolands_names_has_three_plates(tmp_path: Path) -> None:
    """CutContour is the 40 mm sticker, PerfCutContour the 46 mm liner around it, RDG_WHITE the sticker's white."""
    data = print_pdf(printer_preset="roland", cut_type=CutType.KISS_CUT, white_ink=True)
    plates = separated(data, tmp_path / "plates")

    assert set(plates) == {*PROCESS_INKS, "CutContour", "PerfCutContour", "RDG_WHITE"}
    assert line_box_mm(plates["PerfCutContour"]) == pytest.approx((2, 2, 46, 46), abs=NEAR_MM)
    assert line_box_mm(plates["CutContour"]) == pytest.approx((5, 5, 40, 40), abs=NEAR_MM)
    assert inked_box_mm(plates["RDG_WHITE"]) == pytest.approx((5.1, 5.1, 39.8, 39.8), abs=NEAR_MM)


PRINTS: dict[str, dict[str, Any]] = {
    "art on paper": {},
    "art on a coloured border": {"border_color": "#204080"},
    "full bleed": {"border_mm": -1.0},
    "for a press": {"border_color": "#204080", "press": PressProfile.read(icc_profile())},
}


@pytest.mark.parametrize("printed", PRINTS)
def test_cut_and_white_leave_the_process_plates_alone(printed: str, tmp_path: Path) -> None:
    """C, M, Y and K are the same, pixel by pixel, with and without cut and white, also under see-through art."""
    wishes = {"art": glazed(drawn(ring())), "inner_cuts": True, **PRINTS[printed]}
    data = print_pdf(white_ink=True, **wishes)
    whole = separated(data, tmp_path / "whole")
    files = {
        "cut": without_layers(data, ["CutContour"]),
        "white": without_layers(data, ["White"]),
        "both": without_layers(data, ["CutContour", "White"]),
    }
    less = {name: separated(file, tmp_path / name) for name, file in files.items()}

    assert all(whole[ink].any() for ink in PROCESS_INKS[:3])
    for plates in less.values():
        assert all(np.array_equal(whole[ink], plates[ink]) for ink in PROCESS_INKS)
    assert np.array_equal(whole["White"], less["cut"]["White"])
    assert np.array_equal(whole["CutContour"], less["white"]["CutContour"])


def test_a_cut_that_knocks_out_would_be_seen(tmp_path: Path) -> None:
    """With overprint off, as a preset can ask, the process plates do lose the line: the comparison can fail."""
    data = print_pdf(border_color="#204080")
    pdf = pikepdf.open(io.BytesIO(data))
    pdf.pages[0].Resources.ExtGState.GsCut.OP = False
    knocking = separated(saved(pdf), tmp_path / "knocking")
    bare = separated(without_layers(data, ["CutContour"]), tmp_path / "bare")

    assert any(not np.array_equal(knocking[ink], bare[ink]) for ink in PROCESS_INKS)


@pytest.mark.parametrize("printed", PRINTS)
def test_viewers_show_the_art_through_white_ink(printed: str, tmp_path: Path) -> None:
    """A viewer that simulates no overprint paints the same picture with and without the White layer."""
    viewer = shutil.which("pdftocairo")
    if viewer is None:
        pytest.skip("pdftocairo (poppler-utils) is not installed")
    data = print_pdf(art=glazed(drawn(ring())), white_ink=True, **PRINTS[printed])
    pictures = []
    for name, shown in {"with": data, "without": without_layers(data, ["White"])}.items():
        (tmp_path / f"{name}.pdf").write_bytes(shown)
        command = [viewer, "-r", "100", "-singlefile", "-png", str(tmp_path / f"{name}.pdf"), str(tmp_path / name)]
        subprocess.run(command, check=True, timeout=60)
        pictures.append(np.asarray(Image.open(tmp_path / f"{name}.png"), int))

    assert np.abs(pictures[0] - pictures[1]).max() <= 1, "a level of rounding at most"


@pytest.mark.parametrize("printed", PRINTS)
@pytest.mark.parametrize("cut_type", CutType)
def test_qpdf_finds_nothing_wrong(printed: str, cut_type: CutType, tmp_path: Path) -> None:
    """`qpdf --check` ends with 0: neither errors nor warnings."""
    checker = shutil.which("qpdf")
    if checker is None:
        pytest.skip("qpdf is not installed")
    (tmp_path / "print.pdf").write_bytes(print_pdf(cut_type=cut_type, white_ink=True, **PRINTS[printed]))
    command = [checker, "--check", str(tmp_path / "print.pdf")]
    told = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)

    assert (told.returncode, told.stderr) == (0, ""), told.stdout
