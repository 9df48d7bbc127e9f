"""The figures as tables on the terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.quality.verdicts import Verdict
from bench.stages.measure import CaseFigures
from bench.stages.verdicts import most_bytes, verdicts

_SHORT = {"cut_line_svg": "svg", "cut_line_dxf": "dxf", "cutout_png": "cutout.png", "print_pdf": "pdf"}


def print_report(measured: Sequence[CaseFigures]) -> None:
    """Prints totals against the floor, then every step, then the verdicts."""
    print(
        f"{'':<38}{'decode':>8}{'encode':>8}{'floor':>8}{'all':>8}{'CPU':>8}{'ratio':>8}{'CPU':>7}"
        f"{'peak MB':>9}{'bound':>7}  (ms)"
    )
    for one in measured:
        peak = "-" if one.peak_bytes is None else f"{one.peak_bytes / 1e6:.0f}"
        times = (one.decode_s, one.encode_s, one.decode_s + one.encode_s, one.total_s, one.total_cpu_s)
        print(
            f"{one.case.name:<38}{''.join(f'{1000 * time_s:>8.0f}' for time_s in times)}{one.ratio:>8.2f}"
            f"{one.cpu_ratio:>7.2f}{peak:>9}{most_bytes(one) / 1e6:>7.0f}{'' if one.case.is_bounded else '  shown'}"
        )
    names = list(dict.fromkeys(name for one in measured for name in one.steps))
    titles = [_title(name) for name in names]
    print(f"\n{'steps, ms on the clock':<38}{''.join(f'{title:>{_room(title)}}' for title in titles)}")
    for one in measured:
        cells = (f"{1000 * one.steps[name].wall_s:>{_room(_title(name))}.0f}" for name in names)
        print(f"{one.case.name:<38}{''.join(cells)}")
    print()
    for verdict in verdicts(measured):
        _print_verdict(verdict)


def write_json(measured: Sequence[CaseFigures], threads: int, path: Path) -> None:
    """Writes every figure; times in milliseconds."""
    report = {
        "threads": threads,
        "verdicts": [
            {
                "name": verdict.name,
                "value": None if verdict.value is None else round(verdict.value, 3),
                "goal": verdict.goal,
                "is_met": verdict.is_met,
                "worst": verdict.worst,
            }
            for verdict in verdicts(measured)
        ],
        "cases": [_record(one) for one in measured],
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")


def _record(one: CaseFigures) -> dict[str, Any]:
    return {
        "case": one.case.name,
        "is_bounded": one.case.is_bounded,
        "runs": one.runs,
        "ratio": round(one.ratio, 3),
        "cpu_ratio": round(one.cpu_ratio, 3),
        "floor_decode_ms": _ms(one.decode_s),
        "floor_encode_ms": _ms(one.encode_s),
        "total_ms": _ms(one.total_s),
        "total_cpu_ms": _ms(one.total_cpu_s),
        "peak_bytes": one.peak_bytes,
        "most_bytes": most_bytes(one),
        "steps": {name: {"ms": _ms(step.wall_s), "cpu_ms": _ms(step.cpu_s)} for name, step in one.steps.items()},
        "files_bytes": one.files_bytes,
    }


def _print_verdict(verdict: Verdict) -> None:
    value = "-" if verdict.value is None else f"{verdict.value:.2f}"
    state = "met" if verdict.is_met else "MISSED"
    print(f"{state:<8}{verdict.name:<36}{value:>8} {verdict.sense} {verdict.goal:<5g} n={verdict.count}")
    if verdict.worst:
        print(f"        worst: {'; '.join(verdict.worst)}")


def _title(name: str) -> str:
    return _SHORT.get(name, name.removesuffix("_png").removesuffix("_json"))


def _room(title: str) -> int:
    return max(7, len(title) + 2)


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)
