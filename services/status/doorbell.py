"""Hears every design's doorbell with one plain subscription for the whole process."""

from __future__ import annotations

from uuid import UUID

from nats.aio.msg import Msg

from cutline.messaging.connection import Broker
from cutline.messaging.tickets import read_ring_revision
from cutline.messaging.topology import Topology
from cutline.runtime.logging import get_logger
from cutline.telemetry.metrics import Metrics
from cutline.telemetry.names import Attribute
from services.status.hub import Hub
from services.status.resync import Resync

log = get_logger(__name__)


class Doorbell:
    """Passes rings to the hub, and asks for a resync whenever the bus was away.

    Make it before the broker starts: it subscribes at the first connection, and the client itself at every later one.
    """

    def __init__(self, broker: Broker, topology: Topology, *, hub: Hub, resync: Resync, metrics: Metrics) -> None:
        self._broker = broker
        self._subject = topology.all_designs_subject
        self._hub = hub
        self._resync = resync
        self._metrics = metrics
        self._subscribed = False
        broker.on_connect(self._connected)

    async def _connected(self) -> None:
        if not self._subscribed:
            await self._broker.client.subscribe(self._subject, cb=self._heard)
            self._subscribed = True
        await self._broker.client.flush()  # from here on every ring arrives; what came before the resync finds
        self._resync.ask()

    async def _heard(self, message: Msg) -> None:
        self._metrics.rings.add(1, {Attribute.OUTCOME.value: "heard"})
        tenant, _, design = message.subject.rpartition(".")
        try:
            design_id = UUID(design)
        except ValueError:
            log.warning("doorbell.unreadable", subject=message.subject[:200])
            return
        self._hub.ring(tenant.rpartition(".")[2], design_id, read_ring_revision(message.data))
