"""The percentiles by which benches tell how long something took."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import NamedTuple, Self


class Percentiles(NamedTuple):
    """Of some times, in milliseconds; the 99th percentile is a time that was measured."""

    p50_ms: float
    p99_ms: float
    longest_ms: float

    @classmethod
    def of(cls, times_ms: Iterable[float], *, digits: int = 3) -> Self:
        """Percentiles of at least one time, rounded to so many decimal digits."""
        ordered = sorted(times_ms)
        found = statistics.median(ordered), ordered[int(0.99 * (len(ordered) - 1))], ordered[-1]
        return cls(*(round(each, digits) for each in found))
