"""Measures cutouts and cut lines on art of exact alpha: `python -m bench.quality`."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from bench.quality.artworks import DRAWINGS
from bench.quality.cases import ArtworkFigures, Source, measure_artwork
from bench.quality.contact_sheet import worst_cases, write_contact_sheet
from bench.quality.report import print_report, write_json

RESULTS = Path(__file__).parents[1] / "results"
QUICK = ("cat", "ring", "ghost-bare", "bottle")
CASES_EACH = 12


def sources_for(names: Sequence[str], art_folder: Path | None) -> list[Source]:
    """The named drawings, then the RGBA files of a folder.

    Raises:
        ValueError: A file has the name of a drawing, or a name is no drawing.
    """
    drawn = {drawing.name for drawing in DRAWINGS}
    unknown = sorted(set(names) - drawn)
    if unknown:
        msg = f"no such drawing: {', '.join(unknown)}; there are {', '.join(sorted(drawn))}"
        raise ValueError(msg)
    files = sorted(art_folder.glob("*.png")) if art_folder else []
    clashing = sorted(file.name for file in files if file.stem in drawn)
    if clashing:
        msg = f"files named like drawings: {', '.join(clashing)}"
        raise ValueError(msg)
    return [*(Source(name) for name in names), *(Source(file.stem, file) for file in files)]


def measure(sources: Sequence[Source], backgrounds_folder: Path | None, workers: int) -> list[ArtworkFigures]:
    """Measures every artwork in its own process of a pool, and keeps their order."""
    figures = []
    task = partial(measure_artwork, backgrounds_folder=backgrounds_folder)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for number, one in enumerate(pool.map(task, sources), start=1):
            figures.append(one)
            if sys.stderr.isatty():
                print(f"\r{number}/{len(sources)} artworks", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and keep the figures as JSON and the worst cases as a picture."""
    parser = argparse.ArgumentParser(prog="bench.quality", description=__doc__)
    parser.add_argument("--art", type=Path, metavar="DIR", help="RGBA PNG files to measure as well")
    parser.add_argument("--backgrounds", type=Path, metavar="DIR", help="photographs to put artworks on as well")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these drawings alone")
    parser.add_argument("--quick", action="store_true", help=f"{', '.join(QUICK)} alone")
    parser.add_argument("--workers", type=int, default=2, help="processes (%(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where the figures go")
    choice = parser.parse_args(arguments)
    names = choice.only or (QUICK if choice.quick else [drawing.name for drawing in DRAWINGS])
    try:
        sources = sources_for(names, choice.art)
    except ValueError as error:
        parser.error(str(error))
    start_s = time.perf_counter()
    figures = measure(sources, choice.backgrounds, choice.workers)
    print_report(figures)
    write_json(figures, choice.results / "quality.json")
    composites = [one for artwork in figures for one in artwork.composites]
    write_contact_sheet(
        worst_cases(composites, each=CASES_EACH),
        {source.name: source for source in sources},
        choice.results / "quality.jpg",
        choice.backgrounds,
    )
    print(f"\n{len(composites)} composites in {time.perf_counter() - start_s:.0f} s; {choice.results / 'quality.jpg'}")


if __name__ == "__main__":
    main()
