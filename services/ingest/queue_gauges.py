"""Shows how the queues stand to whoever scrapes: what waits, how long, and what is dead."""

from __future__ import annotations

import asyncio
from typing import Final

from cutline.domain.errors import UnavailableError
from cutline.store.outbox import outbox_age_s
from cutline.store.pool import Database
from cutline.store.queue_counts import QueueCounter
from cutline.store.queue_waits import longest_waits_s
from cutline.telemetry.metrics import Metrics
from cutline.telemetry.names import Attribute
from services.ingest.duty import Duty

INTERVAL_S: Final = 5.0


class QueueGauges:
    """A loop that is safe in many copies: all show the same numbers, of the database's own clock."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
        self._counter = QueueCounter(database)

    async def run(self) -> None:
        """Shows for ever."""
        duty = Duty("queue gauges")
        while True:
            await duty.attempt(self.show)
            await asyncio.sleep(INTERVAL_S)

    async def show(self) -> None:
        """Shows once.

        Raises:
            UnavailableError: The database does not answer; the numbers shown last stay.
        """
        try:
            reading = await self._counter.read()
            waits_s = await longest_waits_s(self._database)
            outbox_s = await outbox_age_s(self._database)
        except UnavailableError:
            self._metrics.database_connected.set(0)
            raise
        self._metrics.database_connected.set(1)
        self._metrics.outbox_age_s.set(outbox_s)
        for (stage, lane), counts in reading.queues.items():
            labels = {Attribute.STAGE.value: stage.value, Attribute.LANE.value: lane.value}
            self._metrics.queue_waiting.set(counts.waiting, labels)
            self._metrics.queue_wait_s.set(waits_s[stage, lane], labels)
            self._metrics.dead_letters.set(counts.dead, labels)
