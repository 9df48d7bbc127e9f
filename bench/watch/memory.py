"""Memory of the status process: for each idle watcher, over time while they are held, and under churn."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Coroutine
from typing import Final, TypeVar

from bench.watch.callers import Callers
from bench.watch.figures import Outcome, Verdict, slope_per_minute
from bench.watch.sizes import PER_CONNECTION, Size
from bench.watch.stand import Stand, Status, last_revisions

GOAL_KB: Final = 40.0
GOAL_HOLD_PERCENT: Final = 2.0
GOAL_CHURN_PERCENT: Final = 5.0
KB: Final = 1000.0
_REST_S: Final = 5.0
"""Pause behind work whose memory does not count."""
_WARM_SHARE: Final = 1 / 6
"""Share of a churn that warms up: pools, caches and the allocator's arenas reach their size in it."""
_ALIVE: Final = 100
"""Watchers whose designs are changed to see that they still hear."""

_T = TypeVar("_T")

Samples = list[tuple[float, float]]
"""Seconds and resident bytes."""


async def memory(stand: Stand, size: Size) -> Outcome:
    """Resident memory per idle watcher: growth over the same process with one watch served and gone."""
    verdicts: list[Verdict] = []
    figures: dict[str, object] = {}
    for watchers in size.idle:
        async with stand.status() as status, stand.callers() as callers:
            base_bytes = await _base(stand, status, callers, size)
            took_s = await callers.watch(status.target, stand.designs[:watchers])
            await asyncio.sleep(size.settle_s)
            grown_bytes = status.rss_bytes() - base_bytes
            per_watcher_kb = grown_bytes / watchers / KB
            verdicts.append(Verdict(f"memory of one idle watcher among {watchers:,}", per_watcher_kb, "kB", GOAL_KB))
            figures[str(watchers)] = {
                "base_bytes": base_bytes,
                "grown_bytes": grown_bytes,
                "per_watcher_kb": round(per_watcher_kb, 2),
                "opened_in_s": round(took_s, 2),
            }
    return Outcome(verdicts, {"streams_per_connection": PER_CONNECTION, "watchers": figures})


async def hold(stand: Stand, size: Size) -> Outcome:
    """Many idle watchers held: memory stays as it is, nobody is lost, all still hear."""
    watchers = size.idle[-1]
    async with stand.status() as status, stand.callers() as callers:
        base_bytes = await _base(stand, status, callers, size)
        await callers.watch(status.target, stand.designs[:watchers])
        await asyncio.sleep(size.settle_s)
        await callers.take()
        cpu_s = status.cpu_s()
        samples = await _sampled(status, size, asyncio.sleep(size.hold_s))
        cpu_s = status.cpu_s() - cpu_s
        held = await callers.take()
        numbers = list(range(0, watchers, max(1, watchers // _ALIVE)))
        stamps = await stand.change(numbers, size.per_s)
        await callers.hear(last_revisions(stamps))  # all that were asked still hear
    low, high = _extremes(samples, 0.0)
    drift_percent = 100 * (high - low) / low
    return Outcome(
        [
            Verdict(
                f"{watchers:,} watchers held {size.hold_s:g} s: memory, highest over lowest",
                drift_percent,
                "%",
                GOAL_HOLD_PERCENT,
            ),
            Verdict("slope of the memory held", slope_per_minute(samples) / KB, "kB/min"),
            Verdict("streams lost while held", len(held.ended), "", 0),
            Verdict("processor of the status process while held", 100 * cpu_s / size.hold_s, "% of one"),
        ],
        {
            "watchers": watchers,
            "held_s": size.hold_s,
            "base_bytes": base_bytes,
            "heartbeats": held.quiet,
            "asked_afterwards": len(stamps),
            "rss_bytes": _thinned(samples),
        },
    )


async def churn(stand: Stand, size: Size) -> Outcome:
    """Watches that come and go, each over a connection of its own: memory is flat once warm."""
    async with stand.status() as status, stand.callers() as callers:
        base_bytes = await _base(stand, status, callers, size)
        churning = asyncio.create_task(
            callers.churn(
                status.target,
                stand.designs[: size.watchers],
                per_s=size.churn_per_s,
                duration_s=size.churn_s,
            )
        )
        samples = await _sampled(status, size, churning)
        outcomes = churning.result()
        await asyncio.sleep(min(_REST_S, size.settle_s))
        rest_bytes = status.rss_bytes()
        left = (await status.metrics())["cutline_watchers"]
    warm_s = _WARM_SHARE * size.churn_s
    low, high = _extremes(samples, warm_s)
    told = outcomes.pop("told", 0)
    return Outcome(
        [
            Verdict(
                f"churn, {size.churn_per_s:g}/s for {size.churn_s / 60:.3g} min: memory behind the first "
                f"{warm_s / 60:.2g} min, highest over lowest",
                100 * (high - low) / low,
                "%",
                GOAL_CHURN_PERCENT,
            ),
            Verdict(
                "slope of the memory under churn",
                slope_per_minute([one for one in samples if one[0] >= warm_s]) / KB,
                "kB/min",
            ),
            Verdict("watches of the churn that were not told", outcomes.total(), "", 0),
            Verdict("watchers left behind it", left, "", 0),
        ],
        {
            "per_s": size.churn_per_s,
            "duration_s": size.churn_s,
            "warm_up_s": warm_s,
            "told": told,
            "not_told": dict(outcomes),
            "base_bytes": base_bytes,
            "rest_bytes": rest_bytes,
            "rss_bytes": _thinned(samples),
        },
    )


async def _base(stand: Stand, status: Status, callers: Callers, size: Size) -> int:
    """Resident memory once every piece of code has run: one watch was served and is gone."""
    await callers.watch(status.target, [*stand.designs[:2]])
    await callers.close()
    await asyncio.sleep(min(_REST_S, size.settle_s))
    return status.rss_bytes()


async def _sampled(status: Status, size: Size, until: Coroutine[None, None, _T] | asyncio.Task[_T]) -> Samples:
    """Looks at the memory again and again until something is done."""
    began_s = time.monotonic()
    waiting = asyncio.ensure_future(until)
    samples: Samples = [(0.0, float(status.rss_bytes()))]
    while not waiting.done():
        await asyncio.wait([waiting], timeout=size.sample_s)
        samples.append((round(time.monotonic() - began_s, 2), float(status.rss_bytes())))
    return samples


def _extremes(samples: Samples, from_s: float) -> tuple[float, float]:
    """Lowest and highest median of twelve looks in a row: a minute's, at the usual pace."""
    counted = [rss_bytes for at_s, rss_bytes in samples if at_s >= from_s]
    medians = [statistics.median(counted[begin : begin + 12]) for begin in range(0, len(counted), 12)]
    return min(medians), max(medians)


def _thinned(samples: Samples) -> Samples:
    """Every so many of the samples, so that the file stays short."""
    return samples[:: max(1, len(samples) // 60)]
