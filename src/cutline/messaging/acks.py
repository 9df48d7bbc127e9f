"""Acks that the broker confirms: those of one moment are sent together and awaited together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from cutline.runtime.logging import get_logger

log = get_logger(__name__)

ACK_TIMEOUT_S: Final = 5.0


class Acks:
    """Acknowledges messages; one reply subscription serves all."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inbox = ""
        self._counter = 0
        self._waiting: dict[str, _Confirmation] = {}

    async def start(self) -> None:
        """Listens for confirmations; the connection must have been made."""
        inbox = self._client.new_inbox()
        await self._client.subscribe(f"{inbox}.*", cb=self._hear)
        self._inbox = inbox

    async def confirm(self, messages: Sequence[Msg], *, timeout_s: float = ACK_TIMEOUT_S) -> None:
        """Lets messages go and waits until the broker has taken that in.

        One whose confirmation does not come may come again; then it is found to be over.
        """
        confirmation = _Confirmation(len(messages))
        tokens = []
        try:
            for message in messages:
                self._counter += 1
                token = str(self._counter)
                self._waiting[token] = confirmation
                tokens.append(token)
                await self._client.publish(message.reply, Msg.Ack.Ack, reply=f"{self._inbox}.{token}")
            async with asyncio.timeout(timeout_s):
                await confirmation.done
        except (NatsError, OSError):  # a timeout is an OSError too
            log.warning("acks.unanswered", number=confirmation.open_count)
        finally:
            for token in tokens:
                self._waiting.pop(token, None)

    async def _hear(self, message: Msg) -> None:
        confirmation = self._waiting.pop(message.subject.rpartition(".")[2], None)
        if confirmation is not None:
            confirmation.one_came()


class _Confirmation:
    """Acks that are awaited together."""

    __slots__ = ("done", "open_count")

    def __init__(self, number: int) -> None:
        self.open_count = number
        self.done = asyncio.get_running_loop().create_future()

    def one_came(self) -> None:
        self.open_count -= 1
        if self.open_count == 0 and not self.done.done():
            self.done.set_result(None)
