"""A broker that knows its users: one node with TLS, the users' keys and their permissions, and the topology applied."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cutline.embedded.certificates import Certificates
from cutline.embedded.instance import Instance
from cutline.embedded.nats_cluster import NatsCluster
from cutline.embedded.nats_security import NatsSecurity, NKey
from cutline.embedded.ports import PortReservation
from cutline.embedded.process import Order
from cutline.messaging.apply import apply_topology
from cutline.messaging.connection import Broker
from cutline.messaging.permissions import BusUser
from cutline.messaging.topology import Topology
from cutline.runtime.settings import NatsSettings
from cutline.runtime.tls import ClientTls, KeyPairFiles
from cutline.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class SecuredBus:
    """Where it is, and what its users show.

    Attributes:
        url: Its address, without a login.
        certificates: What it trusts and shows.
        keys: Each user's.
        topology: What it holds.
    """

    url: str
    certificates: Certificates
    keys: dict[BusUser, NKey]
    topology: Topology = field(default_factory=lambda: Topology(max_deliver=3))

    @property
    def tls(self) -> ClientTls:
        """What a client trusts and shows."""
        pair = self.certificates.client
        return ClientTls(self.certificates.authority, KeyPairFiles(pair.certificate, pair.key))

    def settings(self, user: BusUser) -> NatsSettings:
        """What the user's service reads from its environment."""
        return NatsSettings(self.url, inbox_prefix=user.inbox_prefix, nkey_seed=self.keys[user].seed, tls=self.tls)

    @asynccontextmanager
    async def login(self, user: BusUser, *, metrics: Metrics | None = None) -> AsyncIterator[Broker]:
        """A connection of a user."""
        fatal: list[str] = []
        broker = Broker(self.settings(user), name=f"test-{user}", on_fatal=fatal.append, metrics=metrics)
        await broker.start()
        try:
            assert await broker.wait_connected(30), fatal
            yield broker
        finally:
            await broker.stop()


@asynccontextmanager
async def secured_bus(folder: Path) -> AsyncIterator[SecuredBus]:
    """Starts the broker and applies the topology as the user whose job that is."""
    with Instance.open(folder) as instance:
        certificates = Certificates.of(folder)
        keys = {user: NKey.of(instance, user.value) for user in BusUser}
        security = NatsSecurity(
            certificates.server.certificate,
            certificates.server.key,
            certificates.authority,
            users={user: key.public for user, key in keys.items()},
        )
        ports = PortReservation()
        order = Order(hold_descriptors=(instance.lock_descriptor,))
        node = NatsCluster(instance, nodes=1, ports=ports, order=order, security=security).nodes[0]
        await node.start()
        try:
            bus = SecuredBus(node.url(), certificates, keys)
            async with bus.login(BusUser.TOPOLOGY) as broker:
                await apply_topology(broker.jetstream, bus.topology)
            yield bus
        finally:
            await node.stop()
            ports.release()
