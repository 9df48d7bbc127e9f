"""The figures as JSON and as tables; medians over the runs, then the mean over the mix."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.costs.measure import Measured, Run
from bench.costs.mix import MIX, weighted

RESULTS: Final = Path(__file__).parents[1] / "results"
COSTS: Final = RESULTS / "costs.json"


def report_of(measured: Measured, runs: int) -> dict[str, Any]:
    """Everything that was measured, as JSON."""
    return {
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "postgres": measured.postgres_version,
        "runs": runs,
        "designs": measured.designs,
        "start_cpu_s": _rounded(measured.start_cpu_s),
        "mix": {
            artwork.name: {"share": artwork.share, "bytes": measured.artwork_bytes[artwork.name]} for artwork in MIX
        },
        "idle": {
            "cpu_s_per_s": _rounded(measured.idle_cpu_s),
            "broker_per_s": _rounded(measured.idle_broker),
            "wal_bytes_per_s": round(measured.idle_wal_bytes, 1),
        },
        "cpu_s": _by_name(measured, lambda run: run.cpu_s),
        "broker": _by_name(measured, lambda run: run.broker),
        "stored_bytes": _by_name(measured, lambda run: run.stored_bytes),
        "blob_calls": _by_name(measured, lambda run: run.blob_calls),
        "rings": _by_name(measured, lambda run: run.rings),
        "watch": _by_name(measured, lambda run: run.watch),
        "wall_s": _by_name(measured, lambda run: run.wall_s),
        "slot_peaks_bytes": _by_name(measured, lambda run: run.slot_peaks_bytes),
        "wal_bytes": _by_name(measured, lambda run: {"wal_bytes": run.wal_bytes})["wal_bytes"],
        "postgres_per_design": {name: round(value, 3) for name, value in measured.postgres.items() if value},
        "streams_per_design": {name: round(value, 3) for name, value in measured.streams.items() if value},
        "kept_bytes": measured.kept,
        "resident_bytes": measured.resident_bytes,
    }


def _by_name(measured: Measured, pick: Callable[[Run], Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """For each figure its medians by artwork and their mean over the mix."""
    names = dict.fromkeys(name for runs in measured.runs.values() for run in runs for name in pick(run))
    found = {}
    for name in names:
        by_artwork = {
            artwork: median(pick(run).get(name, 0.0) for run in runs) for artwork, runs in measured.runs.items()
        }
        found[name] = {"mean": _short(weighted(by_artwork)), "by_artwork": _rounded(by_artwork)}
    return found


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: _short(value) for name, value in figures.items()}


def _short(value: float) -> float:
    """Five significant digits: no clock here is better."""
    return float(f"{value:.5g}")


def write(report: Mapping[str, Any]) -> None:
    """Writes bench/results/costs.json."""
    COSTS.parent.mkdir(exist_ok=True)
    COSTS.write_text(json.dumps(report, indent=1) + "\n")


def print_report(report: Mapping[str, Any]) -> None:
    """What one design costs, by artwork and in the mean of the mix."""
    names = [artwork.name for artwork in MIX]
    print(f"\nwhat one design costs: medians of {report['runs']} runs, idle share off; the last column is the mix")
    print(f"{'':34}" + "".join(f"{name:>22}" for name in names) + f"{'mix':>12}")
    print(f"{'share of all designs':34}" + "".join(f"{100 * artwork.share:>20.0f} %" for artwork in MIX))
    _print_rows("CPU ms (robust against other load)", report["cpu_s"], 1e3, 1)
    total = sum(one["mean"] for one in report["cpu_s"].values())
    print(f"{'  all parts':34}{'':{22 * len(names)}}{1e3 * total:>12.1f}")
    _print_rows("ms on the clock (only on an idle machine)", report["wall_s"], 1e3, 0)
    _print_rows("MB of memory, a slot's peak", report["slot_peaks_bytes"], 1e-6, 0)
    _print_rows("kB stored in S3", report["stored_bytes"], 1e-3, 1)
    _print_rows("calls to S3", report["blob_calls"], 1, 2)
    _print_rows("doorbells", report["rings"], 1, 2)
    _print_rows("broker, bytes and messages", report["broker"], 1, 1)
    _print_rows("a watcher", report["watch"], 1, 1)
    _print_rows("PostgreSQL", {"WAL kB": report["wal_bytes"]}, 1e-3, 1)
    print("\nPostgreSQL, a design")
    for name, value in report["postgres_per_design"].items():
        print(f"  {name:40}{value:>10.2f}")
    _print_doorbells(report["kept_doorbells"])
    print("\nkept, bytes a design" + f"{'rows':>30}{'rows bytes':>12}{'indexes':>12}")
    for table, kept in report["kept_bytes"].items():
        print(f"  {table:40}{kept['rows']:>8.2f}{kept['rows_bytes']:>12,.0f}{kept['indexes_bytes']:>12,.0f}")


def _print_doorbells(kept: Mapping[str, float]) -> None:
    print(
        f"\nthe broker, for each of {kept['designs']:,} designs that rang {kept['rings']} times within the stream's age"
    )
    print(f"  {'memory as it comes, bytes':40}{kept['memory_bytes']:>10,.0f}")
    print(f"  {'memory, collected all the time, bytes':40}{kept['live_memory_bytes']:>10,.0f}")
    print(f"  {'disk, bytes':40}{kept['disk_bytes']:>10,.0f}")


def _print_rows(title: str, figures: Mapping[str, Any], unit: float, digits: int) -> None:
    print(title)
    for name, one in figures.items():
        cells = "".join(f"{unit * value:>22,.{digits}f}" for value in one["by_artwork"].values())
        print(f"  {name:32}{cells}{unit * one['mean']:>12,.{digits}f}")
