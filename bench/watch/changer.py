"""Changes designs as a worker does: claims their jobs, commits progress through the store's own statements, and rings.

Asked by `bench.watch.asking`. Stamps are CLOCK_MONOTONIC, which every process of a machine shares.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from bench.watch.asking import Answer, rest_collector, serve
from bench.watch.bare_doorbell import BARE
from cutline.domain.states import Stage
from cutline.messaging.connection import Broker
from cutline.messaging.publisher import Publisher
from cutline.messaging.tickets import design_ring, read_ticket
from cutline.messaging.topology import Topology
from cutline.runtime.lifecycle import Lifecycle
from cutline.store.attempts import Attempts, Claim
from cutline.store.pool import Database

LEASE_S: Final = 86_400.0
CLAIM_TOGETHER: Final = 500
CONNECTIONS: Final = 8
_STEP: Final = 1e-6
"""Share of a stage by which a change takes it on: small enough for a million of them."""

Stamp = tuple[int, int, int, int]
"""Number of the design, revision made, when its commit was asked for and when it was done (ns)."""


class Changer:
    """A worker of its own kind: it only ever tells progress."""

    def __init__(self, database: Database, broker: Broker) -> None:
        self._database = database
        self._topology = Topology()
        self._publisher = Publisher(broker)
        self._attempts = Attempts(database, self._topology, worker="changer", lease_s=LEASE_S)
        self._claims: list[Claim] = []
        self._steps: list[int] = []

    async def claim(self, tickets: Sequence[str]) -> int:
        """Claims the jobs of tickets (hex); designs are numbered in their order from then on."""
        claims: list[Claim] = []
        for begin in range(0, len(tickets), CLAIM_TOGETHER):
            read = [read_ticket(bytes.fromhex(text)) for text in tickets[begin : begin + CLAIM_TOGETHER]]
            found = await asyncio.gather(*(self._attempts.claim(one, Stage.IMAGING) for one in read if one))
            claims += [claim for claim in found if isinstance(claim, Claim)]
        if len(claims) != len(tickets):
            msg = f"of {len(tickets)} jobs only {len(claims)} could be claimed"
            raise RuntimeError(msg)
        self._claims, self._steps = claims, [0] * len(claims)
        rest_collector()
        return len(claims)

    async def change(
        self, numbers: Sequence[int], per_s: float, hot: int | None = None, hot_per_s: float = 0.0
    ) -> list[Stamp]:
        """Changes designs in this order, one each 1/per_s seconds, whether or not the last is committed.

        Args:
            numbers: The designs.
            per_s: Changes a second.
            hot: A design that is changed beside that, again and again; its stamps are not told.
            hot_per_s: How often, at most: each change waits for the last.
        """
        async with asyncio.TaskGroup() as group:
            if hot is not None:
                group.create_task(self._heat(hot, hot_per_s, duration_s=len(numbers) / per_s))
            return await _paced(numbers, per_s, self._change)

    async def ring(self, numbers: Sequence[int], per_s: float) -> list[Stamp]:
        """Rings the bare doorbell as `change` rings the service's, but commits nothing: the stamp is the ring's."""
        return await _paced(numbers, per_s, self._ring_only)

    async def burst(self, number: int, changes: int) -> list[Stamp]:
        """Changes one design as fast as its row lets, each change behind the last."""
        return [await self._change(number) for _ in range(changes)]

    async def _heat(self, number: int, per_s: float, *, duration_s: float) -> None:
        start_s = time.perf_counter()
        for turn in range(int(per_s * duration_s)):
            await asyncio.sleep(start_s + turn / per_s - time.perf_counter())
            await self._change(number)
            if time.perf_counter() - start_s > duration_s:
                return

    async def _change(self, number: int) -> Stamp:
        claim = self._claims[number]
        self._steps[number] += 1
        begun_ns = time.monotonic_ns()
        committed = await self._attempts.tell_progress(claim, self._steps[number] * _STEP)
        committed_ns = time.monotonic_ns()
        if committed is None:
            msg = f"the change of design {claim.design_id} was no news to the store"
            raise RuntimeError(msg)
        await self._send(self._topology, claim, committed.revision, committed.state)
        return number, committed.revision, begun_ns, committed_ns

    async def _ring_only(self, number: int) -> Stamp:
        claim = self._claims[number]
        self._steps[number] += 1
        now_ns = time.monotonic_ns()
        await self._send(BARE, claim, self._steps[number], "PROCESSING")
        return number, self._steps[number], now_ns, now_ns

    async def _send(self, topology: Topology, claim: Claim, revision: int, state: str) -> None:
        ring = design_ring(design_id=claim.design_id, tenant=claim.tenant, revision=revision, state=state)
        await self._publisher.ring(topology.design_subject(claim.tenant, claim.design_id), ring)


async def _paced(
    numbers: Sequence[int], per_s: float, change: Callable[[int], Coroutine[None, None, Stamp]]
) -> list[Stamp]:
    start_s = time.perf_counter()
    tasks: list[asyncio.Task[Stamp]] = []
    async with asyncio.TaskGroup() as group:
        for turn, number in enumerate(numbers):
            await asyncio.sleep(start_s + turn / per_s - time.perf_counter())
            tasks.append(group.create_task(change(number)))
    return [task.result() for task in tasks]


@asynccontextmanager
async def changing() -> AsyncIterator[Mapping[str, Answer]]:
    """Connects to database and broker."""
    database = Database(
        os.environ["CUTLINE_POSTGRES_DSN"], application_name="changer", pool_min=CONNECTIONS, pool_max=CONNECTIONS
    )
    fatal: list[str] = []
    broker = Broker(os.environ["CUTLINE_NATS_URL"], name="changer", on_fatal=fatal.append)
    async with Lifecycle([database, broker]):
        if not await broker.wait_connected(10):
            msg = f"the broker cannot be reached: {fatal}"
            raise RuntimeError(msg)
        changer = Changer(database, broker)
        yield {"claim": changer.claim, "change": changer.change, "ring": changer.ring, "burst": changer.burst}


if __name__ == "__main__":
    serve(changing)
