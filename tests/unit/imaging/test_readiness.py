"""Each finding at each level it can reach, on art drawn for it, and pointing at where the fault was drawn."""

from __future__ import annotations

import ast
import inspect as source_of
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from cutline.domain.outputs import BoxMm, Finding, FindingLevel, OutputFormat, PrintVerdict
from cutline.domain.sticker_spec import CutType, StickerSpec, resolve
from cutline.imaging.model import StickerResult
from cutline.imaging.pipeline import process
from cutline.imaging.press_profile import PressProfile
from cutline.imaging.readiness import art, canvas, contrast, edges, narrow, pieces, press, size
from cutline.imaging.readiness.checks import CHECKS
from tests.unit.imaging.finding_artworks import CASES, FAIL, NOT_APPLICABLE, PASS, WARN, BoxPx, Drawing

DOCUMENT: Final = Path(__file__).parents[3] / "docs" / "print-readiness.md"
LEVEL_OF_MAKER: Final = {"passed": PASS, "warned": WARN, "failed": FAIL, "not_applicable": NOT_APPLICABLE}
UNMEASURED: Final = {"SUBJECT"}
"""A background was found or it was not."""
ROWS: Final = [
    pytest.param(code, drawing, id=f"{code}-{drawing.level}-{index}")
    for code, case in CASES.items()
    for index, drawing in enumerate(case.drawings)
]


def made(data: bytes, wishes: dict[str, Any], profile: PressProfile | None = None) -> StickerResult:
    """The sticker of a file."""
    spec = resolve(StickerSpec(**wishes, output_formats=(OutputFormat.REPORT_JSON,)))
    return process(data, spec, press=profile)


def finding_of(result: StickerResult, code: str) -> Finding:
    """The finding of that code."""
    return next(finding for finding in result.findings if finding.code == code)


def in_pixels(box: BoxMm, result: StickerResult) -> BoxPx:
    """A place, in mm from the trim box's corner, in pixels of the artwork."""
    canvas = result.geometry.canvas_box
    png = next(file.data for file in result.files if file.kind is OutputFormat.CUTOUT_PNG)
    px_per_mm = int.from_bytes(png[16:20], "big") / canvas.width_mm
    x, y = (box.x_mm - canvas.x_mm) * px_per_mm, (box.y_mm - canvas.y_mm) * px_per_mm
    return x, y, x + box.width_mm * px_per_mm, y + box.height_mm * px_per_mm


@pytest.mark.parametrize(("code", "drawing"), ROWS)
def test_the_artwork_moves_the_finding(code: str, drawing: Drawing) -> None:
    """Under the finding's one spec, this artwork gives this level, with all that such a finding must bring along."""
    result = made(drawing.draw(), CASES[code].wishes | drawing.wishes, drawing.press)
    finding = finding_of(result, code)

    assert finding.level is drawing.level, finding
    assert finding.message.endswith(".")
    assert bool(finding.fix) == (drawing.level in {WARN, FAIL})
    if drawing.level in {WARN, FAIL}:
        assert finding.place is not None
        assert drawing.at is not None
    if drawing.level in {WARN, FAIL} and code not in UNMEASURED:
        assert finding.value is not None
        assert finding.limit is not None
        assert finding.unit
    if drawing.at is not None and finding.place is not None:
        x_min, y_min, x_max, y_max = in_pixels(finding.place, result)
        assert drawing.at[0] <= x_min <= x_max <= drawing.at[2], (finding.place, drawing.at)
        assert drawing.at[1] <= y_min <= y_max <= drawing.at[3], (finding.place, drawing.at)


@pytest.mark.parametrize("code", CASES)
def test_only_the_artwork_differs_between_levels(code: str) -> None:
    """A level other than NOT_APPLICABLE never comes from a wish of its own."""
    assert all(drawing.level is NOT_APPLICABLE for drawing in CASES[code].drawings if drawing.wishes)


@cache
def reachable() -> dict[str, frozenset[FindingLevel]]:
    """Codes and levels that the source of the checks can make."""
    found = {}
    for check in CHECKS:
        names = list(ast.walk(ast.parse(source_of.getsource(check))))
        code = next(
            node.value
            for node in names
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch(r"[A-Z]+(_[A-Z]+)*", node.value)
        )
        found[code] = frozenset(
            LEVEL_OF_MAKER[node.id] for node in names if isinstance(node, ast.Name) and node.id in LEVEL_OF_MAKER
        )
    return found


def test_every_reachable_level_has_its_artwork() -> None:
    """A check or a level that is added to the code needs an artwork in the table; one that is gone takes it away."""
    drawn_levels = {code: frozenset(drawing.level for drawing in case.drawings) for code, case in CASES.items()}

    assert drawn_levels == reachable()


