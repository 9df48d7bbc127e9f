"""What the broker knows of each stage and lane, and how handing out is paused.

A pause is state of a consumer and not a setting of the topology: applying the topology keeps it. While it lasts the
broker holds every pull open, answers a pull that does not wait with "no messages", and still takes acks and signs of
life of what is running. It ends at its time or by a resume, and the held pulls are served at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import nats.errors
from nats.js.errors import Error as JetStreamError

from cutline.domain.errors import Reason, UnavailableError
from cutline.domain.states import Lane, Stage
from cutline.messaging.connection import Broker
from cutline.messaging.topology import Topology

_T = TypeVar("_T")

BROKER_ERRORS: Final = (nats.errors.Error, JetStreamError, OSError)
"""What a broker that is away, electing or without its topology looks like."""


@dataclass(frozen=True, slots=True)
class ConsumerCounts:
    """One stage and lane at the broker.

    Attributes:
        pending: Messages no worker has yet: the lag.
        in_flight: Messages with a worker, not settled.
        redelivered: Of those, the ones handed out more than once.
        pause_until_time: When its pause ends; None while it is not paused.
    """

    stage: Stage
    lane: Lane
    pending: int
    in_flight: int
    redelivered: int
    pause_until_time: datetime | None


class Consumers:
    """The durable consumers of the job stream, one a stage and lane.

    Args:
        broker: The connection.
        topology: Names them.
    """

    def __init__(self, broker: Broker, topology: Topology) -> None:
        self._broker = broker
        self._topology = topology

    async def read(self) -> list[ConsumerCounts]:
        """The numbers of every stage and lane.

        Raises:
            UnavailableError: The broker does not answer, or lacks a consumer.
        """
        return await self._all(self._read(stage, lane) for stage in Stage for lane in Lane)

    async def pause(self, stage: Stage, lanes: Iterable[Lane], until: datetime) -> None:
        """Hands out nothing of these lanes until a time; an earlier pause is replaced. What is running goes on.

        Raises:
            UnavailableError: The broker does not answer; some of the lanes may be paused already.
        """
        await self._all(self._pause(stage, lane, until) for lane in lanes)

    async def resume(self, stage: Stage, lanes: Iterable[Lane]) -> None:
        """Hands out again; harmless where nothing is paused.

        Raises:
            UnavailableError: The broker does not answer; some of the lanes may be resumed already.
        """
        await self._all(self._resume(stage, lane) for lane in lanes)

    async def _all(self, calls: Iterable[Awaitable[_T]]) -> list[_T]:
        found = await asyncio.gather(*calls, return_exceptions=True)
        results: list[_T] = []
        for one in found:
            if isinstance(one, BROKER_ERRORS):
                raise bus_unavailable() from one
            if isinstance(one, BaseException):
                raise one
            results.append(one)
        return results

    async def _read(self, stage: Stage, lane: Lane) -> ConsumerCounts:
        self._require_connection()
        info = await self._broker.jetstream.consumer_info(
            self._topology.jobs_stream, self._topology.consumer_name(stage, lane)
        )
        return ConsumerCounts(
            stage=stage,
            lane=lane,
            pending=info.num_pending or 0,
            in_flight=info.num_ack_pending or 0,
            redelivered=info.num_redelivered or 0,
            # The time stays in the settings of a consumer whose pause is over.
            pause_until_time=_time(info.config.pause_until) if info.paused else None,
        )

    async def _pause(self, stage: Stage, lane: Lane, until: datetime) -> Any:
        self._require_connection()
        return await self._broker.jetstream.pause_consumer(
            self._topology.jobs_stream,
            self._topology.consumer_name(stage, lane),
            until.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        )

    async def _resume(self, stage: Stage, lane: Lane) -> Any:
        self._require_connection()
        return await self._broker.jetstream.resume_consumer(
            self._topology.jobs_stream, self._topology.consumer_name(stage, lane)
        )

    def _require_connection(self) -> None:
        """Fails at once where there is no connection: the client would wait for one until its timeout."""
        if not self._broker.connected:
            raise bus_unavailable()


def bus_unavailable() -> UnavailableError:
    """The error a caller sees while the broker is away."""
    return UnavailableError(Reason.BUS_UNAVAILABLE, "NATS cannot be reached; try again.", retry_after_s=1.0)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
