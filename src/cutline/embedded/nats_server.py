"""nats-server with JetStream, on the loopback address."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from cutline.embedded import wheels
from cutline.embedded.nats_security import NatsSecurity
from cutline.embedded.ports import LOOPBACK, PortReservation
from cutline.embedded.process import LeashedProcess, Order, bare_environment
from cutline.embedded.server import Server, plain_http_client

ACCOUNT: Final = "cutline"
_ROUTE_USER: Final = "route"
_ALONE: Final = "nats-server"


@dataclass(frozen=True, slots=True)
class Seat:
    """A node's place in a cluster.

    Attributes:
        name: Of the node; leaders are told by it.
        port: Where it takes routes.
        others: Where the other nodes take theirs.
        password: What nodes show each other.
    """

    name: str
    port: int
    others: tuple[int, ...]
    password: str

    def config(self, security: NatsSecurity | None = None) -> dict[str, object]:
        """The part of the configuration that joins the node to the others, over TLS where it is secured."""
        routes = [f"nats://{_ROUTE_USER}:{self.password}@{LOOPBACK}:{port}" for port in self.others]
        return {
            "cluster": {
                "name": "cutline",
                "listen": f"{LOOPBACK}:{self.port}",
                "authorization": {"user": _ROUTE_USER, "password": self.password},
                "routes": routes,
            }
            | ({"tls": security.listener()} if security else {}),
            # Clients of a lame duck are cut off over this time at most, beginning after the grace; the defaults, two
            # minutes and ten seconds, are for thousands of clients.
            "lame_duck_duration": "30s",
            "lame_duck_grace_period": "2s",
        }


class NatsServer(Server):
    """One node with a file store; `sync_interval` stays at its default, as in the deployments.

    Every account has its own subjects and its own JetStream, so tests take one account each. A secured server has one
    account alone, whose users have keys.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ports: PortReservation,
        password: str,
        log_path: Path,
        order: Order,
        more_accounts: Sequence[str] = (),
        seat: Seat | None = None,
        security: NatsSecurity | None = None,
    ) -> None:
        super().__init__(seat.name if seat else _ALONE, log_path)
        self._folder = folder
        self._seat = seat
        self._port = ports.take()
        self._monitor_port = ports.take()
        self._password = password
        self._order = order
        self._accounts = (ACCOUNT, *more_accounts)
        self._security = security

    def url(self, account: str = ACCOUNT) -> str:
        """The address to connect to, with the credentials of one account; a secured server asks for a key instead."""
        if self._security is not None:
            return f"tls://{LOOPBACK}:{self._port}"
        return f"nats://{account}:{self._password}@{LOOPBACK}:{self._port}"

    @property
    def monitor_url(self) -> str:
        """The server's own HTTP monitoring, `/varz` and friends."""
        return f"http://{LOOPBACK}:{self._monitor_port}"

    async def launch(self) -> LeashedProcess:
        """Write the configuration and start."""
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "nats.conf"
        config.touch(mode=0o600)
        config.write_text(json.dumps(self._config(), indent=2), encoding="utf-8")
        return await LeashedProcess.start(
            (wheels.nats_server(), "--config", config),
            log_path=self.log_path,
            env=bare_environment(),
            cwd=self._folder,
            order=self._order,
        )

    async def ready(self) -> bool:
        """Whether the server and its JetStream are healthy."""
        try:
            async with plain_http_client() as client:
                answer = await client.get(f"{self.monitor_url}/healthz")
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK

    def _config(self) -> dict[str, object]:
        """The configuration as JSON, which nats-server reads as well as its own syntax."""
        return {
            "server_name": self._seat.name if self._seat else "cutline-embedded",
            "listen": f"{LOOPBACK}:{self._port}",
            "http": f"{LOOPBACK}:{self._monitor_port}",
            "jetstream": {"store_dir": str(self._folder / "store")},
            "max_payload": 1048576,
            **self._logins(),
            **(self._seat.config(self._security) if self._seat else {}),
        }

    def _logins(self) -> dict[str, object]:
        if self._security is not None:
            return {"tls": self._security.listener(), **self._security.accounts()}
        accounts: dict[str, object] = {
            name: {"jetstream": "enabled", "users": [{"user": name, "password": self._password}]}
            for name in self._accounts
        }
        return {
            "accounts": accounts | {"SYS": {"users": [{"user": "sys", "password": self._password}]}},
            "system_account": "SYS",
        }
