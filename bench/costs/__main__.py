"""Measures, prints tables and writes bench/results/costs.json: `python -m bench.costs`.

Processor time is what a process was given, so other work on the machine hardly moves it; times on the clock are those
of this machine at this hour. Designs are made one after the other: under load commits, publishes and claims are shared,
and PostgreSQL, the broker and the services spend less on each than is shown here.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from bench.costs.doorbells import kept_doorbells
from bench.costs.measure import measure
from bench.costs.report import print_report, report_of, write


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each kind of artwork (%(default)s)")
    parser.add_argument("--idle-s", type=float, default=30.0, help="idle stretch before them, seconds (%(default)s)")
    options = parser.parse_args()
    if not sys.platform.startswith("linux"):
        parser.error("the clocks of other processes and the peaks of their memory are read as Linux tells them")
    report = report_of(asyncio.run(measure(options.runs, options.idle_s)), options.runs)
    rings = round(report["rings"]["status rings heard"]["mean"])
    report["kept_doorbells"] = asyncio.run(kept_doorbells(rings))
    print_report(report)
    write(report)


if __name__ == "__main__":
    main()
