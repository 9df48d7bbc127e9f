"""Hears from the bus that work was started, so that the next in turn can be released at once.

Every change of a design rings its doorbell. Hearing all of them costs, so this listens only while asked to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from cutline.domain.states import DesignState
from cutline.messaging.connection import Broker
from cutline.messaging.tickets import read_ring_state
from cutline.messaging.topology import Topology
from cutline.runtime.logging import get_logger

log = get_logger(__name__)

BROKER_ERRORS: Final = (nats.errors.Error, OSError)


class Starts:
    """Counts doorbells of work that goes on; without a broker nothing starts, and it stays silent.

    Make it before the broker starts.
    """

    def __init__(self, broker: Broker, topology: Topology) -> None:
        self._broker = broker
        self._topology = topology
        self._wake: Callable[[], None] = lambda: None
        self._hears_pokes = False
        self._subscription: Subscription | None = None
        self._heard = 0
        broker.on_connect(self._hear_pokes)

    def attach(self, wake: Callable[[], None]) -> None:
        """Calls `wake` from now on: when a process says that it stored a job that is due, and as `listen` says."""
        self._wake = wake

    async def _hear_pokes(self) -> None:
        async def heard(_: Msg) -> None:
            self._wake()

        if not self._hears_pokes:  # the client renews subscriptions by itself
            self._hears_pokes = True
            await self._broker.client.subscribe(self._topology.release_subject, cb=heard)

    async def listen(self, *, each: int) -> None:
        """Wakes whenever `each` more designs went on, until `rest`."""
        if self._subscription is not None or not self._broker.connected:
            return

        async def heard(message: Msg) -> None:
            if read_ring_state(message.data) == DesignState.QUEUED:
                return
            self._heard += 1
            if self._heard >= each:
                self._heard = 0
                self._wake()

        try:
            self._subscription = await self._broker.client.subscribe(self._topology.all_designs_subject, cb=heard)
        except BROKER_ERRORS as error:
            log.warning("starts.not_heard", error=type(error).__name__)

    async def rest(self) -> None:
        """Hears nothing any more."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            try:
                await subscription.unsubscribe()
            except BROKER_ERRORS as error:
                log.warning("starts.still_heard", error=type(error).__name__)
