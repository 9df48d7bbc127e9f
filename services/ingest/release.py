"""Releases waiting jobs in their turn: scheduled, retried and held back ones alike."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from cutline.store.outbox import insert_outbox
from cutline.store.pool import Database
from cutline.store.release import held_queues, release_due
from services.ingest.dispatch import Dispatch
from services.ingest.duty import Duty
from services.ingest.settings import BacklogLimits
from services.ingest.starts import Starts

BATCH: Final = 1000
PUBLISH_TIMEOUT_S: Final = 2.0
PACE_S: Final = 0.02
"""Shortest time between two passes, whoever asks for them."""
WINDOW_SHARES: Final = 8
"""A pass follows once that share of a window has started: small against the window, large against a pass's cost."""


class Release:
    """A loop that is safe in many copies: an advisory lock lets one release at a time.

    It looks when a job was stored that is due, when jobs have started while others wait for their turn, and each
    interval: then what was scheduled is found, and whatever a lost ring did not tell.

    Args:
        database: Where jobs wait.
        dispatch: Sends their messages.
        starts: Tells of started work while jobs wait for their turn.
        limits: The window of a tenant and the target of a lane.
        interval_s: The longest time between two passes.
    """

    def __init__(
        self, *, database: Database, dispatch: Dispatch, starts: Starts, limits: BacklogLimits, interval_s: float
    ) -> None:
        self._database = database
        self._dispatch = dispatch
        self._starts = starts
        self._limits = limits
        self._interval_s = interval_s
        self._poke = asyncio.Event()
        starts.attach(self.poke)

    def poke(self) -> None:
        """Looks soon: a job was stored that is due."""
        self._poke.set()

    async def run(self) -> None:
        """Releases for ever."""
        duty, hearing = Duty("release"), Duty("release-starts")
        while True:
            began_s = time.monotonic()
            self._poke.clear()
            released = await duty.attempt(self.release_once)
            await hearing.attempt(self._listen)
            if released != BATCH:
                await self._pause()
            await asyncio.sleep(PACE_S - (time.monotonic() - began_s))

    async def release_once(self) -> int:
        """Releases what is due and has room; returns how many jobs that were."""
        async with self._database.transaction() as connection:
            jobs = await release_due(
                connection, window=self._limits.release_window, target=self._limits.release_target, limit=BATCH
            )
            tickets = [self._dispatch.ticket(job) for job in jobs]
            if tickets:
                await insert_outbox(connection, tickets)
        await self._dispatch.send(tickets, timeout_s=PUBLISH_TIMEOUT_S)
        return len(tickets)

    async def _listen(self) -> None:
        """Hears of starts while there is anybody to release because of them."""
        if await held_queues(self._database):
            await self._starts.listen(each=max(1, self._limits.release_window // WINDOW_SHARES))
        else:
            await self._starts.rest()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._interval_s):
                await self._poke.wait()
        except TimeoutError:
            return
