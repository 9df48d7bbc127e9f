"""Releases waiting jobs in their turn: scheduled, retried and held back ones alike."""

from __future__ import annotations

import asyncio
from typing import Final

from cutline.domain.errors import UnavailableError
from cutline.runtime.logging import get_logger
from cutline.store.outbox import insert_outbox
from cutline.store.pool import Database
from cutline.store.release import release_due
from services.ingest.dispatch import Dispatch

log = get_logger(__name__)

BATCH: Final = 1000
PUBLISH_TIMEOUT_S: Final = 2.0


class Release:
    """A loop that is safe in many copies: an advisory lock lets one release at a time."""

    def __init__(self, *, database: Database, dispatch: Dispatch, window: int, interval_s: float) -> None:
        self._database = database
        self._dispatch = dispatch
        self._window = window
        self._interval_s = interval_s
        self._poke = asyncio.Event()

    def poke(self) -> None:
        """Looks at once: a job was stored that is due."""
        self._poke.set()

    async def run(self) -> None:
        """Releases for ever."""
        while True:
            self._poke.clear()
            try:
                await self.release_once()
            except UnavailableError:
                log.warning("release.waits")
            await self._pause()

    async def release_once(self) -> int:
        """Releases what is due and has room in its window; returns how many jobs that were."""
        async with self._database.transaction() as connection:
            jobs = await release_due(connection, window=self._window, limit=BATCH)
            tickets = [self._dispatch.ticket(job) for job in jobs]
            if tickets:
                await insert_outbox(connection, tickets)
        await self._dispatch.send(tickets, timeout_s=PUBLISH_TIMEOUT_S)
        return len(tickets)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._interval_s):
                await self._poke.wait()
        except TimeoutError:
            return
