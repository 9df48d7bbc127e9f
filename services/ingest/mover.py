"""Settles messages the broker gave up: it has delivered them as often as may be and will not do so again.

The broker tells by an advisory, which a stream keeps. The message still lies in the stream of jobs, seen by no worker.
The database knows whether its job has attempts left: then it is published anew, else it is dead. Every step may be
repeated, so a mover that dies half-way leaves nothing undone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import nats.errors
from nats.aio.msg import Msg
from nats.js.errors import APIError, NotFoundError

from cutline.domain.states import Stage
from cutline.messaging.connection import Broker
from cutline.messaging.publisher import Publisher
from cutline.messaging.tickets import read_ticket
from cutline.messaging.topology import Topology
from cutline.messaging.unreadable import unreadable_copy
from cutline.runtime.logging import get_logger
from cutline.store.commits import Committed
from cutline.store.outbox import OutboxRow, insert_outbox
from cutline.store.pool import Connection, Database
from cutline.store.release import ReleasedJob
from cutline.store.undelivered import Standing, settle_undelivered
from services.ingest.dispatch import Dispatch
from services.ingest.duty import Duty

log = get_logger(__name__)

BATCH: Final = 50
FETCH_TIMEOUT_S: Final = 5.0
FETCH_HEARTBEAT_S: Final = 1.0
PUBLISH_TIMEOUT_S: Final = 5.0
PAUSE_S: Final = 1.0
LATER_S: Final = 10.0
"""When to ask again about a job that somebody is still working on."""

Settle = Callable[[Connection], Awaitable[ReleasedJob | Committed | Standing]]


class Mover:
    """A loop that is safe in many copies: the broker hands each advisory to one of them."""

    def __init__(self, *, database: Database, broker: Broker, publisher: Publisher, topology: Topology) -> None:
        self._database = database
        self._broker = broker
        self._publisher = publisher
        self._topology = topology
        self._dispatch = Dispatch(database, publisher, topology)

    async def run(self) -> None:
        """Moves for ever."""
        duty = Duty("mover")
        while True:
            await self._broker.wait_connected()
            await duty.attempt(self._pull)
            await asyncio.sleep(PAUSE_S)

    async def _pull(self) -> None:
        consumer, settling = self._topology.mover_consumer(), Duty("mover-settle")
        subscription = await self._broker.jetstream.pull_subscribe_bind(consumer.name, stream=consumer.stream)
        try:
            while True:
                try:
                    advisories = await subscription.fetch(BATCH, timeout=FETCH_TIMEOUT_S, heartbeat=FETCH_HEARTBEAT_S)
                except nats.errors.TimeoutError:
                    await self._broker.jetstream.consumer_info(consumer.stream, consumer.name)  # is it there at all?
                    continue
                for advisory in advisories:
                    if not await settling.attempt(partial(self.settle, advisory)):
                        await advisory.nak(LATER_S)
        finally:
            if self._broker.connected:
                await subscription.unsubscribe()

    async def settle(self, advisory: Msg) -> bool:
        """Deals with one advisory and acks it; False where it has to come again.

        Raises:
            UnavailableError: The database cannot be reached; the advisory has to come again.
            nats.errors.Error: The broker does not answer; the same.
        """
        sequence = _sequence(advisory)
        message = None if sequence is None else await self._message(sequence)
        if sequence is not None and message is not None:
            subject, data = message
            ticket = read_ticket(data)
            if ticket is None:
                done = await self._set_aside(subject, sequence)
            else:
                done = await self._decide(
                    ticket.job_id, partial(settle_undelivered, topology=self._topology, ticket=ticket)
                )
            if not done:
                return False
            await self._drop(sequence)
        await advisory.ack()
        return True

    async def _message(self, sequence: int) -> tuple[str, bytes] | None:
        """Subject and content of a message of the job stream; None where it is gone."""
        try:
            message = await self._broker.jetstream.get_msg(self._topology.jobs_stream, sequence)
        except NotFoundError:
            return None
        return message.subject or "", message.data or b""

    async def _drop(self, sequence: int) -> None:
        try:
            await self._broker.jetstream.delete_msg(self._topology.jobs_stream, sequence)
        except APIError as error:
            log.info("mover.gone_already", sequence=sequence, code=error.err_code)

    async def _set_aside(self, subject: str, sequence: int) -> bool:
        """Keeps the copy of a message that names no job; whether the broker has it."""
        *_, stage, _, tenant = subject.split(".")
        copy = unreadable_copy(self._topology, stage=Stage(stage), tenant=tenant, sequence=sequence)
        log.error("mover.message_unreadable", sequence=sequence)
        return all(await self._publisher.publish([copy], timeout_s=PUBLISH_TIMEOUT_S))

    async def _decide(self, job_id: str, settle: Settle) -> bool:
        """Publishes the job anew or gives it up; False where somebody is working on it."""

        async def work(connection: Connection) -> Standing | tuple[OutboxRow, ...]:
            settled = await settle(connection)
            match settled:
                case ReleasedJob():
                    rows = (self._dispatch.ticket(settled),)
                    await insert_outbox(connection, rows)
                    return rows
                case Committed():
                    return settled.outbox
            return settled

        settled = await self._database.run_transaction(work)
        if isinstance(settled, Standing):
            return settled is Standing.STALE
        log.warning("mover.settled", job_id=job_id, messages=[row.msg_id for row in settled])
        await self._dispatch.send(settled)
        return True


def _sequence(advisory: Msg) -> int | None:
    """Where the message lies that an advisory speaks of; None where that cannot be read."""
    try:
        return int(json.loads(advisory.data)["stream_seq"])
    except (ValueError, KeyError, TypeError):
        log.exception("mover.advisory_unreadable")
        return None
