"""Finds unfinished work that fell silent and publishes it again.

A job that was released but not started may simply wait in a long queue, so the sweeper looks where its message is
stored. The first time it asks by publishing the message once more under the same id: the broker answers with the
sequence of the one it has, or stores the one that was missing. That sequence is kept with the job; from then on a look
at the message suffices. Only a message that is gone, or that the broker will not deliver any more, is replaced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from nats.js.errors import NotFoundError

from cutline.domain.states import Lane, Stage
from cutline.messaging.connection import Broker
from cutline.messaging.topology import HEADER_MSG_ID, HEADER_TRACEPARENT, Topology, job_msg_id
from cutline.runtime.logging import get_logger
from cutline.store.outbox import insert_outbox
from cutline.store.pool import Database
from cutline.store.release import ReleasedJob
from cutline.store.silent import SilentJob, find_silent, note_stored, republish_abandoned, republish_silent
from services.ingest.dispatch import Dispatch
from services.ingest.duty import Duty

log = get_logger(__name__)

BATCH: Final = 500
AT_A_TIME: Final = 50
"""Questions the broker has to answer at once."""

Floors = Mapping[tuple[Stage, Lane], int]
"""Of each queue, the sequence up to which the broker will deliver nothing any more."""


class Sweeper:
    """A loop that is safe in many copies: rows are locked while they are changed, and skipped by the others."""

    def __init__(
        self,
        *,
        database: Database,
        broker: Broker,
        topology: Topology,
        dispatch: Dispatch,
        interval_s: float,
        silence_s: float,
    ) -> None:
        self._database = database
        self._broker = broker
        self._topology = topology
        self._dispatch = dispatch
        self._interval_s = interval_s
        self._silence_s = silence_s

    async def run(self) -> None:
        """Sweeps for ever."""
        duty = Duty("sweeper")
        while True:
            await asyncio.sleep(self._interval_s)
            await duty.attempt(self.sweep_once)

    async def sweep_once(self) -> int:
        """Publishes silent jobs again; returns how many.

        Raises:
            nats.errors.Error: The broker does not answer, so that nothing can be said of its messages.
        """
        async with self._database.transaction() as connection:
            jobs = await republish_abandoned(connection, silence_s=self._silence_s, limit=BATCH)
            tickets = [self._dispatch.ticket(job) for job in jobs]
            await insert_outbox(connection, tickets)
        await self._dispatch.send(tickets)
        return len(tickets) + await self._sweep_lost()

    async def _sweep_lost(self) -> int:
        silent = await find_silent(self._database, silence_s=self._silence_s, limit=BATCH)
        if not silent:
            return 0
        floors = await self._floors({(one.job.stage, one.job.lane) for one in silent})
        places = await self._places(silent, floors)
        stored = [(one.job, place) for one, place in zip(silent, places, strict=True) if place is not None]
        lost = [one.job for one, place in zip(silent, places, strict=True) if place is None]
        async with self._database.transaction() as connection:
            await note_stored(connection, stored)
            jobs = await republish_silent(connection, lost)
            tickets = [self._dispatch.ticket(job) for job in jobs]
            await insert_outbox(connection, tickets)
        await self._dispatch.send(tickets)
        if tickets:
            log.warning("sweeper.republished", jobs=len(tickets))
        return len(tickets)

    async def _floors(self, queues: set[tuple[Stage, Lane]]) -> Floors:
        """What the consumers are done with; a message stored below was delivered as often as may be."""
        floors = {}
        for stage, lane in queues:
            name = self._topology.consumer_name(stage, lane)
            info = await self._broker.jetstream.consumer_info(self._topology.jobs_stream, name)
            # With nothing under way the consumer is done with all it ever delivered; its floor may lag behind that.
            done = info.ack_floor if info.num_ack_pending else info.delivered
            floors[stage, lane] = 0 if done is None else done.stream_seq
        return floors

    async def _places(self, silent: Sequence[SilentJob], floors: Floors) -> list[int | None]:
        places: list[int | None] = []
        for first in range(0, len(silent), AT_A_TIME):
            places += await asyncio.gather(*(self._place(one, floors) for one in silent[first : first + AT_A_TIME]))
        return places

    async def _place(self, silent: SilentJob, floors: Floors) -> int | None:
        """Sequence at which the job's message waits to be delivered; None where it does not."""
        jetstream, stream, job = self._broker.jetstream, self._topology.jobs_stream, silent.job
        sequence = silent.stream_sequence
        if sequence is None:
            sequence, fresh = await self._ask(job)
            if fresh:
                return sequence
        try:
            message = await jetstream.get_msg(stream, sequence)
        except NotFoundError:
            return None
        # A stream that was made anew counts from the start: another job's message may lie there.
        if (message.headers or {}).get(HEADER_MSG_ID) != job_msg_id(job.job_id, job.publication):
            return None
        if sequence > floors[job.stage, job.lane]:
            return sequence
        log.warning("sweeper.undeliverable", job_id=str(job.job_id), sequence=sequence)
        await jetstream.delete_msg(stream, sequence)
        return None

    async def _ask(self, job: ReleasedJob) -> tuple[int, bool]:
        """Publishes a job's message once more: where it is or was stored, and whether it was stored only now."""
        ticket = self._dispatch.ticket(job)
        headers = {HEADER_MSG_ID: ticket.msg_id}
        if ticket.traceparent:
            headers[HEADER_TRACEPARENT] = ticket.traceparent
        ack = await self._broker.jetstream.publish(ticket.subject, ticket.payload, headers=headers)
        return ack.seq, not ack.duplicate