def documented() -> dict[str, list[str]]:
    """The rows of the document's table of findings: WARN and FAIL by code."""
    _, _, section = DOCUMENT.read_text("utf-8").partition("\n## Findings\n")
    rows = re.findall(r"^\| `([A-Z_]+)` \|(.+)\|$", section.partition("\n## ")[0], re.MULTILINE)
    return {code: [cell.strip() for cell in cells.split("|")] for code, cells in rows}


def test_the_document_lists_every_finding_and_no_other() -> None:
    """The table has a row for each code, in the order of the report, and a limit for each level that can be reached."""
    table = documented()

    assert [code for code in table if code != "MOCKUPS_UNAVAILABLE"] == list(reachable())
    for code, levels in reachable().items():
        _, warn, fail = table[code]
        assert bool(warn) == (WARN in levels), code
        assert bool(fail) == (FAIL in levels), code


@pytest.mark.parametrize(
    ("code", "warn", "fail"),
    [
        ("CUTOUT_CONFIDENCE", [art.CONFIDENCE_GOOD], [art.CONFIDENCE_LEAST]),
        ("RESOLUTION", [size.DPI_GOOD], [size.DPI_LEAST]),
        ("STICKER_SIZE", [size.SMALL_MM, size.HUGE_MM], [size.TINY_MM]),
        ("ASPECT_RATIO", [100 * size.ASPECT_SHARE], []),
        ("BLEED", [edges.BLEED_LEAST_MM], [100 * edges.BARE_SHARE]),
        ("MIN_RADIUS", [edges.BLADE_MM], []),
        ("THIN_PARTS", [narrow.THIN_MM], [narrow.FRAIL_MM]),
        ("THIN_NECKS", [narrow.THIN_MM], [narrow.FRAIL_MM]),
        ("CUT_COMPLEXITY", [size.SEGMENTS_MANY], [size.SEGMENTS_TOO_MANY]),
        ("ART_LOST", [edges.LOST_MM], [edges.LOST_MUCH_MM, 100 * edges.LOST_MUCH_SHARE]),
        ("ART_CROPPED", [canvas.CROPPED_MM], []),
        ("SPECKS", [pieces.SPECKS_MM2], []),
        ("SOFT_SHADOW", [art.SHADOW_MM], []),
        ("TRANSPARENCY", [100 * art.TRANSPARENT_SHARE], []),
        (
            "EDGE_CONTRAST",
            [100 * contrast.CONTRAST_SHARE, contrast.CONTRAST_DELTA_E, 100 * contrast.FILLED_SHARE],
            [100 * contrast.BLANK_EDGE_SHARE, 100 * contrast.BLANK_ART_SHARE],
        ),
        ("PRESS_GAMUT", [100 * press.GAMUT_SHARE, press.GAMUT_DELTA_E], []),
    ],
)
def test_the_document_has_the_limits_of_the_code(code: str, warn: list[float], fail: list[float]) -> None:
    """Every limit in the code stands in the finding's row, in digits."""
    _, warn_cell, fail_cell = documented()[code]

    for cell, limits in ((warn_cell, warn), (fail_cell, fail)):
        said = {float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?:\.\d+)?", cell)}
        assert {float(limit) for limit in limits} <= said, (code, cell)


def test_places_of_a_kiss_cut_count_from_the_liner() -> None:
    """The frame is the trim box, which is the liner's for a kiss cut: places move with it, and still point right."""
    case = CASES["TRANSPARENCY"]
    drawing = next(drawing for drawing in case.drawings if drawing.level is WARN)

    result = made(drawing.draw(), {"cut_type": CutType.KISS_CUT, "liner_margin_mm": 10.0})
    place = finding_of(result, "TRANSPARENCY").place

    assert place is not None
    assert drawing.at is not None
    x_min, y_min, x_max, y_max = in_pixels(place, result)
    assert drawing.at[0] <= x_min < x_max <= drawing.at[2]
    assert drawing.at[1] <= y_min < y_max <= drawing.at[3]
    assert result.geometry.cut_box.x_mm == pytest.approx(10.0, abs=0.01)


def test_the_verdict_is_the_worst_finding() -> None:
    """One FAIL among the findings makes the verdict FAIL, whatever the others say."""
    failing = next(drawing for drawing in CASES["RESOLUTION"].drawings if drawing.level is FAIL)

    assert made(failing.draw(), CASES["RESOLUTION"].wishes).print_verdict is PrintVerdict.FAIL
