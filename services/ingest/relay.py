"""Publishes what was not published inline: the outbox's older rows, each under the id it was given first."""

from __future__ import annotations

import asyncio
from typing import Final

from cutline.messaging.publisher import OutgoingMessage, Publisher
from cutline.runtime.logging import get_logger
from cutline.store.outbox import delete_outbox, outbox_depth, take_outbox
from cutline.store.pool import Database
from cutline.telemetry.metrics import Metrics
from services.ingest.duty import Duty

log = get_logger(__name__)

BATCH: Final = 256
PUBLISH_TIMEOUT_S: Final = 5.0
HOLD_S: Final = 3 * PUBLISH_TIMEOUT_S
"""Longest a batch stays locked while the broker is asked; a relay that is frozen loses it then."""


class Relay:
    """A loop that is safe in many copies: rows are locked while they are published, and skipped by the others."""

    def __init__(
        self, *, database: Database, publisher: Publisher, metrics: Metrics, interval_s: float, age_s: float
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._metrics = metrics
        self._interval_s = interval_s
        self._age_s = age_s

    async def run(self) -> None:
        """Relays for ever."""
        duty = Duty("relay")
        while True:
            while await duty.attempt(self.relay_once) == BATCH:
                pass
            await asyncio.sleep(self._interval_s)

    async def relay_once(self) -> int:
        """Publishes one batch, oldest first; returns how many the broker took.

        The locks end with the connection: a relay that dies leaves its rows to the next one.
        """
        async with self._database.transaction(idle_s=HOLD_S) as connection:
            self._metrics.outbox_depth.set(await outbox_depth(connection))
            rows = await take_outbox(connection, min_age_s=self._age_s, limit=BATCH)
            messages = [OutgoingMessage(row.subject, row.msg_id, row.payload, row.traceparent) for row in rows]
            acked = await self._publisher.publish(messages, timeout_s=PUBLISH_TIMEOUT_S)
            sent = [row.outbox_id for row, has in zip(rows, acked, strict=True) if has]
            await delete_outbox(connection, sent)
        if sent:
            log.info("relay.sent", messages=len(sent))
        return len(sent)
