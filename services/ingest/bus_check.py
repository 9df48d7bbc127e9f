"""Watches the broker for ingest: whether it is reached, and whether its streams are what they must be.

Ingest goes on without the broker: what it accepts waits in the database. So a bus that is away or wrong is shown in
the metrics and the log, not refused.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

import nats.errors

from cutline.messaging.apply import TopologyDrift, verify_topology
from cutline.messaging.connection import Broker
from cutline.messaging.topology import Topology
from cutline.runtime.logging import get_logger
from cutline.telemetry.metrics import Metrics
from cutline.telemetry.names import Attribute

log = get_logger(__name__)

INTERVAL_S: Final = 5.0
VERIFY_INTERVAL_S: Final = 60.0


class BusCheck:
    """A loop that reports the broker's state."""

    def __init__(self, broker: Broker, topology: Topology, *, metrics: Metrics) -> None:
        self._broker = broker
        self._topology = topology
        self._metrics = metrics
        self._drift: TopologyDrift | None = None
        self._next_verify_s = 0.0

    async def run(self) -> None:
        """Reports for ever."""
        while True:
            await self.check()
            await asyncio.sleep(INTERVAL_S)

    async def check(self) -> None:
        """Reports once; compares the topology now and then, and each time while something is wrong with it."""
        problem = await self._broker.problem()
        self._metrics.bus_connected.set(0 if problem else 1)
        if problem is None and time.monotonic() >= self._next_verify_s:
            await self._verify()

    async def _verify(self) -> None:
        try:
            drift = await verify_topology(self._broker.jetstream, self._topology)
        except (nats.errors.Error, OSError) as error:
            log.warning("topology.not_verified", error=type(error).__name__)
            return
        for kind, differences in (("wrong", drift.errors), ("tunable", drift.warnings)):
            self._metrics.topology_differences.set(len(differences), {Attribute.REASON.value: kind})
        if drift != self._drift:
            for difference in drift.errors:
                log.error("topology.wrong", difference=difference)
            for difference in drift.warnings:
                log.warning("topology.differs", difference=difference)
        self._drift = drift
        self._next_verify_s = time.monotonic() + (0 if drift.errors else VERIFY_INTERVAL_S)
