"""Whether the broker holds what a service counts on: a readiness check."""

from __future__ import annotations

import time
from typing import Final

import nats.errors

from cutline.messaging.apply import TopologyDrift, verify_topology
from cutline.messaging.connection import Broker
from cutline.messaging.topology import Topology
from cutline.runtime.logging import get_logger

log = get_logger(__name__)

BELIEVED_S: Final = 15.0
"""How long an agreement is believed: a broker may lose its store while services run."""


class TopologyCheck:
    """Compares the broker's streams and consumers with the topology, now and then, and each time while they differ.

    Args:
        broker: The connection.
        topology: What should be there.
        believed_s: How long an agreement is believed.

    Attributes:
        drift: What the last comparison found; None before the first.
    """

    def __init__(self, broker: Broker, topology: Topology, *, believed_s: float = BELIEVED_S) -> None:
        self._broker = broker
        self._topology = topology
        self._believed_s = believed_s
        self._agreed_until_s = -1.0
        self.drift: TopologyDrift | None = None

    async def problem(self) -> str | None:
        """What makes the broker unusable, or None; tunables that differ are only logged."""
        if not self._broker.connected:
            return None  # another check tells of the connection
        try:
            drift = await self.compare()
        except (nats.errors.Error, OSError) as error:
            return f"JetStream does not answer ({type(error).__name__})"
        return "; ".join(drift.errors) or None

    async def compare(self) -> TopologyDrift:
        """What differs, told in the log when it changes; asks the broker unless an agreement is still believed.

        Raises:
            nats.errors.Error: The broker does not answer.
            OSError: It cannot be reached.
        """
        if self.drift is not None and time.monotonic() < self._agreed_until_s:
            return self.drift
        drift = await verify_topology(self._broker.jetstream, self._topology)
        if drift != self.drift:
            for difference in drift.errors:
                log.error("topology.wrong", difference=difference)
            for difference in drift.warnings:
                log.warning("topology.differs", difference=difference)
        self.drift = drift
        if not drift.errors:
            self._agreed_until_s = time.monotonic() + self._believed_s
        return drift
