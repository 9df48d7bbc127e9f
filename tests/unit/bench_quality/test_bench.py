"""The bench as a whole: what counts towards targets, and one artwork from drawing to report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.quality.__main__ import main, sources_for
from bench.quality.backgrounds import Kind
from bench.quality.cases import CompositeFigures, CutLineFigures, Half
from bench.quality.cut_line_metrics import CutLineMeasures
from bench.quality.verdicts import (
    confidence_figures,
    cut_line_verdicts,
    cutout_verdicts,
    has_tellable_holes,
    is_counted,
    is_excluded,
    rows,
)

GOOD = CompositeFigures(
    art="disc",
    background="white",
    kind=Kind.WHITE,
    half=Half.JUDGING,
    drawn=True,
    semi_transparent=False,
    boundary_near=0.0,
    enclosed_near=0.0,
    hole_share=0.0,
    method="FLAT",
    refusal=None,
    confidence=0.9,
    all_is_subject=False,
    iou=0.99,
    alpha_error=0.001,
    boundary_f=1.0,
    fringe=1.0,
    fringe_naive=20.0,
    holes_iou=0.99,
    hole_recall=None,
)


def verdicts(*figures: CompositeFigures) -> dict[str, bool]:
    """Which targets some composites meet."""
    return {verdict.name: verdict.is_met for verdict in cutout_verdicts(figures)}


def test_good_figures_meet_the_targets() -> None:
    """A good cutout meets what is asked of clean backgrounds; what was not measured is not met."""
    met = verdicts(GOOD)

    assert {name for name, is_met in met.items() if is_met} == {
        "clean: mean IoU",
        "clean: least IoU",
        "clean: mean boundary F at 2 px",
        "clean: fringe colour error, share of naive",
        "excluded: most confidence",
        "holes on: mean IoU",
    }


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"iou": 0.94}, {"clean: mean IoU", "clean: least IoU"}),
        ({"boundary_f": 0.96}, {"clean: mean boundary F at 2 px"}),
        ({"fringe": 11.0}, {"clean: fringe colour error, share of naive"}),
        ({"holes_iou": 0.97}, {"holes on: mean IoU"}),
    ],
)
def test_each_figure_can_miss_its_own_target(change: dict[str, float], missed: set[str]) -> None:
    """Changing one figure misses the targets that look at it, and no other."""
    before, after = verdicts(GOOD), verdicts(replace(GOOD, **change))  # type: ignore[arg-type]

    assert {name for name in before if before[name] and not after[name]} == missed


def test_art_that_looks_like_its_background_is_left_out_and_must_doubt_itself() -> None:
    """Above a tenth of its boundary near the background it no longer counts, but its confidence has to be low."""
    lost = replace(GOOD, boundary_near=0.11, iou=0.2, confidence=0.6)

    assert is_counted(replace(GOOD, boundary_near=0.10))
    assert is_excluded(lost)
    assert not is_counted(lost)
    assert verdicts(GOOD, lost)["clean: least IoU"]
    assert not verdicts(GOOD, lost)["excluded: most confidence"]
    assert verdicts(GOOD, replace(lost, confidence=0.4))["excluded: most confidence"]


def test_see_through_art_has_its_own_row() -> None:
    """It counts towards no target of solid art."""
    glass = replace(GOOD, semi_transparent=True, iou=0.1)

    assert not is_counted(glass)
    assert [(row.name, row.count) for row in rows([GOOD, glass])] == [
        ("white", 1),
        ("clean together", 1),
        ("semi-transparent", 1),
    ]


def test_holes_are_judged_where_they_can_be_told_from_art() -> None:
    """Enclosed art of background colour above half a per cent of the subject takes a composite out of that row."""
    assert has_tellable_holes(replace(GOOD, enclosed_near=0.005))
    assert not has_tellable_holes(replace(GOOD, enclosed_near=0.006))


def test_hole_recall_is_weighted_by_area() -> None:
    """A large hole removed outweighs a tiny one that was kept."""
    large, tiny = replace(GOOD, hole_share=0.3, hole_recall=1.0), replace(GOOD, hole_share=0.1, hole_recall=0.0)

    assert rows([large, tiny])[0].hole_recall == pytest.approx(0.75)
    assert rows([GOOD])[0].hole_recall is None


def test_confidence_is_judged_on_its_half_and_on_ten_of_each() -> None:
    """Photo-like composites of the other half change nothing, and nine bad ones are too few."""
    photo = replace(GOOD, kind=Kind.PHOTO, boundary_near=None)
    good = [replace(photo, confidence=0.6 + number / 100) for number in range(10)]
    bad = [replace(photo, iou=0.5, confidence=0.1 + number / 100) for number in range(10)]
    misled = [replace(photo, half=Half.TUNING, iou=0.5, confidence=0.99)] * 10

    assert confidence_figures([*good, *bad, *misled], Half.JUDGING).photo_auroc == 1
    assert confidence_figures([*good, *bad, *misled], None).photo_auroc == 0.5
    assert verdicts(*good, *bad, *misled)["photo: AUROC of confidence, judging half"]
    assert not verdicts(*good, *bad[:9])["photo: AUROC of confidence, judging half"]


def line_of(source: str, pixel_mm: float, out_of_line_mm: float, deviation_mm: float) -> CutLineFigures:
    """A cut line that is right but for what stands out of it and how far it strays."""
    measures = CutLineMeasures(out_of_line_mm, deviation_mm, 0.01, 0.0, 1.0, 20, 10.0, 0)
    return CutLineFigures(
        art="bee",
        source=source,
        half=Half.JUDGING,
        drawn=True,
        semi_transparent=False,
        boundary_near=0.0,
        refusal=None,
        pixel_mm=pixel_mm,
        measures=measures,
    )


def missed_by(line: CutLineFigures) -> set[str]:
    """Which targets a cut line misses."""
    return {verdict.name for verdict in cut_line_verdicts([line]) if not verdict.is_met}


def test_lines_are_held_to_a_twentieth_of_a_millimetre_or_a_pixel() -> None:
    """Art of fine pixels that brings its alpha stands out 0.05 mm at most; all else is bound by its own pixels."""
    in_mm, in_pixels = "solid art standing out, 150 dpi and finer, mm", "art standing out: of 0.05 mm or a pixel"
    deviation = "greatest deviation: of 0.05 mm or a pixel"

    assert missed_by(line_of("alpha", 0.1, 0.04, 0.09)) == set()
    assert missed_by(line_of("alpha", 0.1, 0.06, 0.11)) == {in_mm, deviation}
    assert missed_by(line_of("white", 0.1, 0.06, 0.06)) == set()
    assert missed_by(line_of("white", 0.02, 0.06, 0.06)) == {in_pixels, deviation}


def test_one_artwork_from_drawing_to_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A drawing and a file added by folder are measured, printed, and written as JSON and picture."""
    rgba = np.zeros((200, 200, 4), np.uint8)
    rgba[60:140, 50:150] = (20, 90, 160, 255)
    (tmp_path / "art").mkdir()
    Image.fromarray(rgba).save(tmp_path / "art" / "plain-block.png")

    main(["--only", "tiny-bee", "--art", str(tmp_path / "art"), "--results", str(tmp_path), "--workers", "1"])

    printed = capsys.readouterr().out
    assert "Drawn artworks: 1" in printed
    assert "Added artworks: 1" in printed
    report = json.loads((tmp_path / "quality.json").read_text())
    block = {one["background"]: one for one in report["added"]["composites"]}
    assert block["white"]["iou"] == 1
    assert len(report["drawn"]["composites"]) == 10
    assert {one["source"] for one in report["drawn"]["cut_lines"]} == {"alpha", "white"}
    with Image.open(tmp_path / "quality.jpg") as sheet:
        assert sheet.width > 600


def test_unknown_and_clashing_names_are_refused(tmp_path: Path) -> None:
    """A name that is no drawing, and a file named like one, are errors that say so."""
    with pytest.raises(ValueError, match="no such drawing: unicorn"):
        sources_for(["unicorn"], None)
    (tmp_path / "cat.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"named like drawings: cat\.png"):
        sources_for(["cat"], tmp_path)
