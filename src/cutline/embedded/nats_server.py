"""nats-server with JetStream, on the loopback address."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import httpx

from cutline.embedded import wheels
from cutline.embedded.ports import LOOPBACK, PortReservation
from cutline.embedded.process import LeashedProcess, Order, bare_environment
from cutline.embedded.server import Server, plain_http_client

ACCOUNT = "cutline"


class NatsServer(Server):
    """One node with a file store; `sync_interval` stays at its default, as in the deployments.

    Every account has its own subjects and its own JetStream, so tests take one account each.
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
    ) -> None:
        super().__init__("nats-server", log_path)
        self._folder = folder
        self._port = ports.take()
        self._monitor_port = ports.take()
        self._password = password
        self._order = order
        self._accounts = (ACCOUNT, *more_accounts)

    def url(self, account: str = ACCOUNT) -> str:
        """The address to connect to, with the credentials of one account."""
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
        accounts: dict[str, object] = {
            name: {"jetstream": "enabled", "users": [{"user": name, "password": self._password}]}
            for name in self._accounts
        }
        return {
            "server_name": "cutline-embedded",
            "listen": f"{LOOPBACK}:{self._port}",
            "http": f"{LOOPBACK}:{self._monitor_port}",
            "jetstream": {"store_dir": str(self._folder / "store")},
            "accounts": accounts | {"SYS": {"users": [{"user": "sys", "password": self._password}]}},
            "system_account": "SYS",
            "max_payload": 1048576,
        }
