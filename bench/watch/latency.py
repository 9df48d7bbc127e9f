"""From commit to client: changes of single designs told to one watcher each; and one change told to all."""

from __future__ import annotations

import statistics
from dataclasses import asdict
from functools import partial
from typing import Final

from bench.delivery.floor import cpu_s
from bench.watch.asking import Load
from bench.watch.callers import Callers
from bench.watch.figures import MS_NS, Outcome, Times, Verdict, latencies_ms
from bench.watch.sizes import Size
from bench.watch.stand import Stand, Status, last_revisions

GOAL_P50_MS: Final = 3.0
GOAL_P99_MS: Final = 15.0
GOAL_LAST_MS: Final = 150.0


async def latency(stand: Stand, size: Size) -> Outcome:
    """Watchers of a design each, changes at a steady rate; the bare doorbell at the same rate in the same run."""
    designs = stand.designs[: size.watchers]
    numbers = [turn % size.watchers for turn in range(int(size.per_s * size.duration_s))]
    watched: list[Times] = []
    from_begin: list[Times] = []
    bare: list[Times] = []
    cores: dict[str, list[float]] = {}
    async with (
        stand.status() as status,
        stand.bare_doorbell() as bare_target,
        stand.callers() as callers,
        stand.callers() as bare_callers,
    ):
        await callers.watch(status.target, designs)
        await bare_callers.watch_bare(bare_target, designs)
        await _changes(stand, callers, numbers[: size.watchers], size.per_s)  # warms plans and pools
        await _rings(stand, bare_callers, numbers[: size.watchers], size.per_s)
        for _ in range(size.runs):
            load = _load(stand, status, callers)
            times, whole = await _changes(stand, callers, numbers, size.per_s)
            for name, used in load.cores().items():
                cores.setdefault(name, []).append(used)
            watched.append(times)
            from_begin.append(whole)
            bare.append(await _rings(stand, bare_callers, numbers, size.per_s))
    found, begun, yardstick = Times.median(watched), Times.median(from_begin), Times.median(bare)
    return Outcome(
        [
            Verdict("commit to client, p50", found.p50_ms, "ms", GOAL_P50_MS),
            Verdict("commit to client, p99", found.p99_ms, "ms", GOAL_P99_MS),
            Verdict("commit to client, longest", found.most_ms, "ms"),
            Verdict("begin of the commit to client, p50", begun.p50_ms, "ms"),
            Verdict("begin of the commit to client, p99", begun.p99_ms, "ms"),
            Verdict("bare doorbell, no commit and no read, p50", yardstick.p50_ms, "ms"),
            Verdict("bare doorbell, no commit and no read, p99", yardstick.p99_ms, "ms"),
        ],
        {
            "watchers": size.watchers,
            "changes_per_s": size.per_s,
            "changes_per_run": len(numbers),
            "runs": [asdict(times) for times in watched],
            "from_begin_runs": [asdict(times) for times in from_begin],
            "bare_runs": [asdict(times) for times in bare],
            "cores_used": {name: statistics.median(used) for name, used in cores.items()},
        },
    )


async def fanout(stand: Stand, size: Size) -> Outcome:
    """One change told to every watcher of its design, and to every watcher of its tenant: when the last one knows."""
    async with stand.status() as status, stand.callers() as callers:
        await callers.watch(status.target, [stand.designs[0]] * size.watchers)
        of_design = await _last_ms(stand, callers, size)
        await callers.close()
        await callers.watch_tenant(status.target, size.watchers)
        of_tenant = await _last_ms(stand, callers, size)
    verdicts = []
    for name, last_ms in (("design", of_design), ("tenant", of_tenant)):
        verdicts += [
            Verdict(
                f"one change to {size.watchers} watchers of a {name}: last, median", statistics.median(last_ms), "ms"
            ),
            Verdict(
                f"one change to {size.watchers} watchers of a {name}: last, worst", max(last_ms), "ms", GOAL_LAST_MS
            ),
        ]
    return Outcome(verdicts, {"rounds": size.rounds, "last_ms": {"design": of_design, "tenant": of_tenant}})


async def _changes(stand: Stand, callers: Callers, numbers: list[int], per_s: float) -> tuple[Times, Times]:
    """Times from commits' ends, and from their begins."""
    stamps = await stand.change(numbers, per_s)
    taken = await callers.hear(last_revisions(stamps))
    return Times.of(latencies_ms(stamps, taken)), Times.of(latencies_ms(stamps, taken, from_begin=True))


async def _rings(stand: Stand, callers: Callers, numbers: list[int], per_s: float) -> Times:
    stamps = await stand.ring(numbers, per_s)
    return Times.of(latencies_ms(stamps, await callers.hear(last_revisions(stamps))))


async def _last_ms(stand: Stand, callers: Callers, size: Size) -> list[float]:
    """For each round, when the last watcher knew of its one change."""
    found = []
    for _ in range(size.rounds + 1):
        (stamp,) = await stand.change([0])
        taken = await callers.hear(dict.fromkeys(range(size.watchers), stamp.revision))
        last_ns = max(at_ns for _, at_ns, revision in taken.receipts if revision >= stamp.revision)
        found.append(round((last_ns - stamp.committed_ns) / MS_NS, 2))
    return found[1:]  # the first round warms


def _load(stand: Stand, status: Status, callers: Callers) -> Load:
    return Load(
        {"status": status.cpu_s, "changer": stand.changer.cpu_s}
        | {f"client {turn}": one.cpu_s for turn, one in enumerate(callers.programs, start=1)}
        | {server.name: partial(cpu_s, server) for server in stand.floor.stack.servers.all}
    )
