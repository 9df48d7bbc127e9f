"""Measures every step beside the codec floor, and peak memory: `python -m bench.stages`."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from bench.stages.artworks import draw
from bench.stages.cases import Case, Upload, cases_of, uploads
from bench.stages.chart import write_chart
from bench.stages.measure import CaseFigures, measure_case
from bench.stages.network import write_network
from bench.stages.report import print_report, write_json
from bench.stages.verdicts import verdicts
from cutline.domain.outputs import CutoutMethod

P = ParamSpec("P")
T = TypeVar("T")

RESULTS = Path(__file__).parents[1] / "results"
QUICK_MEGAPIXELS = 4


def chosen_uploads(only: str | None, *, quick: bool) -> tuple[Upload, ...]:
    """The uploads whose name holds a text; the quick ones are those of 4 MP."""
    return tuple(
        upload
        for upload in uploads()
        if (only is None or only.lower() in upload.name.lower())
        and (not quick or upload.megapixels == QUICK_MEGAPIXELS)
    )


def measure_upload(upload: Upload, folder: Path, runs: int, threads: int) -> list[CaseFigures]:
    """Draws an upload and measures its cases; drawing and each case have a process of their own."""
    artwork, network = folder / f"{upload.name}.bin", folder / "model.onnx"
    artwork.write_bytes(_in_fresh_process(draw, upload))
    model = network if upload.route is CutoutMethod.MODEL else None
    figures = []
    for case in cases_of(upload):
        figures.append(_in_fresh_process(measure_case, case, artwork, model, runs, threads))
        _tell(case, figures[-1])
    artwork.unlink()
    return figures


def _in_fresh_process(task: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(task, *arguments, **named).result()


def _tell(case: Case, figures: CaseFigures) -> None:
    print(f"{case.name:<38} {figures.ratio:.2f}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, keep the figures as JSON and as a picture; ends with status 1 where a bound is missed."""
    parser = argparse.ArgumentParser(prog="bench.stages", description=__doc__)
    parser.add_argument("--only", metavar="TEXT", help="uploads whose name holds this, such as 'flat 4 MP'")
    parser.add_argument("--quick", action="store_true", help="4 MP alone")
    parser.add_argument("--runs", type=int, default=7, help="runs of each case (%(default)s)")
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count() or 1, help="of native libraries, as a lone slot has (%(default)s)"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where the figures go")
    choice = parser.parse_args(arguments)
    selected = chosen_uploads(choice.only, quick=choice.quick)
    if not selected:
        parser.error(f"no upload is named like {choice.only!r}; there are: {', '.join(one.name for one in uploads())}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_network(folder / "model.onnx")
        measured = [one for upload in selected for one in measure_upload(upload, folder, choice.runs, choice.threads)]
    print_report(measured)
    write_json(measured, choice.threads, choice.results / "stages.json")
    write_chart(measured, choice.results / "stages.png")
    print(f"\n{choice.results / 'stages.png'}")
    sys.exit(0 if all(verdict.is_met for verdict in verdicts(measured)) else 1)


if __name__ == "__main__":
    main()
