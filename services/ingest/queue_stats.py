"""The counts of the queues: one reading serves everybody who asks at about the same time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from cutline.messaging.consumers import ConsumerCounts, Consumers
from cutline.rpc.refusals import draining
from cutline.store.pool import Database
from cutline.store.queue_counts import QueueCounter, StoredReading

FRESH_S: Final = 0.75
"""Age up to which a reading is given to whoever asks: below the shortest interval of a watch, 1 s."""


@dataclass(frozen=True, slots=True)
class QueueReading:
    """Every stage and lane, as the database and the broker told at about one time."""

    stored: StoredReading
    consumers: list[ConsumerCounts]


class QueueStats:
    """Reads the counts when somebody asks, at most once in `FRESH_S` however many ask.

    Args:
        database: Where the jobs are.
        consumers: What the broker knows.
        drain: Set when streams should end themselves.
    """

    def __init__(self, database: Database, consumers: Consumers, *, drain: asyncio.Event) -> None:
        self._counter = QueueCounter(database)
        self._consumers = consumers
        self._drain = drain
        self._reading: asyncio.Task[QueueReading] | None = None
        self._last: QueueReading | None = None
        self._last_s = 0.0

    async def read(self) -> QueueReading:
        """The counts of now, or of a moment ago.

        Raises:
            UnavailableError: The database or the broker does not answer.
        """
        if self._last is not None and time.monotonic() - self._last_s < FRESH_S:
            return self._last
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name="queue-stats")
            self._reading.add_done_callback(self._has_read)
        # Shielded: the one who asked first may go away while others wait for the same reading.
        return await asyncio.shield(self._reading)

    async def watch(self, interval_s: float) -> AsyncGenerator[QueueReading, None]:
        """The counts now and then at each interval, until the service drains.

        Raises:
            UnavailableError: As `read`; or the service is shutting down.
        """
        while True:
            yield await self.read()
            try:
                async with asyncio.timeout(interval_s):
                    await self._drain.wait()
            except TimeoutError:
                continue
            raise draining()

    async def _read(self) -> QueueReading:
        began_s = time.monotonic()
        stored, consumers = await asyncio.gather(self._counter.read(), self._consumers.read())
        reading = QueueReading(stored, consumers)
        self._last, self._last_s = reading, began_s
        return reading

    def _has_read(self, task: asyncio.Task[QueueReading]) -> None:
        self._reading = None
        if not task.cancelled():
            task.exception()  # whoever waits has it; without anybody it is nobody's concern
