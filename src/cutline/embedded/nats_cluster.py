"""One nats-server, or several that form a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx

from cutline.embedded.instance import Instance
from cutline.embedded.nats_security import NatsSecurity
from cutline.embedded.nats_server import ACCOUNT, NatsServer, Seat
from cutline.embedded.ports import PortReservation
from cutline.embedded.process import Order
from cutline.embedded.server import plain_http_client

REPLICAS_WANTED: Final = 3
"""Copies of every stream in a cluster: with two, the loss of one node would stop both."""


class NatsCluster:
    """The nodes of a broker; one alone is no cluster and knows nothing of routes.

    Each node has a store of its own below `<folder of the data>/nats`. They must be started together: none is ready
    before most of them have met.

    Attributes:
        nodes: The servers, each with a name of its own.
    """

    def __init__(
        self,
        instance: Instance,
        *,
        nodes: int,
        ports: PortReservation,
        order: Order,
        more_accounts: Sequence[str] = (),
        security: NatsSecurity | None = None,
    ) -> None:
        """Chooses ports and secrets; nothing runs yet.

        Args:
            instance: Where data, logs and secrets are.
            nodes: How many: 1, or 3 and more; of two neither could lose the other.
            ports: Where ports come from.
            order: For the leashes.
            more_accounts: Accounts beside the usual one.
            security: Certificates and users; None for plain connections and one login an account.

        Raises:
            ValueError: The number of nodes makes no sense, or a secured broker is to have more accounts.
        """
        if nodes != 1 and nodes < REPLICAS_WANTED:
            message = f"nodes is {nodes}; a broker has 1 node, or at least {REPLICAS_WANTED}"
            raise ValueError(message)
        if security is not None and more_accounts:
            message = "a secured broker has one account"
            raise ValueError(message)
        folder, password = instance.folder / "nats", instance.secret("nats")

        def node(own_folder: Path, log_name: str, seat: Seat | None) -> NatsServer:
            return NatsServer(
                own_folder,
                ports=ports,
                password=password,
                log_path=instance.log_path(log_name),
                order=order,
                more_accounts=more_accounts,
                seat=seat,
                security=security,
            )

        if nodes == 1:
            self.nodes: tuple[NatsServer, ...] = (node(folder, "nats-server", None),)
            return
        seats = _seats([ports.take() for _ in range(nodes)], instance.secret("nats-routes"))
        self.nodes = tuple(node(folder / seat.name, seat.name, seat) for seat in seats)

    @property
    def replicas(self) -> int:
        """Copies of every stream that this broker can hold and should."""
        return min(len(self.nodes), REPLICAS_WANTED)

    def url(self, account: str = ACCOUNT) -> str:
        """Every node's address, separated by commas, with the credentials of one account where it has any."""
        return ",".join(node.url(account) for node in self.nodes)

    async def meta_leader(self) -> str:
        """Name of the node that decides about streams and consumers; empty where none does, or none answers."""
        async with plain_http_client() as client:
            for node in self.nodes:
                try:
                    answer = await client.get(f"{node.monitor_url}/jsz")
                except httpx.TransportError:
                    continue
                if leader := answer.json().get("meta_cluster", {}).get("leader"):
                    return str(leader)
        return ""


def _seats(ports: Sequence[int], password: str) -> list[Seat]:
    return [
        Seat(
            name=f"nats-{number}",
            port=port,
            others=tuple(other for other in ports if other != port),
            password=password,
        )
        for number, port in enumerate(ports, start=1)
    ]
