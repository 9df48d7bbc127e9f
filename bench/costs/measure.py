"""The runs: an idle stretch first, then each kind of artwork in turn, as often as there are runs."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from bench.costs.counters import Counters
from bench.costs.designs import Made, Maker
from bench.costs.kept import kept_bytes
from bench.costs.mix import MIX, Artwork
from bench.costs.processes import Parts
from cutline.embedded.stack import EmbeddedStack

STATS_REST_S: Final = 11.0
"""A session of PostgreSQL hands its counts in after ten idle seconds at the latest (PGSTAT_IDLE_INTERVAL)."""
_RUN_TIMES: Final = """
    SELECT stage, extract(epoch FROM attempts.finish_time - attempts.start_time)::float8 AS took_s
    FROM attempts JOIN jobs USING (job_id) WHERE design_id = ANY($1)
"""
_READY_TIMES: Final = """
    SELECT extract(epoch FROM finish_time - create_time)::float8 AS took_s FROM designs WHERE design_id = ANY($1)
"""
_STORED: Final = """
    SELECT kind, size_bytes FROM artifacts WHERE design_id = ANY($1)
    UNION ALL SELECT 'MOCKUP', size_bytes FROM mockups WHERE design_id = ANY($1)
"""


@dataclass(slots=True)
class Run:
    """What one run of one kind of artwork cost, a design.

    Attributes:
        cpu_s: Processor time of each part, the idle share taken off.
        broker: Messages and bytes of each service, the idle share taken off.
        wal_bytes: Write-ahead log.
        stored_bytes: Objects stored, by kind.
        blob_calls: Calls to the object store.
        rings: Doorbells sent by each service, and heard by the status service.
        slot_peaks_bytes: Most resident memory of a slot, by stage.
        wall_s: Time on the clock of each stage's attempt, and from submit to READY (medians).
        watch: What a watcher was sent.
    """

    cpu_s: dict[str, float]
    broker: dict[str, float]
    wal_bytes: float
    stored_bytes: dict[str, float]
    blob_calls: dict[str, float]
    rings: dict[str, float]
    slot_peaks_bytes: dict[str, int]
    wall_s: dict[str, float]
    watch: dict[str, float]


@dataclass(slots=True)
class Measured:
    """Everything that was measured.

    Attributes:
        start_cpu_s: Processor time of each part until all are ready.
        idle_cpu_s: Processor time of each part while there is nothing to do, by second.
        idle_broker: Messages and bytes of each service in the same time, by second.
        idle_wal_bytes: Write-ahead log in the same time, by second.
        runs: The runs by artwork.
        postgres: PostgreSQL's counts, by design.
        streams: What the streams hold more, by design.
        kept: What rows take on disk, by table and design.
        resident_bytes: Memory of each main process at the end.
        postgres_version: Of the server.
        designs: How many designs the runs made.
        artwork_bytes: Size of each artwork's file.
    """

    start_cpu_s: dict[str, float]
    idle_cpu_s: dict[str, float]
    idle_broker: dict[str, float]
    idle_wal_bytes: float
    runs: dict[str, list[Run]]
    postgres: dict[str, float]
    streams: dict[str, float]
    kept: dict[str, dict[str, float]]
    resident_bytes: dict[str, int]
    postgres_version: str
    designs: int
    artwork_bytes: dict[str, int]


class Stand:
    """A warm stack, its counters and a client."""

    def __init__(self, stack: EmbeddedStack, maker: Maker, database: asyncpg.Connection[asyncpg.Record]) -> None:
        self.parts = Parts(stack)
        self.counters = Counters(stack, database)
        self.database = database
        self._maker = maker
        self._files = {artwork.name: artwork.data() for artwork in MIX}
        self.designs = 0

    @property
    def artwork_bytes(self) -> dict[str, int]:
        """Size of each kind's file."""
        return {name: len(data) for name, data in self._files.items()}

    async def make(self, artwork: Artwork, number: int) -> list[Made]:
        """Makes designs one after the other."""
        self.designs += number
        return [await self._maker.make(artwork, self._files[artwork.name]) for _ in range(number)]

    async def idle(self, duration_s: float) -> tuple[dict[str, float], dict[str, float], float]:
        """What the parts spend and say while there is nothing to do, by second; and the log they write."""
        begin = time.monotonic(), self.parts.cpu_s(), await self.counters.broker(), await self.counters.wal_bytes()
        await asyncio.sleep(duration_s)
        took_s = time.monotonic() - begin[0]
        wal_bytes = (await self.counters.wal_bytes() - begin[3]) / took_s
        spent, said = self.parts.cpu_s(), await self.counters.broker()
        return _share(spent, begin[1], took_s), _share(said, begin[2], took_s), wal_bytes

    async def run(
        self, artwork: Artwork, idle_cpu_s: dict[str, float], idle_broker: dict[str, float], idle_wal_bytes: float
    ) -> Run:
        """One run of one kind of artwork."""
        self.parts.reset_slot_peaks()
        calls: dict[str, float] = dict(await self.counters.metrics())
        said, wal = await self.counters.broker(), await self.counters.wal_bytes()
        spent, begin_s = self.parts.cpu_s(), time.monotonic()
        made = await self.make(artwork, artwork.per_run)
        took_s, number = time.monotonic() - begin_s, len(made)
        after = self.parts.cpu_s()
        wal = await self.counters.wal_bytes() - wal
        heard = _share(await self.counters.broker(), said, number)
        calls = _share(await self.counters.metrics(), calls, number)
        ids = [one.design_id for one in made]
        return Run(
            cpu_s={part: (after[part] - spent[part] - idle_cpu_s[part] * took_s) / number for part in after},
            broker={name: heard[name] - idle_broker.get(name, 0.0) * took_s / number for name in heard},
            wal_bytes=(wal - idle_wal_bytes * took_s) / number,
            stored_bytes=await self._stored(ids),
            blob_calls={name: each for name, each in calls.items() if " rings " not in name},
            rings={name: each for name, each in calls.items() if " rings " in name},
            slot_peaks_bytes=self.parts.slot_peaks_bytes(),
            wall_s=await self._wall(ids),
            watch={
                "messages": sum(one.watch_messages for one in made) / number,
                "bytes": sum(one.watch_bytes for one in made) / number,
            },
        )

    async def _stored(self, ids: Sequence[object]) -> dict[str, float]:
        total: Counter[str] = Counter()
        for kind, size_bytes in await self.database.fetch(_STORED, ids):
            total[kind] += size_bytes
        return {kind: size_bytes / len(ids) for kind, size_bytes in sorted(total.items())}

    async def _wall(self, ids: Sequence[object]) -> dict[str, float]:
        times: dict[str, list[float]] = {}
        for stage, took_s in await self.database.fetch(_RUN_TIMES, ids):
            times.setdefault(stage, []).append(took_s)
        times["submit to READY"] = [row["took_s"] for row in await self.database.fetch(_READY_TIMES, ids)]
        return {name: sorted(all_s)[len(all_s) // 2] for name, all_s in times.items()}


async def measure(runs: int, idle_s: float) -> Measured:
    """Starts a stack, warms it, measures it idle, and then under each kind of artwork in turn."""
    with tempfile.TemporaryDirectory(prefix="cutline-bench-") as folder:
        async with EmbeddedStack(Path(folder)) as stack, Maker(stack) as maker:
            database = await asyncpg.connect(stack.servers.postgres_dsn)
            try:
                return await _measure(Stand(stack, maker, database), runs, idle_s)
            finally:
                await database.close()


async def _measure(stand: Stand, runs: int, idle_s: float) -> Measured:
    start_cpu_s = stand.parts.cpu_s()
    for artwork in MIX:
        await stand.make(artwork, 2)
    idle_cpu_s, idle_broker, idle_wal_bytes = await stand.idle(max(idle_s, STATS_REST_S))
    rows, streams, designs = await stand.counters.postgres(), await stand.counters.streams(), stand.designs
    found: dict[str, list[Run]] = {artwork.name: [] for artwork in MIX}
    for number in range(runs):
        for artwork in MIX:
            found[artwork.name].append(await stand.run(artwork, idle_cpu_s, idle_broker, idle_wal_bytes))
        print(f"run {number + 1} of {runs}: {stand.designs - designs} designs made", flush=True)
    resident_bytes = stand.parts.resident_bytes()
    await asyncio.sleep(STATS_REST_S)
    counted = stand.designs - designs
    return Measured(
        start_cpu_s=start_cpu_s,
        idle_cpu_s=idle_cpu_s,
        idle_broker=idle_broker,
        idle_wal_bytes=idle_wal_bytes,
        runs=found,
        postgres=_share(await stand.counters.postgres(), rows, counted),
        streams=_share(await stand.counters.streams(), streams, counted),
        kept=await kept_bytes(stand.database),
        resident_bytes=resident_bytes,
        postgres_version=str(await stand.database.fetchval("SHOW server_version")),
        designs=counted,
        artwork_bytes=stand.artwork_bytes,
    )


def _share(
    after: dict[str, float] | Counter[str], before: dict[str, float] | Counter[str], by: float
) -> dict[str, float]:
    """What grew, divided."""
    return {name: (value - before.get(name, 0)) / by for name, value in after.items()}
