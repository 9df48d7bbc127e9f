"""Watches the broker for ingest: whether it is reached, and whether its streams are what they must be.

Ingest goes on without the broker: what it accepts waits in the database. So a bus that is away or wrong is shown in
the metrics and the log, not refused.
"""

from __future__ import annotations

import asyncio
from typing import Final

import nats.errors

from cutline.messaging.connection import Broker
from cutline.messaging.topology_check import TopologyCheck
from cutline.runtime.logging import get_logger
from cutline.telemetry.metrics import Metrics
from cutline.telemetry.names import Attribute

log = get_logger(__name__)

INTERVAL_S: Final = 5.0


class BusCheck:
    """A loop that reports the broker's state.

    Args:
        broker: The connection.
        topology: Compares what the broker holds; readiness asks the same one, so that one comparison serves both.
        metrics: Show it.
    """

    def __init__(self, broker: Broker, topology: TopologyCheck, *, metrics: Metrics) -> None:
        self._broker = broker
        self._topology = topology
        self._metrics = metrics

    async def run(self) -> None:
        """Reports for ever."""
        while True:
            await self.check()
            await asyncio.sleep(INTERVAL_S)

    async def check(self) -> None:
        """Reports once."""
        problem = await self._broker.problem()
        self._metrics.bus_connected.set(0 if problem else 1)
        if problem is None:
            await self._compare()

    async def _compare(self) -> None:
        try:
            drift = await self._topology.compare()
        except (nats.errors.Error, OSError) as error:
            log.warning("topology.not_verified", error=type(error).__name__)
            return
        for kind, differences in (("wrong", drift.errors), ("tunable", drift.warnings)):
            self._metrics.topology_differences.set(len(differences), {Attribute.REASON.value: kind})
