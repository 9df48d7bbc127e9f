"""The real servers and services, several of each, every process within reach of a signal."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import nats
import psutil
from nats.js import JetStreamContext

from bench.faults.gate import Gate
from bench.faults.polling import until
from cutline.client import AsyncClient, ClientSettings
from cutline.embedded.ports import LOOPBACK
from cutline.embedded.process import Order
from cutline.embedded.server import Server
from cutline.embedded.servers import EmbeddedServers
from cutline.embedded.service import Service
from cutline.embedded.supervisor import Supervisor
from cutline.messaging.apply import apply_topology
from cutline.messaging.topology import Topology
from cutline.store.migrations import migrate
from cutline.store.pool import Database

MODULES: Final = {
    "ingest": "services.ingest",
    "imaging": "bench.faults.plain_imaging",
    "mockup": "bench.faults.plain_mockup",
    "status": "services.status",
}
SERVING: Final = ("ingest", "status")
"""Services with a gRPC address."""
_ALL_ENDED: Final = "SELECT NOT EXISTS (SELECT FROM designs WHERE state IN ('QUEUED', 'PROCESSING'))"


@dataclass(frozen=True, slots=True)
class FarmPlan:
    """What a farm is made of.

    Attributes:
        replicas: Processes of each service.
        ack_wait_s: As the topology says it; production has 30 s.
        settings: More environment for every service.
        nats_nodes: Nodes of the broker: 1, or a cluster of at least 3, which keeps three copies of every stream.
        modules: What `python -m` runs for each service.
    """

    replicas: Mapping[str, int] = field(
        default_factory=lambda: {"ingest": 2, "imaging": 2, "mockup": 2, "status": 2},
    )
    ack_wait_s: float = 30.0
    settings: Mapping[str, str] = field(default_factory=dict)
    nats_nodes: int = 1
    modules: Mapping[str, str] = field(default_factory=lambda: MODULES)


class Farm:
    """`async with Farm(folder, plan) as farm`: everything runs, supervised; ended programs come back by themselves.

    Attributes:
        servers: NATS, PostgreSQL and S3.
        gate: Stands between the services and S3; clients go past it.
        services: Processes by name, such as `imaging-1`.
        supervisor: Brings back what ends.
        database: A connection of the observer's own.
        client: Calls ingest and status wherever one answers.
        targets: gRPC addresses of the processes of ingest and of status.
        api_key: The development key.
    """

    database: Database
    client: AsyncClient

    def __init__(self, folder: Path, plan: FarmPlan, *, report: Callable[[str], None] = lambda _: None) -> None:
        self.plan = plan
        self.servers = EmbeddedServers(folder, nats_nodes=plan.nats_nodes)
        self.topology = Topology(replicas=self.servers.nats_cluster.replicas, ack_wait_s=plan.ack_wait_s)
        self.supervisor = Supervisor(report)
        self.gate = Gate(self.servers.s3_endpoint, self.servers.ports.take())
        self.targets: dict[str, list[str]] = {name: [] for name in SERVING}
        self.api_key = self.servers.instance.secret("api-key")
        self.services = {
            f"{name}-{number}": self._service(name, number)
            for name, count in plan.replicas.items()
            for number in range(1, count + 1)
        }
        self._open = AsyncExitStack()

    def server(self, name: str) -> Server:
        """A service's process or a server's, by name."""
        named = {server.name: server for server in self.servers.all}
        return named[name] if name in named else self.services[name]

    def replicas(self, service: str) -> list[str]:
        """Names of a service's processes."""
        return [name for name in self.services if name.rpartition("-")[0] == service]

    async def whole(self) -> None:
        """Waits until every program runs and is ready."""
        for server in (*self.servers.all, *self.services.values()):
            await until(partial(_up, server), despite=[OSError])

    async def replaced(self, name: str, before: int) -> None:
        """Waits until a program runs again under another process id than `before`."""

        async def other() -> bool:
            return self.server(name).program_id != before

        await until(other, despite=[ProcessLookupError])  # between its end and its next start

    async def all_ended(self, *, within_s: float) -> None:
        """Waits until every design is terminal, those included whose client never heard that they were accepted.

        Raises:
            TimeoutError: Some are not.
        """
        async with asyncio.timeout(within_s):
            await until(partial(self.database.fetchval, _ALL_ENDED))

    def signal(self, name: str, number: int) -> float:
        """Sends a signal to a program; gives the time it was sent, in seconds since the epoch."""
        os.kill(self.server(name).program_id, number)
        return time.time()

    def signal_slot(self, name: str, number: int) -> float:
        """Sends a signal to the process of a worker's first slot; gives the time.

        Raises:
            ProcessLookupError: It has none just now.
        """
        slots = psutil.Process(self.server(name).program_id).children()
        if not slots:
            message = f"{name} has no slot process"
            raise ProcessLookupError(message)
        os.kill(slots[0].pid, number)
        return time.time()

    def connect(self, replica: int | None = None) -> AsyncClient:
        """A client of one process of ingest and status (numbered from 0), or of whichever answers."""
        targets = {
            name: f"ipv4:{','.join(addresses)}" if replica is None else addresses[replica % len(addresses)]
            for name, addresses in self.targets.items()
        }
        return AsyncClient(ClientSettings(targets["ingest"], targets["status"], self.api_key))

    @asynccontextmanager
    async def jetstream(self) -> AsyncIterator[JetStreamContext]:
        """The broker, for the observer's own questions."""
        connection = await nats.connect(self.servers.nats_url.split(","))
        try:
            yield connection.jetstream()
        finally:
            await connection.close()

    def _service(self, name: str, number: int) -> Service:
        port = self.servers.ports.take
        http_port = port()
        own = {
            "CUTLINE_HTTP_LISTEN": f"{LOOPBACK}:{http_port}",
            "CUTLINE_DEV_API_KEY": self.api_key,
            "CUTLINE_WORKER_ID": f"{name}-{number}",
            "CUTLINE_ACK_WAIT": f"{self.plan.ack_wait_s:g}s",
            "CUTLINE_S3_ENDPOINT": self.gate.url,
        }
        if name in SERVING:
            target = f"{LOOPBACK}:{port()}"
            self.targets[name].append(target)
            own["CUTLINE_GRPC_LISTEN"] = target
        instance = self.servers.instance
        return Service(
            f"{name}-{number}",
            module=self.plan.modules[name],
            http_port=http_port,
            environment={**os.environ, **self.servers.environment(), **own, **self.plan.settings},
            log_path=instance.log_path(f"{name}-{number}"),
            order=Order(grace_s=30.0, hold_descriptors=(instance.lock_descriptor,)),
        )

    async def __aenter__(self) -> Self:
        try:
            self._open.push_async_callback(self.servers.stop)
            self._open.push_async_callback(self.supervisor.stop, *self.servers.all)
            await self.supervisor.start(*self.servers.all)
            await migrate(self.servers.postgres_dsn)
            await self._apply_topology()
            await self._open.enter_async_context(self.gate)
            self._open.push_async_callback(self.supervisor.stop, *self.services.values())
            await self.supervisor.start(*self.services.values())
            self.database = Database(self.servers.postgres_dsn, application_name="faults")
            await self.database.start()
            self._open.push_async_callback(self.database.stop)
            self.client = await self._open.enter_async_context(self.connect())
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def _apply_topology(self) -> None:
        async with self.jetstream() as jetstream:
            await apply_topology(jetstream, self.topology)


async def _up(server: Server) -> bool:
    return server.program_id > 0 and await server.ready()
