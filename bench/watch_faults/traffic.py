"""Designs that change all the time: some drawn out by the store's own statements, some short ones by real jobs.

What ends is told by the outbox and what goes on by a doorbell after the commit, as the services do it.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import nats
import nats.errors
from nats.aio.client import Client

from bench.faults.farm import Farm
from bench.faults.load import Load
from bench.faults.orders import Order
from bench.faults.polling import until
from cutline.client import DeadlineExceededError, UnavailableError
from cutline.contract.specs import spec_to_json
from cutline.domain.errors import CutlineError
from cutline.domain.states import DesignState
from cutline.domain.sticker_spec import StickerSpec, resolve
from cutline.messaging.tickets import design_ring
from cutline.store.commits import terminal_ring
from cutline.store.ids import new_id
from cutline.store.outbox import insert_outbox
from cutline.store.pool import Connection

TENANT: Final = "dev"
_SPEC: Final = StickerSpec(width_mm=60)
_HOLD_S: Final = 1.0
_DELETE_AFTER_S: Final = 1.0
_RETRY_S: Final = 0.1
_AWAY: Final = (CutlineError, asyncpg.InternalClientError)
"""What a database that goes away looks like; the second where its farewell crosses a statement."""

_INSERT: Final = """
WITH design AS (
    INSERT INTO designs (design_id, tenant, title, labels, reference, upload_id, artwork_key, filename, media_type,
                         size_bytes, sha256, state, stage)
    VALUES ($1, $2, 'watched', '{}', '', $3, 'none', 'none.png', 'image/png', 1, $4, 'PROCESSING', 'imaging')
), generation AS (
    INSERT INTO generations (design_id, generation, state, dedup_key, spec, resolved_spec)
    VALUES ($1, 1, 'PROCESSING', $4, $5::text::jsonb, $6::text::jsonb)
)
INSERT INTO timeline (design_id, revision, generation, state, stage, event)
VALUES ($1, 1, 1, 'PROCESSING', 'imaging', 'submitted')
"""
_PROGRESS: Final = """
UPDATE designs SET progress = $2 WHERE design_id = ANY ($1) AND state = 'PROCESSING' RETURNING design_id, revision
"""
_END: Final = """
WITH design AS (
    UPDATE designs SET state = 'READY', stage = NULL, progress = 1, result_generation = 1, finish_time = now()
    WHERE design_id = $1 AND state = 'PROCESSING' RETURNING design_id, revision
), generation AS (
    UPDATE generations SET state = 'READY', finish_time = now()
    FROM design WHERE generations.design_id = design.design_id
)
INSERT INTO timeline (design_id, revision, generation, state, event)
SELECT design_id, revision, 1, 'READY', 'ready' FROM design
RETURNING revision
"""


@dataclass(frozen=True, slots=True)
class Rates:
    """How much goes on.

    Attributes:
        live: Drawn-out designs at any time.
        changes_per_s: Changes of these in all, ends included.
        ends: Share of the changes that end a design; another takes its place.
        submits_per_s: Designs a second that real jobs work on.
        deletions: Share of the ended designs that are deleted.
    """

    live: int
    changes_per_s: float
    ends: float = 0.06
    submits_per_s: float = 1.0
    deletions: float = 0.25


@dataclass
class Traffic:
    """Changes on a farm.

    Attributes:
        designs: Every design made here.
        live: The unfinished ones among them, as far as is known here.
        begin: Nothing changes before it is set.
    """

    farm: Farm
    rates: Rates
    rng: random.Random
    designs: set[str] = field(default_factory=set)
    live: list[str] = field(default_factory=list)
    begin: asyncio.Event = field(default_factory=asyncio.Event)
    _drawn_out: list[UUID] = field(default_factory=list)
    _bus: Client | None = None
    _works: list[asyncio.Task[None]] = field(default_factory=list)

    @asynccontextmanager
    async def going(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Changes designs until what it gives is called, which ends all that are left and waits for the jobs."""
        over = asyncio.Event()
        self._bus = await nats.connect(
            self.farm.servers.nats_url, max_reconnect_attempts=-1, reconnect_time_wait=_RETRY_S, error_cb=_unheeded
        )
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.rates.live):
                    await self._add()
                loops = (group.create_task(self._change(over, group)), group.create_task(self._submit(over, group)))

                async def end_all() -> None:
                    over.set()
                    await asyncio.gather(*loops)
                    for design_id in [*self._drawn_out]:
                        await self._end(design_id)
                    await asyncio.gather(*self._works)

                try:
                    yield end_all
                finally:
                    over.set()
        finally:
            await self._bus.close()

    async def burst(self) -> None:
        """Changes every drawn-out design in one transaction."""
        await self._progress([*self._drawn_out])

    async def _change(self, over: asyncio.Event, group: asyncio.TaskGroup) -> None:
        await self.begin.wait()
        while not over.is_set():
            begun_s = asyncio.get_running_loop().time()
            if self._drawn_out:
                design_id = self.rng.choice(self._drawn_out)
                if self.rng.random() < self.rates.ends:
                    await self._end(design_id)
                    await self._add()
                    if self.rng.random() < self.rates.deletions:
                        self._works.append(group.create_task(self._delete(design_id)))
                else:
                    await self._progress([design_id])
            await asyncio.sleep(begun_s + 1 / self.rates.changes_per_s - asyncio.get_running_loop().time())

    async def _submit(self, over: asyncio.Event, group: asyncio.TaskGroup) -> None:
        await self.begin.wait()
        load = Load(self.farm)
        for number in count(self.rng.randrange(10**9)):
            if over.is_set() or not self.rates.submits_per_s:
                return
            self._works.append(group.create_task(self._run(load, Order(number, hold_s=_HOLD_S))))
            await asyncio.sleep(1 / self.rates.submits_per_s)

    async def _run(self, load: Load, order: Order) -> None:
        design_id = await load.submit(order)
        self._opened(design_id)
        while True:
            try:
                await self.farm.client.designs.wait(str(design_id))
            except (UnavailableError, DeadlineExceededError):
                continue
            break
        self.live.remove(str(design_id))

    async def _add(self) -> None:
        design_id = new_id()
        sha256 = design_id.bytes * 2
        spec, resolved = json.dumps(spec_to_json(_SPEC)), json.dumps(spec_to_json(resolve(_SPEC)))

        async def insert(connection: Connection) -> bool:
            # A commit whose answer was lost is found here when it is tried again.
            if await connection.fetchval("SELECT 1 FROM designs WHERE design_id = $1", design_id) is None:
                await connection.execute(_INSERT, design_id, TENANT, uuid4(), sha256, spec, resolved)
            return True

        await until(lambda: self.farm.database.run_transaction(insert), despite=_AWAY)
        self._drawn_out.append(design_id)
        self._opened(design_id)
        await self._publish([self._ring(design_id, 1)])

    def _opened(self, design_id: UUID) -> None:
        self.designs.add(str(design_id))
        self.live.append(str(design_id))

    async def _progress(self, design_ids: list[UUID]) -> None:
        try:
            rows = await self.farm.database.fetch(_PROGRESS, design_ids, self.rng.random())
        except _AWAY:  # the database is away; the next change is as good
            await asyncio.sleep(_RETRY_S)
            return
        await self._publish([self._ring(row["design_id"], row["revision"]) for row in rows])

    async def _end(self, design_id: UUID) -> None:
        async def end(connection: Connection) -> bool:
            revision = await connection.fetchval(_END, design_id)
            if revision is not None:  # it is where the answer to an earlier try was lost
                ring = terminal_ring(
                    self.farm.topology,
                    tenant=TENANT,
                    design_id=design_id,
                    revision=revision,
                    state=DesignState.READY,
                    traceparent="",
                )
                await insert_outbox(connection, [ring])
                rings.append((ring.subject, ring.payload))
            return True

        rings: list[tuple[str, bytes]] = []
        await until(lambda: self.farm.database.run_transaction(end), despite=_AWAY)
        await self._publish(rings)
        self._drawn_out.remove(design_id)
        self.live.remove(str(design_id))

    async def _delete(self, design_id: UUID) -> None:
        await asyncio.sleep(self.rng.random() * _DELETE_AFTER_S)
        request_id = str(uuid4())
        while True:
            try:
                await self.farm.client.designs.delete(str(design_id), request_id=request_id)
            except (UnavailableError, DeadlineExceededError):
                continue
            return

    def _ring(self, design_id: UUID, revision: int) -> tuple[str, bytes]:
        ring = design_ring(design_id=design_id, tenant=TENANT, revision=revision, state=DesignState.PROCESSING)
        return self.farm.topology.design_subject(TENANT, design_id), ring

    async def _publish(self, rings: list[tuple[str, bytes]]) -> None:
        """Rings as the services do: after the commit, and lost where nobody hears."""
        assert self._bus is not None  # noqa: S101  (it lives as long as the traffic)
        with suppress(nats.errors.Error, OSError):
            for subject, payload in rings:
                if self._bus.is_connected:
                    await self._bus.publish(subject, payload)


async def _unheeded(_: Exception) -> None:
    """That the bus is away is what the round is about."""
