"""The bench of stages: what it draws, what it holds to bounds, and one case from drawing to report."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bench.stages.artworks import draw
from bench.stages.cases import BOUNDED, SIDES_PX, Case, FileFormat, Look, Upload, cases_of, uploads
from bench.stages.chart import write_chart
from bench.stages.measure import CaseFigures, StepFigures, measure_case
from bench.stages.report import print_report, write_json
from bench.stages.verdicts import most_bytes, verdicts
from cutline.domain.outputs import CutoutMethod, OutputFormat
from cutline.imaging.pipeline import STEPS

SMALL = Upload(Look.FLAT, CutoutMethod.FLAT, 4)
FIGURES = CaseFigures(
    case=Case(SMALL, 3.0),
    runs=3,
    route="FLAT",
    decode_s=0.03,
    encode_s=0.07,
    total_s=0.25,
    total_cpu_s=0.25,
    ratio=2.5,
    cpu_ratio=2.5,
    steps={name: StepFigures(0.02, 0.02) for name in STEPS},
    files_bytes={},
    peak_bytes=100_000_000,
)


def test_every_bounded_route_look_size_and_border_is_measured() -> None:
    """Both looks are measured on ALPHA and FLAT at both sizes, with a border and with bleed instead of one."""
    measured = {
        (case.upload.look, case.upload.route, case.upload.megapixels, case.border_mm)
        for upload in uploads()
        for case in cases_of(upload)
    }

    assert measured >= {
        (look, route, megapixels, border_mm)
        for look in Look
        for route in BOUNDED
        for megapixels in SIDES_PX
        for border_mm in (3.0, 0.0)
    }
    assert all(case.spec().bleed_mm == 2 for upload in uploads() for case in cases_of(upload))
    assert set(Case(SMALL, 0.0).spec().output_formats) == set(OutputFormat)


@pytest.mark.parametrize("route", [CutoutMethod.ALPHA, CutoutMethod.FLAT, CutoutMethod.GRABCUT])
@pytest.mark.parametrize("look", list(Look))
def test_artworks_are_the_same_every_time(look: Look, route: CutoutMethod, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing twice gives the same bytes, of the size stated, with alpha where that is the route."""
    monkeypatch.setitem(SIDES_PX, 4, 160)
    upload = Upload(look, route, 4)

    data = draw(upload)

    assert data == draw(upload)
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (160, 160)
        assert ("A" in image.getbands()) == (route is CutoutMethod.ALPHA)


def test_one_case_is_measured_from_drawing_to_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A small case goes through memory, floor and pipeline, and comes out as table, JSON and picture."""
    monkeypatch.setitem(SIDES_PX, 4, 400)
    upload = Upload(Look.PHOTO, CutoutMethod.FLAT, 4, FileFormat.JPEG)
    artwork = tmp_path / "artwork"
    artwork.write_bytes(draw(upload))

    figures = measure_case(Case(upload, 0.0), artwork, None, 2, 1)
    print_report([figures])
    write_json([figures], 1, tmp_path / "stages.json")
    write_chart([figures], tmp_path / "stages.png")

    assert list(figures.steps) == list(STEPS)
    assert 0 < sum(step.wall_s for step in figures.steps.values()) <= 1.5 * figures.total_s
    assert figures.ratio > 1
    assert set(figures.files_bytes) == {kind.value for kind in OutputFormat}
    assert "4 MP: pipeline to codec floor" in capsys.readouterr().out
    written = json.loads((tmp_path / "stages.json").read_text())
    assert written["cases"][0]["case"] == figures.case.name
    with Image.open(tmp_path / "stages.png") as chart:
        assert len(chart.getcolors(100_000) or []) > 8


def test_a_case_that_takes_another_route_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures under the wrong name are worse than none."""
    monkeypatch.setitem(SIDES_PX, 4, 200)
    artwork = tmp_path / "artwork"
    artwork.write_bytes(draw(Upload(Look.FLAT, CutoutMethod.ALPHA, 4)))

    with pytest.raises(RuntimeError, match="the pipeline took ALPHA"):
        measure_case(Case(SMALL, 3.0), artwork, None, 1, 1)


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({}, []),
        ({"ratio": 3.01}, ["4 MP: pipeline to codec floor"]),
        ({"peak_bytes": 12 * 4_000_000 + 150_000_001}, ["4 MP: peak memory to its bound"]),
        ({"peak_bytes": None}, ["4 MP: peak memory to its bound"]),
    ],
)
def test_a_case_beyond_a_bound_misses_it(change: dict[str, Any], missed: list[str]) -> None:
    """Too long or too much memory is missed; so is memory that could not be measured."""
    found = verdicts([replace(FIGURES, **change)])

    assert most_bytes(FIGURES) == 198_000_000
    assert [one.name for one in found if not one.is_met] == missed


def test_the_worst_bounded_case_decides() -> None:
    """One slow case among fast ones is enough; routes without bounds decide nothing."""
    slow = replace(FIGURES, ratio=3.5)
    other = replace(FIGURES, case=Case(replace(SMALL, route=CutoutMethod.GRABCUT), 3.0), ratio=9.0)

    assert verdicts([FIGURES, slow, other])[0].value == 3.5
    assert verdicts([other]) == []
