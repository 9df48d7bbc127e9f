"""Publishes to JetStream in batches, and rings doorbells.

One reply subscription serves every message: the acks of a batch are awaited together, and one that comes too late
still tells that the broker answers again. A message that was not acked may be stored all the same; its Nats-Msg-Id
makes sending it again harmless.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from cutline.messaging.connection import Broker
from cutline.messaging.topology import HEADER_MSG_ID, HEADER_TRACEPARENT
from cutline.runtime.logging import get_logger
from cutline.telemetry.metrics import Metrics
from cutline.telemetry.names import Attribute

log = get_logger(__name__)

SEND_ERRORS: Final = (nats.errors.Error, OSError)


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message for JetStream; `traceparent` is empty where there is no trace."""

    subject: str
    msg_id: str
    payload: bytes
    traceparent: str = ""


class _Batch:
    """Messages whose acks are awaited together."""

    __slots__ = ("acked", "done", "open_count")

    def __init__(self, size: int) -> None:
        self.acked = [False] * size
        self.open_count = size
        self.done = asyncio.get_running_loop().create_future()

    def settle(self, index: int, *, acked: bool) -> None:
        self.acked[index] = acked
        self.open_count -= 1
        if self.open_count == 0 and not self.done.done():
            self.done.set_result(None)


class Publisher:
    """A part that publishes over a broker's connection; start it after the broker."""

    def __init__(self, broker: Broker, *, metrics: Metrics | None = None) -> None:
        self._broker = broker
        self._metrics = metrics or Metrics.silent()
        self._waiting: dict[str, tuple[_Batch, int]] = {}
        self._counter = 0
        self._inbox = ""
        self._answering = True

    @property
    def answering(self) -> bool:
        """False after a publish timed out, until any ack arrives."""
        return self._answering and self._broker.connected

    async def start(self) -> None:
        """Subscribes to the acks as soon as there is a connection."""
        if self._broker.connected:
            await self._subscribe()
        else:
            self._broker.on_connect(self._subscribe)

    async def stop(self) -> None:
        """Has nothing to give back: the subscription goes with the connection."""

    async def _subscribe(self) -> None:
        if self._inbox:
            return  # the client renews subscriptions by itself
        client: Client = self._broker.client
        inbox = client.new_inbox()
        await client.subscribe(f"{inbox}.*", cb=self._heard)
        self._inbox = inbox

    async def publish(self, messages: Sequence[OutgoingMessage], *, timeout_s: float) -> list[bool]:
        """Publishes all and waits for their acks together.

        Returns:
            For each message, in order, whether the broker has it: stored now, or known by its id already. Never raises
            for the broker's sake.
        """
        if not messages:
            return []
        if not self._inbox or not self._broker.connected:
            self._count("failed", len(messages))
            return [False] * len(messages)
        start = time.perf_counter()
        batch = _Batch(len(messages))
        tokens = await self._send(messages, batch)
        try:
            async with asyncio.timeout(timeout_s):
                await batch.done
        except TimeoutError:
            self._answering = False
            self._count("timeout", batch.open_count)
            log.warning("publish.timeout", unanswered=batch.open_count, timeout_s=timeout_s)
        finally:
            for token in tokens:
                self._waiting.pop(token, None)
        self._metrics.publish_duration_s.record(time.perf_counter() - start)
        return batch.acked

    async def probe(self, message: OutgoingMessage) -> None:
        """Sends one message without waiting; its ack makes `answering` true again."""
        if self._inbox and self._broker.connected:
            await self._send_one(message, f"{self._inbox}.probe")

    async def ring(self, subject: str, payload: bytes) -> None:
        """Sends a core message that may be lost; dropped while there is no connection, for it would come too late."""
        if not self._broker.connected:
            self._metrics.rings.add(1, {Attribute.OUTCOME: "lost"})
            return
        try:
            await self._broker.client.publish(subject, payload)
        except SEND_ERRORS:
            self._metrics.rings.add(1, {Attribute.OUTCOME: "lost"})
        else:
            self._metrics.rings.add(1, {Attribute.OUTCOME: "sent"})

    async def _send(self, messages: Sequence[OutgoingMessage], batch: _Batch) -> list[str]:
        tokens = []
        for index, message in enumerate(messages):
            self._counter += 1
            token = str(self._counter)
            self._waiting[token] = (batch, index)
            if await self._send_one(message, f"{self._inbox}.{token}"):
                tokens.append(token)
            else:
                del self._waiting[token]
                batch.settle(index, acked=False)
                self._count("failed", 1)
        return tokens

    async def _send_one(self, message: OutgoingMessage, reply: str) -> bool:
        headers = {HEADER_MSG_ID: message.msg_id}
        if message.traceparent:
            headers[HEADER_TRACEPARENT] = message.traceparent
        try:
            await self._broker.client.publish(message.subject, message.payload, reply=reply, headers=headers)
        except SEND_ERRORS as error:
            log.warning("publish.failed", error=type(error).__name__)
            return False
        return True

    async def _heard(self, message: Msg) -> None:
        outcome = _outcome(message)
        if outcome is not None:
            self._answering = True
        waiting = self._waiting.pop(message.subject.rpartition(".")[2], None)
        if waiting is None:
            return  # too late, or a probe
        batch, index = waiting
        self._count(outcome or "failed", 1)
        batch.settle(index, acked=outcome is not None)

    def _count(self, outcome: str, number: int) -> None:
        self._metrics.publishes.add(number, {Attribute.OUTCOME: outcome})


def _outcome(message: Msg) -> str | None:
    """`stored` or `duplicate` from a PubAck; None where the broker refused, or no stream listens (an election)."""
    if not message.data:
        return None
    try:
        ack: dict[str, Any] = json.loads(message.data)
    except ValueError:
        return None
    if "error" in ack:
        log.warning("publish.refused", description=str(ack["error"].get("description", ""))[:200])
        return None
    return "duplicate" if ack.get("duplicate") else "stored"
