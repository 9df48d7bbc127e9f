"""Figures of the measurements, and what they are held to."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self

from bench.percentiles import Percentiles
from bench.watch.callers import Taken
from bench.watch.stand import Stamp

MS_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """A figure beside its bound; `bound` None is a figure that is only shown."""

    name: str
    value: float
    unit: str
    bound: float | None = None

    @property
    def reached(self) -> bool:
        """Whether the bound is kept."""
        return self.bound is None or self.value <= self.bound

    def line(self) -> str:
        """One line of the table."""
        value = f"{self.name:66}{self.value:10,.2f} {self.unit:8}"
        if self.bound is None:
            return value.rstrip()
        return f"{value} at most {self.bound:8,.4g}   {'reached' if self.reached else 'MISSED'}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a measurement found: verdicts for the table, and everything else for the JSON."""

    verdicts: list[Verdict]
    figures: dict[str, object]

    def report(self) -> dict[str, object]:
        """As JSON."""
        verdicts = [asdict(each) | {"value": round(each.value, 4), "reached": each.reached} for each in self.verdicts]
        return {"verdicts": verdicts} | self.figures


@dataclass(frozen=True, slots=True)
class Times:
    """Percentiles in milliseconds."""

    p50_ms: float
    p99_ms: float
    most_ms: float

    @classmethod
    def of(cls, times_ms: Sequence[float]) -> Self:
        """Percentiles of times."""
        return cls(*Percentiles.of(times_ms))

    @classmethod
    def median(cls, runs: Sequence[Times]) -> Self:
        """Medians over runs."""
        return cls(*(statistics.median(column) for column in zip(*(_columns(run) for run in runs), strict=True)))


def _columns(times: Times) -> tuple[float, float, float]:
    return times.p50_ms, times.p99_ms, times.most_ms


def latencies_ms(stamps: Sequence[Stamp], taken: Taken, *, from_begin: bool = False) -> list[float]:
    """From each commit to the moment its watcher knew: the first receipt of this revision or a later one.

    Args:
        stamps: The changes; watcher and design have the same number.
        taken: What the watchers got.
        from_begin: Count from when the commit was asked for.

    Raises:
        RuntimeError: A watcher was never told.
    """
    heard: dict[int, list[tuple[int, int]]] = {}
    for watcher, at_ns, revision in taken.receipts:
        heard.setdefault(watcher, []).append((revision, at_ns))
    times_ms = []
    for stamp in stamps:
        knew_ns = [at_ns for revision, at_ns in heard.get(stamp.number, ()) if revision >= stamp.revision]
        if not knew_ns:
            msg = f"watcher {stamp.number} was not told revision {stamp.revision}"
            raise RuntimeError(msg)
        times_ms.append((min(knew_ns) - (stamp.begun_ns if from_begin else stamp.committed_ns)) / MS_NS)
    return times_ms


def slope_per_minute(samples: Sequence[tuple[float, float]]) -> float:
    """Least-squares slope of values over seconds, per minute."""
    return 60 * statistics.linear_regression([at_s for at_s, _ in samples], [value for _, value in samples]).slope
