"""Whether the broker holds what a worker counts on: a readiness check."""

from __future__ import annotations

import nats.errors

from cutline.messaging.apply import verify_topology
from cutline.messaging.connection import Broker
from cutline.messaging.topology import Topology
from cutline.runtime.logging import get_logger

log = get_logger(__name__)


class TopologyCheck:
    """Compares the broker's streams and consumers with the topology, until they agree once."""

    def __init__(self, broker: Broker, topology: Topology) -> None:
        self._broker = broker
        self._topology = topology
        self._agreed = False

    async def problem(self) -> str | None:
        """What makes the broker unusable, or None; tunables that differ are only logged."""
        if self._agreed:
            return None
        if not self._broker.connected:
            return "NATS is not connected"
        try:
            drift = await verify_topology(self._broker.jetstream, self._topology)
        except (nats.errors.Error, OSError) as error:
            return f"JetStream does not answer ({type(error).__name__})"
        if drift.errors:
            return "; ".join(drift.errors)
        for difference in drift.warnings:
            log.warning("topology.differs", difference=difference)
        self._agreed = True
        return None
