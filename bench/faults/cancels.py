"""Cancels designs at random moments: queued, just claimed, in the middle of a step that never ends."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from bench.faults.load import Load
from bench.faults.orders import Deed, Order
from cutline.client import PreconditionError
from cutline.v1 import job_pb2

LATEST_S: Final = 2.0
"""A design is cancelled within this time of its submit."""
HOLD_S: Final = 0.3
OTHERS: Final = 1
"""Designs beside, for each that is cancelled."""

_CANCELLED: Final = """
    SELECT count(*) FROM designs WHERE design_id = ANY($1) AND state = 'CANCELLED'
"""
_VISIBLE: Final = """
    SELECT DISTINCT design_id FROM designs
    JOIN generations AS shown USING (design_id) JOIN artifacts USING (design_id)
    WHERE design_id = ANY($1) AND shown.state = 'CANCELLED'
      AND shown.generation = result_generation AND artifacts.generation = result_generation
"""
_STARTED_LATER: Final = """
    SELECT jobs.design_id FROM attempts JOIN jobs USING (job_id) JOIN timeline USING (design_id)
    WHERE design_id = ANY($1) AND event = 'cancelled' AND start_time > time
"""
# Each stopped attempt, and when its worker began the next one, as long as there was other work for it.
_FREED: Final = """
    SELECT extract(epoch FROM min(next.start_time) - stopped.finish_time)::float8 AS freed_s
    FROM attempts AS stopped JOIN jobs USING (job_id)
    JOIN attempts AS next ON next.worker = stopped.worker AND next.start_time > stopped.finish_time
    WHERE design_id = ANY($1) AND stopped.outcome = 'CANCELLED' AND stopped.finish_time < (
        SELECT max(start_time) FROM attempts JOIN jobs USING (job_id) WHERE design_id = ANY($2)
    )
    GROUP BY stopped.job_id, stopped.number, stopped.finish_time
"""


@dataclass(frozen=True)
class Cancels:
    """What cancelling came to.

    Attributes:
        asked: Cancels asked for.
        cancelled: Designs that were cancelled; the others had ended before.
        visible: Cancelled designs that show an artifact.
        started_later: Designs that got an attempt after they were cancelled.
        freed_s: For each attempt that was stopped, seconds until its worker began the next.
    """

    asked: int
    cancelled: int
    visible: tuple[UUID, ...]
    started_later: tuple[UUID, ...]
    freed_s: tuple[float, ...]

    @property
    def slowest_s(self) -> float:
        """The longest that a slot stayed busy with cancelled work; 0 where none was stopped."""
        return max(self.freed_s, default=0.0)

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.asked} cancels: {self.cancelled} designs cancelled, {len(self.freed_s)} of them at work;"
            f" slots free within {self.slowest_s:.2f} s; artifacts shown {len(self.visible)},"
            f" later attempts {len(self.started_later)}"
        )


async def cancel_at_random(load: Load, rng: random.Random, *, count: int, per_s: float, first: int) -> Cancels:
    """Submits orders, a third of which never end by themselves, and cancels each of them at a moment of its own.

    Args:
        load: Where to.
        rng: Draws the moments.
        count: Designs to cancel.
        per_s: Submits a second.
        first: Number of the first order.
    """
    designs: list[UUID] = []
    # Work that nobody cancels waits all the time, so that a freed slot is used at once.
    other = [
        await load.submit(Order(first + count + number, hold_s=HOLD_S), lane=job_pb2.LANE_BULK)
        for number in range(OTHERS * count)
    ]

    async def one(number: int) -> None:
        deed = Deed.HANG if number % 3 == 0 else Deed.FILES
        designs.append(design_id := await load.submit(Order(first + number, hold_s=HOLD_S, deed=deed)))
        await asyncio.sleep(rng.random() * LATEST_S)
        with suppress(PreconditionError):  # it had ended
            await load.farm.client.designs.cancel(str(design_id))

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(number))
            await asyncio.sleep(1 / per_s)
    database = load.farm.database
    return Cancels(
        asked=count,
        cancelled=await database.fetchval(_CANCELLED, designs),
        visible=tuple(row["design_id"] for row in await database.fetch(_VISIBLE, designs)),
        started_later=tuple(row["design_id"] for row in await database.fetch(_STARTED_LATER, designs)),
        freed_s=tuple(sorted(row["freed_s"] for row in await database.fetch(_FREED, designs, other))),
    )
