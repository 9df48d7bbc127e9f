"""Tables of docs/scaling.md: the simulated launch day, the simulation beside reality, and the assumptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.scale.figures import Figures, number, table


def thresholds(figures: Figures) -> str:
    """One row a threshold."""
    return _runs([row for row in figures.runs["rows"] if row["name"].startswith("threshold")])


def others(figures: Figures) -> str:
    """What else an operator may meet."""
    return _runs([row for row in figures.runs["rows"] if not row["name"].startswith("threshold")])


def _runs(rows: list[Mapping[str, Any]]) -> str:
    head = [
        "run", "begins within: 99 %", "of others than the heavy tenant", "READY within: 50 %", "99 %", "most waiting",
        "most pods, imaging + mockup", "core hours", "price",
    ]  # fmt: skip
    return table(
        head,
        (
            [
                row["name"],
                _seconds(row["wait_p99_s"]),
                _seconds(row["others_p99_s"]),
                _seconds(row["ready_p50_s"]),
                _seconds(row["ready_p99_s"]),
                f"{row['most_waiting']:,}",
                " + ".join(str(each) for each in row["most_pods"].values()),
                f"{row['core_hours']:.0f}",
                f"{row['price']:.2f}",
            ]
            for row in rows
        ),
    )


def reality(figures: Figures) -> str:
    """The simulation beside the real thing."""
    real, slept, occupied = (figures.real[name] for name in ("real", "simulated", "simulated_with_bookkeeping"))
    titles = {
        "wait_mean_s": "mean wait",
        "wait_p50_s": "wait, 50 %",
        "wait_p99_s": "wait, 99 %",
        "most_lag": "highest lag, jobs",
        "drained_s": "drained after",
    }
    rows = []
    for name, title in titles.items():
        unit = "" if name == "most_lag" else " s"
        cells = (f"{run[name]:.2f}{unit}" if unit else f"{run[name]}" for run in (real, slept, occupied))
        rows.append([title, *cells, f"{occupied[name] / real[name]:.2f}"])
    job, slot = figures.real["job_s"], figures.real["slot_s"]
    return table(["", "real", f"simulated, {job:g} s a job", f"simulated, {slot:.3f} s a job", "ratio to real"], rows)


def assumptions(figures: Figures) -> str:
    """Everything that was not measured here."""
    cluster, day = figures.runs["cluster"], figures.runs["day"]
    settable = {name: value for name, value in {**cluster, **day}.items() if isinstance(value, int | float)}
    rows = [[f"`--{name.replace('_', '-')}`", _plain(value)] for name, value in settable.items()]
    return table(["assumption", "value"], rows)


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else number(value)


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 100 else f"{value:,.0f} s"
