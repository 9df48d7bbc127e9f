"""What follows a commit: its messages are published, then the message that asked for the work is let go."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import compress
from typing import Final
from uuid import UUID

import asyncpg
from nats.aio.msg import Msg

from cutline.messaging.acks import Acks
from cutline.messaging.publisher import OutgoingMessage, Publisher
from cutline.store.outbox import OutboxRow, delete_outbox
from cutline.store.pool import LOST_CONNECTION, Database

_PUBLISH_TIMEOUT_S: Final = 2.0
# Well below the age at which the relay takes a row for forgotten.
_FORGET_PAUSE_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class _Ended:
    """Work whose end is committed."""

    message: Msg
    outbox: Sequence[OutboxRow]
    told: asyncio.Future[None]


class Telling:
    """Tells of ends; those that were committed together are published, acked and struck off the outbox together.

    Args:
        publisher: Publishes; what the broker does not take is left to the relay.
        acks: Lets messages go.
        database: Where outbox rows are removed once published.
    """

    def __init__(self, publisher: Publisher, acks: Acks, database: Database) -> None:
        self._publisher = publisher
        self._acks = acks
        self._database = database
        self._ended: list[_Ended] = []
        self._published: list[UUID] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def tell(self, message: Msg, outbox: Sequence[OutboxRow]) -> None:
        """Publishes what a commit left, then lets the message go."""
        loop = asyncio.get_running_loop()
        if not self._ended:
            loop.call_soon(self._begin)  # whatever ends in this turn of the loop goes along
        ended = _Ended(message, outbox, loop.create_future())
        self._ended.append(ended)
        await ended.told

    def _begin(self) -> None:
        ended, self._ended = self._ended, []
        self._spawn(self._tell(ended))

    async def _tell(self, ended: list[_Ended]) -> None:
        try:
            rows = [row for one in ended for row in one.outbox]
            messages = [OutgoingMessage(row.subject, row.msg_id, row.payload, row.traceparent) for row in rows]
            held = await self._publisher.publish(messages, timeout_s=_PUBLISH_TIMEOUT_S)
            await self._acks.confirm([one.message for one in ended])
        finally:
            for one in ended:
                if not one.told.done():
                    one.told.set_result(None)
        self._strike_off(list(compress(rows, held)))

    def _strike_off(self, rows: Sequence[OutboxRow]) -> None:
        """Notes rows that the broker has; nobody waits for their removal, so it is done for many at a time."""
        if rows and not self._published:
            self._spawn(self._forget())
        self._published += [row.outbox_id for row in rows]

    async def stop(self) -> None:
        """Waits until what was begun is done."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _forget(self) -> None:
        await asyncio.sleep(_FORGET_PAUSE_S)
        published, self._published = self._published, []
        with suppress(*LOST_CONNECTION, asyncpg.PostgresError):  # the relay does it otherwise
            await delete_outbox(self._database.pool, published)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
