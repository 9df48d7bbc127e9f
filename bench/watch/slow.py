"""Readers that stop reading: when the service lets go of them, and what the others notice."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from typing import Final

from bench.watch.callers import Callers
from bench.watch.figures import Outcome, Times, Verdict, latencies_ms
from bench.watch.latency import GOAL_P50_MS, GOAL_P99_MS
from bench.watch.sizes import Size
from bench.watch.stand import Stand, Status, last_revisions

HOT_PER_S: Final = 200.0
"""Changes a second of the design that slow readers watch."""
_LOOK_S: Final = 0.05
_PATIENCE_S: Final = 30.0


async def slow(stand: Stand, size: Size) -> Outcome:
    """Some watchers of a design that changes often stop reading; others watch a design each, all at the usual rate."""
    hot = size.watchers
    numbers = [turn % size.watchers for turn in range(int(size.per_s * _length_s(size)))]
    settings = {"CUTLINE_WATCH_WRITE_TIMEOUT": f"{size.write_timeout_s:g}s"}
    async with stand.status(settings) as status, stand.callers() as callers, stand.callers(1) as slow_callers:
        await callers.watch(status.target, stand.designs[: size.watchers])
        await _others(stand, callers, numbers[: size.watchers], size, hot=hot)  # warms plans and pools
        alone, _ = await _others(stand, callers, numbers, size, hot=hot)
        await slow_callers.stall(status.target, [stand.designs[hot]] * size.slow)
        before_bytes = status.rss_bytes()
        cutting = asyncio.create_task(_cut_s(status, size))
        beside, ended = await _others(stand, callers, numbers, size, hot=hot)
        cut_s = await cutting
        counted = (await status.metrics())["cutline_slow_readers_total"]
        grown_bytes = status.rss_bytes() - before_bytes
    return Outcome(
        [
            Verdict(
                f"{size.slow} readers that stop reading: last one cut after (write timeout {size.write_timeout_s:g} s)",
                cut_s,
                "s",
                size.write_timeout_s + size.fill_s,
            ),
            Verdict("others beside slow readers, commit to client, p50", beside.p50_ms, "ms", GOAL_P50_MS),
            Verdict("others beside slow readers, commit to client, p99", beside.p99_ms, "ms", GOAL_P99_MS),
            Verdict("others without slow readers, commit to client, p50", alone.p50_ms, "ms"),
            Verdict("others without slow readers, commit to client, p99", alone.p99_ms, "ms"),
            Verdict("other streams that ended", ended, "", 0),
        ],
        {
            "watchers": size.watchers,
            "slow": size.slow,
            "write_timeout_s": size.write_timeout_s,
            "hot_per_s": HOT_PER_S,
            "counted_by_the_service": counted,
            "grown_bytes": grown_bytes,
            "beside": asdict(beside),
            "without": asdict(alone),
        },
    )


def _length_s(size: Size) -> float:
    return size.write_timeout_s + size.fill_s + size.duration_s / 2


async def _others(stand: Stand, callers: Callers, numbers: list[int], size: Size, *, hot: int) -> tuple[Times, int]:
    """Times of those who read, and how many of their streams ended."""
    stamps = await stand.change(numbers, size.per_s, hot=hot, hot_per_s=HOT_PER_S)
    taken = await callers.hear(last_revisions(stamps))
    return Times.of(latencies_ms(stamps, taken)), len(taken.ended)


async def _cut_s(status: Status, size: Size) -> float:
    """Seconds until no more watchers are left than those who read."""
    began_s = time.monotonic()
    while (await status.metrics())["cutline_watchers"] > size.watchers:
        if time.monotonic() - began_s > _length_s(size) + _PATIENCE_S:
            msg = "the service did not cut the readers that stopped reading"
            raise RuntimeError(msg)
        await asyncio.sleep(_LOOK_S)
    return time.monotonic() - began_s
