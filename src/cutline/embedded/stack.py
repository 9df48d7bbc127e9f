"""The servers and the services together: all of Cutline on one machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cutline.embedded.bootstrap import bootstrap
from cutline.embedded.instance import Instance
from cutline.embedded.ports import LOOPBACK
from cutline.embedded.process import Order
from cutline.embedded.servers import EmbeddedServers
from cutline.embedded.service import Service
from cutline.embedded.supervisor import Supervisor

SERVICES: Final = ("ingest", "imaging", "mockup", "status")
_SERVICE_GRACE_S = 30.0


class EmbeddedStack:
    """`async with EmbeddedStack(folder) as stack`: servers, schema, topology, services, all supervised.

    Attributes:
        servers: The three servers.
        services: The services by name.
        ingest_target: gRPC address of ingest, `host:port`.
        status_target: gRPC address of status, `host:port`.
        api_key: The development key: tenant `dev`, every scope, loopback only.
    """

    def __init__(
        self,
        data_dir: Path | Instance,
        *,
        services: Sequence[str] = SERVICES,
        settings: Mapping[str, str] | None = None,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Lock the data and choose the ports; nothing runs yet.

        Args:
            data_dir: As for `EmbeddedServers`.
            services: Which services to run.
            settings: More environment for every service; goes before what the stack and the shell say.
            report: Gets a line for each thing worth telling: a start, an unexpected end.
        """
        self.servers = EmbeddedServers(data_dir)
        self.api_key = self.servers.instance.secret("api-key")
        self.ingest_target = f"{LOOPBACK}:{self.servers.ports.take()}"
        self.status_target = f"{LOOPBACK}:{self.servers.ports.take()}"
        self._settings = settings or {}
        self._report = report
        self._supervisor = Supervisor(report)
        self.services = {name: self._service(name) for name in services}

    def client_environment(self) -> dict[str, str]:
        """What the SDK and the command line read to find this stack."""
        return {
            "CUTLINE_INGEST_TARGET": self.ingest_target,
            "CUTLINE_STATUS_TARGET": self.status_target,
            "CUTLINE_API_KEY": self.api_key,
        }

    async def start(self) -> None:
        """Start the servers, prepare them, start the services; returns when everything is ready.

        Raises:
            StartError: Something did not come up; everything is stopped by then.
        """
        try:
            self._report("starting nats-server, PostgreSQL and the S3 server")
            await self._supervisor.start(*self.servers.all)
            await bootstrap(self.servers, {**os.environ, **self._settings})
            self._report(f"starting {', '.join(self.services)}")
            await self._supervisor.start(*self.services.values())
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop the services, then the servers, and wait until nothing is left; the data stays."""
        await self._supervisor.stop(*self.services.values())
        await self._supervisor.stop(*self.servers.all)
        await self.servers.stop()

    def _service(self, name: str) -> Service:
        http_port = self.servers.ports.take()
        own = {
            "CUTLINE_HTTP_LISTEN": f"{LOOPBACK}:{http_port}",
            "CUTLINE_DEV_API_KEY": self.api_key,
            "CUTLINE_NATS_NAMESPACE": "",  # the broker is this stack's alone, whatever the shell says
        }
        if target := {"ingest": self.ingest_target, "status": self.status_target}.get(name):
            own["CUTLINE_GRPC_LISTEN"] = target
            own["CUTLINE_GRPC_REFLECTION"] = "on"  # grpcurl asks for it, and nobody but this machine can
        return Service(
            name,
            http_port=http_port,
            environment={**os.environ, **_without_proxy(), **self.servers.environment(), **own, **self._settings},
            log_path=self.servers.instance.log_path(name),
            order=Order(grace_s=_SERVICE_GRACE_S, hold_descriptors=(self.servers.instance.lock_descriptor,)),
        )

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _without_proxy() -> dict[str, str]:
    """What keeps a proxy of the shell from standing between programs of this machine."""
    others = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    hosts = f"{others},{LOOPBACK}" if others else LOOPBACK
    return {"no_proxy": hosts, "NO_PROXY": hosts}
