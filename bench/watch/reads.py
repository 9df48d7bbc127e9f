"""What changes cost the database: rows that the status process reads for them, by its own counters."""

from __future__ import annotations

from typing import Final

from bench.watch.figures import Outcome, Verdict
from bench.watch.sizes import Size
from bench.watch.stand import Stand, Status, last_revisions

GOAL: Final = 1.0
"""Rows read for a change, snapshots and resync aside."""
_READ: Final = "cutline_row_reads_total.change"
_OTHER_READS: Final = (
    "cutline_row_reads_total.snapshot",
    "cutline_row_reads_total.resync",
    "cutline_row_reads_total.catch_up",
)


async def reads(stand: Stand, size: Size) -> Outcome:
    """Changes of many designs with a watcher each; a burst of one that all watch; and changes that all hear of."""
    counted: dict[str, dict[str, float]] = {}
    steady = [turn % size.watchers for turn in range(int(size.per_s * size.duration_s))]
    burst = int(size.per_s)
    async with stand.status() as status, stand.callers() as callers:
        await callers.watch(status.target, stand.designs[: size.watchers])
        before = await status.metrics()
        await callers.hear(last_revisions(await stand.change(steady, size.per_s)))
        counted["of many designs with a watcher each"] = await _since(status, before, len(steady))
        await callers.close()

        await callers.watch(status.target, [stand.designs[0]] * size.watchers)
        before = await status.metrics()
        stamps = await stand.burst(0, burst)
        await callers.hear(dict.fromkeys(range(size.watchers), stamps[-1].revision))
        counted[f"of one design in a burst, {size.watchers} watchers"] = await _since(status, before, burst)
        await callers.close()

        await callers.watch_tenant(status.target, size.watchers)
        before = await status.metrics()
        for number in range(size.rounds):
            (stamp,) = await stand.change([number])
            await callers.hear(dict.fromkeys(range(size.watchers), stamp.revision))
        counted[f"of a tenant, {size.watchers} watchers of it"] = await _since(status, before, size.rounds)
    return Outcome(
        [Verdict(f"rows read per change {name}", found["per_change"], "", GOAL) for name, found in counted.items()],
        {**counted},
    )


async def _since(status: Status, before: dict[str, float], changes: int) -> dict[str, float]:
    """Rows read since then: for each of so many changes, and in all by cause."""
    after = await status.metrics()
    rows = {name: after.get(name, 0.0) - before.get(name, 0.0) for name in (_READ, *_OTHER_READS)}
    return {"changes": changes, "per_change": round(rows[_READ] / changes, 4)} | {
        name.rpartition(".")[2]: count for name, count in rows.items()
    }
