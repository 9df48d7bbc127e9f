"""The doorbell by which workers hear that work was cancelled. What it says is never believed, only looked into."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from google.protobuf.message import DecodeError
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from cutline.jobs.v1 import ticket_pb2

Heard = Callable[[str, int], None]
"""Called with a design's id and the newest generation to stop."""


class CancelDoorbell:
    """Listens on one stage's cancel subject (core NATS: a ring may be lost, the next heartbeat finds it out)."""

    def __init__(self, client: Client, subject: str, heard: Heard) -> None:
        self._client = client
        self._subject = subject
        self._heard = heard
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Begins to listen."""
        self._subscription = await self._client.subscribe(self._subject, cb=self._hear)

    async def stop(self) -> None:
        """Listens no more."""
        if (subscription := self._subscription) is not None:
            self._subscription = None
            with suppress(NatsError):
                await subscription.unsubscribe()

    async def _hear(self, message: Msg) -> None:
        try:
            ring = ticket_pb2.CancelRing.FromString(message.data)
        except DecodeError:
            return
        self._heard(ring.design_id, ring.generation)
