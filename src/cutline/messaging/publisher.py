"""Publishes to JetStream in batches, and rings doorbells.

One reply subscription serves every message: the acks of a batch are awaited together, and one that comes too late
still tells that the broker answers again. A message that was not acked may be stored all the same; its Nats-Msg-Id
makes sending it again harmless.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
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

PROBE_INTERVAL_S: Final = 1.0
REFUSALS_TOLD_S: Final = 10.0
MAX_UNSENT_BYTES: Final = 1024**2
"""More than this waits in the client only if its server has hung: at twice as much the client would make callers wait
until the server reads again."""

STORED: Final = "stored"
DUPLICATE: Final = "duplicate"
FAILED: Final = "failed"
TIMEOUT: Final = "timeout"
HELD: Final = frozenset({STORED, DUPLICATE})
"""Outcomes after which the broker has the message."""


_RING_SENT: Final = {Attribute.OUTCOME.value: "sent"}
_RING_LOST: Final = {Attribute.OUTCOME.value: "lost"}


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message for JetStream; `traceparent` is empty where there is no trace."""

    subject: str
    msg_id: str
    payload: bytes
    traceparent: str = ""


class _Batch:
    """Messages whose acks are awaited together."""

    __slots__ = ("acked", "done", "open_count", "outcomes")

    def __init__(self, size: int) -> None:
        self.acked = [False] * size
        self.open_count = size
        self.outcomes: Counter[str] = Counter()
        self.done = asyncio.get_running_loop().create_future()

    def settle(self, index: int, outcome: str) -> None:
        self.acked[index] = outcome in HELD
        self.outcomes[outcome] += 1
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
        self._probe_s = 0.0
        self._refusals = _Refusals()

    @property
    def answering(self) -> bool:
        """False after a publish timed out, until any ack arrives."""
        return self._answering and self._broker.connected

    @property
    def _taking(self) -> bool:
        """Whether what is sent now leaves without delay."""
        return self._broker.connected and self._broker.client.pending_data_size < MAX_UNSENT_BYTES

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
        if not self._inbox or not self._taking:
            self._count({FAILED: len(messages)})
            return [False] * len(messages)
        start = time.perf_counter()
        batch = _Batch(len(messages))
        tokens = await self._send(messages, batch)
        try:
            async with asyncio.timeout(timeout_s):
                await batch.done
        except TimeoutError:
            self._answering = False
            batch.outcomes[TIMEOUT] = batch.open_count
            log.warning("publish.timeout", unanswered=batch.open_count, timeout_s=timeout_s)
        finally:
            for token in tokens:
                self._waiting.pop(token, None)
        self._metrics.publish_duration_s.record(time.perf_counter() - start)
        self._count(batch.outcomes)
        return batch.acked

    async def probe(self, message: OutgoingMessage) -> None:
        """Sends one message without waiting, once a second at most; its ack makes `answering` true again."""
        now_s = time.monotonic()
        if self._inbox and self._taking and now_s - self._probe_s >= PROBE_INTERVAL_S:
            self._probe_s = now_s
            await self._send_one(message, f"{self._inbox}.probe")

    async def ring(self, subject: str, payload: bytes) -> None:
        """Sends a core message that may be lost; dropped while there is no connection, for it would come too late."""
        await self.ring_all([(subject, payload)])

    async def ring_all(self, rings: Sequence[tuple[str, bytes]]) -> None:
        """Sends many core messages, each a subject and a payload; see `ring`."""
        sent = 0
        client = self._broker.client
        if self._taking:
            try:
                for subject, payload in rings:
                    await client.publish(subject, payload)
                    sent += 1
            except SEND_ERRORS as error:
                log.warning("ring.lost", error=type(error).__name__)
        if sent:
            self._metrics.rings.add(sent, _RING_SENT)
        if sent < len(rings):
            self._metrics.rings.add(len(rings) - sent, _RING_LOST)

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
                batch.settle(index, FAILED)
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
        outcome, refusal = _outcome(message.data)
        if refusal:
            self._refusals.tell(refusal)
        if outcome in HELD:
            self._answering = True
        waiting = self._waiting.pop(message.subject.rpartition(".")[2], None)
        if waiting is not None:  # else too late, or a probe
            batch, index = waiting
            batch.settle(index, outcome)

    def _count(self, outcomes: Mapping[str, int]) -> None:
        for outcome, number in outcomes.items():
            self._metrics.publishes.add(number, {Attribute.OUTCOME.value: outcome})


class _Refusals:
    """Tells what the broker refuses, seldom: a full stream refuses each of thousands of messages."""

    def __init__(self) -> None:
        self._number = 0
        self._told_s = -REFUSALS_TOLD_S

    def tell(self, description: str) -> None:
        """Counts a refusal, and tells of those since the last time."""
        self._number += 1
        now_s = time.monotonic()
        if now_s - self._told_s >= REFUSALS_TOLD_S:
            log.warning("publish.refused", description=description[:200], messages=self._number)
            self._number, self._told_s = 0, now_s


def _outcome(data: bytes) -> tuple[str, str]:
    """What a PubAck says, and why it refuses; an empty one means that no stream listens, as during an election."""
    if not data:
        return FAILED, ""
    # Most acks are plain; telling them apart from the rest by their bytes saves parsing each.
    if b'"error"' not in data and b'"duplicate"' not in data:
        return (STORED if b'"seq"' in data else FAILED), ""
    try:
        ack: dict[str, Any] = json.loads(data)
    except ValueError:
        return FAILED, ""
    if "error" in ack:
        return FAILED, str(ack["error"].get("description", "")) or "without a reason"
    return (DUPLICATE if ack.get("duplicate") else STORED), ""
