"""Signs of life of an attempt while the database does not answer."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from cutline.messaging.heartbeat import Heartbeat
from cutline.store.attempts import Standing

KEPT = 3


class _Hung:
    """Attempts in a database that takes the question and does not answer it until it is woken."""

    def __init__(self) -> None:
        self.asked = 0
        self.woken = asyncio.Event()
        self.standing = Standing.HELD

    async def renew(self, _claim: object) -> Standing:
        self.asked += 1
        await self.woken.wait()
        return self.standing


class _Message:
    """A settlement that counts how often its message was kept."""

    def __init__(self) -> None:
        self.kept = 0
        self.enough = asyncio.Event()

    async def in_progress(self) -> None:
        self.kept += 1
        if self.kept > KEPT:
            self.enough.set()

    async def ring(self, _committed: object) -> None:
        """Nobody listens."""


async def test_a_database_that_hangs_does_not_cost_the_message() -> None:
    """The message is kept again and again while one renewal waits; what that says in the end is heeded."""
    attempts, message, lost = _Hung(), _Message(), asyncio.Event()
    claim = SimpleNamespace(tenant="t", design_id=None, revision=0, design_state="PROCESSING")
    desk = SimpleNamespace(attempts=attempts, heartbeat_s=0.01)
    heartbeat = Heartbeat(cast("Any", desk), cast("Any", message), cast("Any", claim), lost=lost.set)

    await heartbeat.start()
    await asyncio.wait_for(message.enough.wait(), 30)

    assert attempts.asked == 1
    attempts.standing = Standing.LOST
    attempts.woken.set()
    await asyncio.wait_for(lost.wait(), 30)
    await heartbeat.stop()
