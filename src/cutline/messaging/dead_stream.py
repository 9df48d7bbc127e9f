"""The stream of dead letters: the only place of messages that named no job, and the copies of the rows.

A message that names no job has no row to be a dead letter in. Its copy lies on a subject of its own, so that those few
are found without reading the copies of all others.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import nats.errors
from google.protobuf.message import DecodeError
from nats.aio.msg import Msg
from nats.js.errors import APIError, NotFoundError

from cutline.domain.states import Stage
from cutline.jobs.v1 import ticket_pb2
from cutline.messaging.connection import Broker
from cutline.messaging.consumers import BROKER_ERRORS, bus_unavailable
from cutline.messaging.topology import Topology
from cutline.runtime.logging import get_logger

log = get_logger(__name__)

BATCH: Final = 256
MOST_UNREADABLE: Final = 10_000
"""More than a person looks through; further ones show once these are discarded."""
DELETES_AT_ONCE: Final = 32
CLOCK_MARGIN: Final = timedelta(minutes=2)
"""How far the clocks of the database and the broker may lie apart."""
_ANSWER_TIMEOUT_S: Final = 5.0
_DONE: Final = frozenset({"204", "404"})


@dataclass(frozen=True, slots=True)
class UnreadableLetter:
    """A message that named no job, as its copy tells of it."""

    dead_letter_id: UUID
    sequence: int
    stage: Stage
    reason: str
    message: str
    create_time: datetime


@dataclass(frozen=True, slots=True)
class LetterCopy:
    """A row whose copy is to be removed."""

    dead_letter_id: UUID
    stage: Stage
    tenant: str
    create_time: datetime


class DeadStream:
    """Reads the stream of dead letters, and removes from it.

    Args:
        broker: The connection.
        topology: Names the stream and its subjects.
    """

    def __init__(self, broker: Broker, topology: Topology) -> None:
        self._broker = broker
        self._topology = topology

    async def unreadable(self) -> list[UnreadableLetter]:
        """Every message that named no job, the oldest first; `MOST_UNREADABLE` at most.

        Raises:
            UnavailableError: The broker does not answer.
        """
        found: list[UnreadableLetter] = []
        try:
            async for message in self._messages(self._topology.all_unreadable_subject, {"seq": 1}):
                if letter := _unreadable(message):
                    found.append(letter)
                if len(found) == MOST_UNREADABLE:
                    log.warning("dead_stream.cut_off", most=MOST_UNREADABLE)
                    break
        except BROKER_ERRORS as error:
            raise bus_unavailable() from error
        return found

    async def remove(self, sequences: Sequence[int]) -> int:
        """Removes messages for good; returns how many were there.

        Raises:
            UnavailableError: The broker does not answer.
        """
        removed = 0
        try:
            for start in range(0, len(sequences), DELETES_AT_ONCE):
                deletes = (self._delete(sequence) for sequence in sequences[start : start + DELETES_AT_ONCE])
                removed += sum(await asyncio.gather(*deletes))
        except BROKER_ERRORS as error:
            raise bus_unavailable() from error
        return removed

    async def remove_copies(self, copies: Sequence[LetterCopy]) -> int:
        """Removes the copies of rows, those that are there; returns how many.

        Raises:
            UnavailableError: The broker does not answer.
        """
        wanted: defaultdict[str, dict[UUID, datetime]] = defaultdict(dict)
        for copy in copies:
            subject = self._topology.dead_subject(copy.stage, copy.tenant)
            wanted[subject][copy.dead_letter_id] = copy.create_time
        sequences: list[int] = []
        try:
            for subject, times in wanted.items():
                sequences += await self._find(subject, times)
        except BROKER_ERRORS as error:
            raise bus_unavailable() from error
        return await self.remove(sequences)

    async def _find(self, subject: str, times: dict[UUID, datetime]) -> list[int]:
        """Sequences of the copies of letters, looked for from the time of the oldest on."""
        start, missing = min(times.values()) - CLOCK_MARGIN, set(times)
        found: list[int] = []
        async for message in self._messages(subject, {"start_time": start.astimezone(UTC).isoformat()}):
            copy = _copy(message)
            if copy is not None and (letter := UUID(copy.dead_letter_id)) in missing:
                missing.remove(letter)
                found.append(_sequence(message))
            if not missing:
                break
        return found

    async def _delete(self, sequence: int) -> bool:
        try:
            await self._broker.jetstream.delete_msg(self._topology.dead_stream, sequence)
        except NotFoundError:
            return False
        except APIError as error:
            if "no message found" in (error.description or ""):
                return False
            raise
        return True

    async def _messages(self, subject: str, start: dict[str, Any]) -> AsyncIterator[Msg]:
        """Messages of a subject in the order of the stream, read in batches that leave no consumer behind."""
        client = self._broker.client
        if not self._broker.connected:
            raise nats.errors.ConnectionClosedError
        inbox = client.new_inbox()
        subscription = await client.subscribe(inbox)
        try:
            more = True
            while more:
                request = {**start, "batch": BATCH, "next_by_subj": subject}
                where = f"$JS.API.DIRECT.GET.{self._topology.dead_stream}"
                await client.publish(where, json.dumps(request).encode(), reply=inbox)
                more = False
                while not _is_end(message := await subscription.next_msg(timeout=_ANSWER_TIMEOUT_S)):
                    yield message
                    more = (message.headers or {}).get("Nats-Num-Pending") != "0"
                    start = {"seq": _sequence(message) + 1}
        finally:
            await subscription.unsubscribe()


def _is_end(message: Msg) -> bool:
    headers = message.headers or {}
    if "Nats-Sequence" in headers:
        return False
    state = headers.get("Status")
    if state in _DONE:
        return True
    msg = f"the stream of dead letters cannot be read: {state or 'no answer'}"
    raise nats.errors.Error(msg)


def _sequence(message: Msg) -> int:
    return int((message.headers or {})["Nats-Sequence"])


def _copy(message: Msg) -> ticket_pb2.DeadLetterCopy | None:
    """What a message of the stream says; None where it was not written by a worker."""
    try:
        copy = ticket_pb2.DeadLetterCopy.FromString(message.data)
        UUID(copy.dead_letter_id)
        Stage(copy.stage)
    except (DecodeError, ValueError):
        return None
    return copy


def _unreadable(message: Msg) -> UnreadableLetter | None:
    copy = _copy(message)
    if copy is None:
        log.warning("dead_stream.foreign_message", sequence=_sequence(message))
        return None
    return UnreadableLetter(
        dead_letter_id=UUID(copy.dead_letter_id),
        sequence=_sequence(message),
        stage=Stage(copy.stage),
        reason=copy.reason,
        message=copy.message,
        create_time=_stored_time(message),
    )


def _stored_time(message: Msg) -> datetime:
    # The broker counts nanoseconds and leaves zeros out; microseconds are what a datetime holds.
    whole, _, fraction = (message.headers or {})["Nats-Time-Stamp"].removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00")
