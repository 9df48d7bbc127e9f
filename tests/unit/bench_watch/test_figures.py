"""The bench of watching: how its figures are made of stamps and receipts, and what they are held to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.watch.__main__ import MEASURES, write
from bench.watch.callers import Taken
from bench.watch.figures import MS_NS, Outcome, Times, Verdict, latencies_ms, slope_per_minute
from bench.watch.sizes import Size
from bench.watch.stand import Stamp


def test_a_change_is_told_with_the_first_receipt_of_its_revision_or_a_later_one() -> None:
    """A merged revision counts as told with the one that took its place, and repeated receipts do not count."""
    stamps = [Stamp(0, 2, 0, 10 * MS_NS), Stamp(0, 3, 0, 11 * MS_NS), Stamp(1, 2, 5 * MS_NS, 6 * MS_NS)]
    receipts = [(0, 9 * MS_NS, 1), (0, 14 * MS_NS, 3), (0, 20 * MS_NS, 3), (1, 8 * MS_NS, 2)]
    taken = Taken(receipts, quiet=0, ended=[])

    assert latencies_ms(stamps, taken) == [4, 3, 2]
    assert latencies_ms(stamps, taken, from_begin=True) == [14, 14, 3]


def test_a_watcher_that_was_not_told_is_no_figure() -> None:
    """A change without a receipt ends the bench instead of leaving the slowest out."""
    with pytest.raises(RuntimeError, match="watcher 1 was not told revision 2"):
        latencies_ms([Stamp(1, 2, 0, 0)], Taken([(1, 5, 1), (0, 5, 2)], quiet=0, ended=[]))


def test_percentiles_and_their_medians() -> None:
    """The 99th percentile is a time that was measured, and medians are taken percentile by percentile."""
    times = Times.of([float(number) for number in range(1, 101)])

    assert (times.p50_ms, times.p99_ms, times.most_ms) == (50.5, 99.0, 100.0)
    assert Times.median([Times(1, 5, 9), Times(2, 4, 8), Times(3, 6, 7)]) == Times(2, 5, 8)


def test_slope_is_per_minute() -> None:
    """One more each second is sixty more a minute."""
    assert slope_per_minute([(0.0, 5.0), (1.0, 6.0), (2.0, 7.0)]) == pytest.approx(60)


@pytest.mark.parametrize(("value", "bound", "reached"), [(3.0, 3.0, True), (3.01, 3.0, False), (99.0, None, True)])
def test_verdicts(value: float, bound: float | None, reached: bool) -> None:
    """A figure at its bound is reached, one above is missed and shown so, one without a bound is only shown."""
    verdict = Verdict("commit to client", value, "ms", bound)

    assert verdict.reached is reached
    assert ("MISSED" in verdict.line()) is (not reached)


def test_the_full_size_is_what_the_goals_speak_of() -> None:
    """1,000 watchers and 300 changes a second; 10,000 held for five minutes; 50 watches a second for half an hour."""
    size = Size()

    assert (size.watchers, size.per_s, size.idle[-1], size.hold_s) == (1000, 300, 10_000, 300)
    assert (size.churn_per_s, size.churn_s) == (50, 1800)
    assert size.designs == 10_000


def test_what_was_not_measured_stays_in_the_file_unless_it_is_of_a_quick_run(tmp_path: Path) -> None:
    """A run of some measurements renews theirs alone, and a quick run's figures never stand beside full ones."""
    path = tmp_path / "results" / "watch.json"
    of_value = [Outcome([Verdict("some", value, "ms", 1.0)], {"runs": 1}) for value in (0.5, 2.0)]

    write(path, dict.fromkeys(MEASURES, of_value[0]), quick=False)
    write(path, {"latency": of_value[1]}, quick=False)
    measures = json.loads(path.read_text())["measures"]
    assert [*measures] == [*MEASURES]
    assert [measures[name]["verdicts"][0]["reached"] for name in ("latency", "churn")] == [False, True]

    write(path, {"latency": of_value[1]}, quick=True)
    assert [*json.loads(path.read_text())["measures"]] == ["latency"]
