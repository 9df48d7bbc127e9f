"""Finds unfinished work that fell silent and publishes it again.

A job that was released but not started may simply wait in a long queue. Tickets of one tenant, stage and lane lie on
one subject in the order in which they were published, so the oldest message still stored there tells: what was handed
over clearly before it is not stored any more. Where that judges wrongly (a message that went out late), the cost is a
second message; the first one is then out of date and dropped by whoever gets it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import nats.errors
from nats.js.errors import NotFoundError

from cutline.domain.errors import UnavailableError
from cutline.messaging.connection import Broker
from cutline.messaging.topology import Topology
from cutline.runtime.logging import get_logger
from cutline.store.outbox import insert_outbox
from cutline.store.pool import Database
from cutline.store.release import ReleasedJob, SilentJob, find_silent, republish_abandoned, republish_silent
from services.ingest.dispatch import Dispatch

log = get_logger(__name__)

BATCH: Final = 500
CLOCK_MARGIN: Final = timedelta(seconds=30)
"""How far the clocks of the database and the broker may lie apart, with the time a publish takes."""


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
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.sweep_once()
            except UnavailableError:
                log.warning("sweeper.waits")
            except (nats.errors.Error, OSError) as error:
                log.warning("sweeper.broker_silent", error=type(error).__name__)

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
        async with self._database.transaction() as connection:
            silent = await find_silent(connection, silence_s=self._silence_s, limit=BATCH)
        lost = await self._lost(silent) if silent else []
        if not lost:
            return 0
        async with self._database.transaction() as connection:
            jobs: list[ReleasedJob] = await republish_silent(connection, lost)
            tickets = [self._dispatch.ticket(job) for job in jobs]
            await insert_outbox(connection, tickets)
        await self._dispatch.send(tickets)
        log.warning("sweeper.republished", jobs=len(tickets))
        return len(tickets)

    async def _lost(self, silent: Sequence[SilentJob]) -> list[SilentJob]:
        """Those of the jobs whose message the broker does not hold any more."""
        subjects = {job.job_id: self._topology.job_subject(job.stage, job.lane, job.tenant) for job in silent}
        oldest = {subject: await self._oldest(subject) for subject in set(subjects.values())}
        return [
            job
            for job in silent
            if (stored := oldest[subjects[job.job_id]]) is None or job.publish_time < stored - CLOCK_MARGIN
        ]

    async def _oldest(self, subject: str) -> datetime | None:
        """When the oldest message stored on a subject was published; None where there is none."""
        try:
            message = await self._broker.jetstream.get_msg(
                self._topology.jobs_stream, seq=1, subject=subject, next=True
            )
        except NotFoundError:
            return None
        return datetime.now(UTC) if message.time is None else message.time
