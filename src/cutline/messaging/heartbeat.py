"""Signs of life of an attempt: its lease in the database and its message at the broker, renewed together."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress

from cutline.domain.errors import UnavailableError
from cutline.messaging.settlement import Desk, Settlement
from cutline.runtime.logging import get_logger
from cutline.store.attempts import Claim, Standing
from cutline.store.commits import Committed

log = get_logger(__name__)


class Heartbeat:
    """Beats from a claim until it is stopped, and never past the deadline.

    Attributes:
        deadline: Monotonic time at which the work must be over; runs from the moment it may begin.
    """

    def __init__(self, desk: Desk, settlement: Settlement, claim: Claim, *, lost: Callable[[], None]) -> None:
        """A heartbeat that has not begun.

        Args:
            desk: Where leases are renewed.
            settlement: Keeps the message.
            claim: The attempt.
            lost: Called when the attempt turns out not to be wanted any more.
        """
        self.deadline = math.inf
        self._desk = desk
        self._settlement = settlement
        self._claim = claim
        self._lost = lost
        self._first: asyncio.TimerHandle | None = None
        self._beating: asyncio.Task[None] | None = None
        self._look = asyncio.Event()

    async def start(self) -> None:
        """Gives the first sign of life: the lease is as old as the claim, the message is to be younger."""
        claim = self._claim
        await self._settlement.in_progress()
        await self._settlement.ring(Committed(claim.tenant, claim.design_id, claim.revision, claim.design_state))
        self._first = asyncio.get_running_loop().call_later(self._desk.heartbeat_s, self._begin)

    async def stop(self) -> None:
        """Gives no more signs of life."""
        if self._first is not None:
            self._first.cancel()
            self._first = None
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.wait([self._beating])

    def look_now(self) -> None:
        """Renews at once, and so finds out whether the attempt is still wanted."""
        self._look.set()
        self._begin()

    def _begin(self) -> None:
        """Most work is over before its second sign of life is due: only then there is a task for it."""
        if self._first is not None:
            self._first.cancel()
            self._first = None
            self._beating = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        renewal: asyncio.Task[Standing] | None = None
        try:
            while time.monotonic() < self.deadline:
                self._look.clear()
                # First the lease, so that a message that is handed on finds it run out. A database that hangs is not
                # waited for: nobody else can claim the job there, and the message must be kept meanwhile.
                renewal = renewal or asyncio.create_task(self._renew())
                await asyncio.wait([renewal], timeout=self._desk.heartbeat_s)
                if renewal.done():
                    if renewal.result() is not Standing.HELD:
                        self._lost()
                        return
                    renewal = None
                if time.monotonic() < self.deadline:
                    await self._settlement.in_progress()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._look.wait(), self._desk.heartbeat_s)
        finally:
            if renewal is not None:
                renewal.cancel()

    async def _renew(self) -> Standing:
        try:
            return await self._desk.attempts.renew(self._claim)
        except UnavailableError:
            log.warning("delivery.renewal_failed")
            return Standing.HELD  # nobody else can claim it either
