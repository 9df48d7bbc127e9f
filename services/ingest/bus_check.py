"""Watches the broker for ingest: whether it is reached, and whether its streams are what they must be.

Ingest goes on without the broker: what it accepts waits in the database. So a bus that is away or wrong is shown in
the metrics and the log, not refused.
"""

from __future__ import annotations

import asyncio
from typing import Final

import nats.errors

from cutline.messaging.apply import verify_topology
from cutline.messaging.connection import Broker
from cutline.messaging.topology import Topology
from cutline.runtime.logging import get_logger
from cutline.telemetry.metrics import Metrics

log = get_logger(__name__)

INTERVAL_S: Final = 5.0


class BusCheck:
    """A loop that reports the broker's state."""

    def __init__(self, broker: Broker, topology: Topology, *, metrics: Metrics) -> None:
        self._broker = broker
        self._topology = topology
        self._metrics = metrics
        self._verified = False

    async def run(self) -> None:
        """Reports for ever."""
        while True:
            problem = await self._broker.problem()
            self._metrics.bus_connected.set(0 if problem else 1)
            if problem is None and not self._verified:
                await self._verify()
            await asyncio.sleep(INTERVAL_S)

    async def _verify(self) -> None:
        try:
            drift = await verify_topology(self._broker.jetstream, self._topology)
        except (nats.errors.Error, OSError) as error:
            log.warning("topology.not_verified", error=type(error).__name__)
            return
        for difference in drift.errors:
            log.error("topology.wrong", difference=difference)
        for difference in drift.warnings:
            log.warning("topology.differs", difference=difference)
        self._verified = not drift.errors
