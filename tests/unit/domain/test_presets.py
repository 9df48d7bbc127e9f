"""Printer presets: data files that must hold what a print file needs, whoever adds one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cutline.domain.errors import InvalidInputError
from cutline.domain.presets import PrinterPreset, printer_preset, printer_preset_ids
from cutline.domain.sticker_spec import LIMITS, CutType, StickerSpec, resolve

PRESETS = [printer_preset(name) for name in printer_preset_ids()]
ONE_CUT_ONLY = [preset for preset in PRESETS if preset.through_spot == preset.kiss_spot]
BOTH_CUTS = [preset for preset in PRESETS if preset not in ONE_CUT_ONLY]

# Layers of DXF take fewer characters than PDF names; the process inks are no spot colours.
SPOT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9 _-]{0,62}")
PROCESS_INKS = {"All", "None", "Cyan", "Magenta", "Yellow", "Black"}

every_preset = pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.id)


@every_preset
def test_every_preset_holds_what_a_print_file_needs(preset: PrinterPreset) -> None:
    """Names are spot colours that PDF and DXF can hold, white differs from the cuts, sizes are in their limits."""
    spots = {preset.through_spot, preset.kiss_spot, preset.white_spot}

    assert all(SPOT_NAME.fullmatch(spot) for spot in spots)
    assert not spots & PROCESS_INKS
    assert preset.white_spot not in {preset.through_spot, preset.kiss_spot}
    assert 0 < preset.stroke_pt <= 1
    assert isinstance(preset.overprint, bool)
    for name, value in preset.spec_values().items():
        assert LIMITS[name].holds(float(str(value)))


@every_preset
def test_every_preset_makes_a_die_cut(preset: PrinterPreset) -> None:
    """A die cut resolves with the preset's own bleed, safe zone and radius, where it has them."""
    spec = resolve(StickerSpec(printer_preset=preset.id))

    assert {name: getattr(spec, name) for name in preset.spec_values()} == preset.spec_values()
    assert spec.preset == preset


@pytest.mark.parametrize("preset", ONE_CUT_ONLY, ids=lambda preset: preset.id)
def test_one_name_for_both_cuts_is_refused_for_a_kiss_cut(preset: PrinterPreset) -> None:
    """A blade could not tell the kiss line from the cut around it, so the error names field and preset."""
    with pytest.raises(InvalidInputError) as caught:
        resolve(StickerSpec(printer_preset=preset.id, cut_type=CutType.KISS_CUT))

    assert [violation.field for violation in caught.value.violations] == ["spec.printer_preset"]
    assert preset.id in caught.value.message


@pytest.mark.parametrize("preset", BOTH_CUTS, ids=lambda preset: preset.id)
def test_two_names_make_a_kiss_cut(preset: PrinterPreset) -> None:
    """Presets that tell the cuts apart take both kinds."""
    assert resolve(StickerSpec(printer_preset=preset.id, cut_type=CutType.KISS_CUT)).preset == preset


@every_preset
def test_the_page_for_users_shows_every_preset(preset: PrinterPreset) -> None:
    """docs/print-readiness.md has a row for each preset with the names of its cuts."""
    page = (Path(__file__).parents[3] / "docs" / "print-readiness.md").read_text("utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{preset.id}`"))

    named = {name.strip("` ") for name in row.split("|")[2:4]} - {""}
    assert named == {preset.through_spot, preset.kiss_spot}


def test_presets_of_both_kinds_exist() -> None:
    """Generic, Roland and kiss-first shops take kiss cuts; shops with one cut line are there too."""
    assert {preset.id for preset in BOTH_CUTS} >= {"generic", "roland", "kiss-first"}
    assert {preset.id for preset in ONE_CUT_ONLY} >= {"onlineprinters", "myfolie"}


def test_ids_fit_a_command_line() -> None:
    """Every id is lower case words with hyphens, and every preset has a title."""
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", preset.id) for preset in PRESETS)
    assert all(preset.title for preset in PRESETS)
