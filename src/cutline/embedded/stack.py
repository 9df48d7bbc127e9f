"""The servers and the services together: all of Cutline on one machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

from cutline.embedded.bootstrap import bootstrap
from cutline.embedded.deployments import APART, TOGETHER, Deployment
from cutline.embedded.instance import Instance
from cutline.embedded.ports import LOOPBACK
from cutline.embedded.process import Order
from cutline.embedded.servers import EmbeddedServers
from cutline.embedded.service import Service
from cutline.embedded.supervisor import Supervisor

SERVICES: Final = ("ingest", "imaging", "mockup", "status")
_SECURE_NODES: Final = 3


@dataclass(frozen=True, slots=True)
class StackPlan:
    """What a stack is made of.

    Attributes:
        services: Which services run.
        secure: Whether everything speaks TLS only, the broker is a cluster that gives each user the least it needs, and
            ingest runs apart by role.
        mutual: Whether gRPC and PostgreSQL ask for client certificates, too; of a secure stack only.
        replicas: Processes of each kind.
        spares: More addresses of each kind, where nothing runs at first: a rollout starts there what comes next, and
            clients know them.
        settings: More environment for every service; goes before what the stack and the shell say.
        modules: What `python -m` runs in place of a service.
        grace_s: How long a process may take to stop before it is killed.
    """

    services: Sequence[str] = SERVICES
    secure: bool = False
    mutual: bool = False
    replicas: int = 1
    spares: int = 0
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    modules: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    grace_s: float = 30.0

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        """The kinds of processes."""
        return tuple(kind for kind in (APART if self.secure else TOGETHER) if kind.service in self.services)


class EmbeddedStack:
    """`async with EmbeddedStack(folder) as stack`: servers, schema, topology, services, all supervised.

    Attributes:
        plan: What it is made of.
        servers: The three servers.
        services: The processes by name: that of their kind, with a number where there are several.
        spares: Processes that are not started.
        supervisor: Brings back what ends.
        targets: gRPC addresses of each kind of process, those of spares included.
        api_key: The development key: tenant `dev`, every scope, loopback only.
    """

    def __init__(
        self,
        data_dir: Path | Instance,
        *,
        services: Sequence[str] = SERVICES,
        settings: Mapping[str, str] | None = None,
        plan: StackPlan | None = None,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Lock the data and choose the ports; nothing runs yet.

        Args:
            data_dir: As for `EmbeddedServers`.
            services: Which services to run, where no plan is given.
            settings: As in the plan, where none is given.
            plan: What the stack is made of.
            report: Gets a line for each thing worth telling: a start, an unexpected end.
        """
        self.plan = plan or StackPlan(services=services, settings=settings or {})
        self.servers = EmbeddedServers(
            data_dir,
            nats_nodes=_SECURE_NODES if self.plan.secure else 1,
            secure=self.plan.secure,
            mutual=self.plan.mutual,
        )
        self.api_key = self.servers.instance.secret("api-key")
        self._report = report
        self.supervisor = Supervisor(report)
        self.targets: dict[str, list[str]] = {}
        self.services: dict[str, Service] = {}
        self.spares: dict[str, Service] = {}
        self._kinds: dict[str, str] = {}
        for kind in self.plan.deployments:
            for number in range(1, self.plan.replicas + self.plan.spares + 1):
                process = self._process(kind, number)
                self._kinds[process.name] = kind.name
                (self.services if number <= self.plan.replicas else self.spares)[process.name] = process

    @property
    def ingest_target(self) -> str:
        """Where IngestService is: a gRPC target."""
        return self._target("ingest-api" if self.plan.secure else "ingest")

    @property
    def admin_target(self) -> str:
        """Where QueueService is: a gRPC target."""
        return self._target("ingest-admin" if self.plan.secure else "ingest")

    @property
    def status_target(self) -> str:
        """Where StatusService is: a gRPC target."""
        return self._target("status")

    def client_environment(self) -> dict[str, str]:
        """What the SDK and the command line read to find this stack."""
        found = {
            "CUTLINE_INGEST_TARGET": self.ingest_target,
            "CUTLINE_STATUS_TARGET": self.status_target,
            "CUTLINE_API_KEY": self.api_key,
        }
        if (certificates := self.servers.certificates) is None:
            return found
        found |= {"CUTLINE_ADMIN_TARGET": self.admin_target, "CUTLINE_CA_FILE": str(certificates.authority)}
        if self.plan.mutual:
            found["CUTLINE_CLIENT_CERT_FILE"] = str(certificates.client.certificate)
            found["CUTLINE_CLIENT_KEY_FILE"] = str(certificates.client.key)
        return found

    async def start(self) -> None:
        """Start the servers, prepare them, start the services; returns when everything is ready.

        Raises:
            StartError: Something did not come up; everything is stopped by then.
        """
        try:
            self._report("starting nats-server, PostgreSQL and the S3 server")
            await self.supervisor.start(*self.servers.all)
            await bootstrap(self.servers, {**os.environ, "CUTLINE_NATS_NAMESPACE": "", **self.plan.settings})
            self._report(f"starting {', '.join(self.services)}")
            await self.supervisor.start(*self.services.values())
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop the services, then the servers, and wait until nothing is left; the data stays."""
        await self.supervisor.stop(*self.services.values(), *self.spares.values())
        await self.supervisor.stop(*self.servers.all)
        await self.servers.stop()

    def running(self, kind: Deployment) -> list[Service]:
        """The processes of a kind."""
        return [process for name, process in self.services.items() if self._kinds[name] == kind.name]

    async def start_spare(self, kind: Deployment) -> Service:
        """Start one more process of a kind and wait until it is ready.

        Raises:
            StartError: It did not come up; it is a spare still.
            LookupError: The plan has no more spares of it.
        """
        names = [name for name in self.spares if self._kinds[name] == kind.name]
        if not names:
            message = f"{kind.name} has no spare process"
            raise LookupError(message)
        process = self.spares[names[0]]
        await self.supervisor.start(process)
        self.services[process.name] = self.spares.pop(process.name)
        return process

    async def retire(self, process: Service) -> None:
        """Stop a process and wait until it is gone; it is a spare then."""
        await self.supervisor.stop(process)
        self.spares[process.name] = self.services.pop(process.name)

    def _target(self, name: str) -> str:
        """One address as it is, several as one target that a client deals its calls out to."""
        addresses = self.targets.get(name, [])
        return addresses[0] if len(addresses) == 1 else f"ipv4:{','.join(addresses)}"

    def _process(self, kind: Deployment, number: int) -> Service:
        several = self.plan.replicas + self.plan.spares > 1
        name = f"{kind.name}-{number}" if several else kind.name
        instance = self.servers.instance
        http_port = self.servers.ports.take()
        own = {
            "CUTLINE_HTTP_LISTEN": f"{LOOPBACK}:{http_port}",
            "CUTLINE_DEV_API_KEY": self.api_key,
            "CUTLINE_NATS_NAMESPACE": "",  # the broker is this stack's alone, whatever the shell says
            **kind.settings,
        }
        if kind.bus_user is not None:
            own |= self.servers.bus_environment(kind.bus_user)
        if kind.serves_grpc:
            own |= self._grpc(kind)
        return Service(
            name,
            module=self.plan.modules.get(kind.service, f"services.{kind.service}"),
            http_port=http_port,
            environment={**os.environ, **_without_proxy(), **self.servers.environment(), **own, **self.plan.settings},
            log_path=instance.log_path(name),
            order=Order(grace_s=self.plan.grace_s, hold_descriptors=(instance.lock_descriptor,)),
        )

    def _grpc(self, kind: Deployment) -> dict[str, str]:
        target = f"{LOOPBACK}:{self.servers.ports.take()}"
        self.targets.setdefault(kind.name, []).append(target)
        # grpcurl asks for reflection, and nobody but this machine can
        own = {"CUTLINE_GRPC_LISTEN": target, "CUTLINE_GRPC_REFLECTION": "on"}
        if (certificates := self.servers.certificates) is not None:
            own["CUTLINE_GRPC_TLS_CERT_FILE"] = str(certificates.server.certificate)
            own["CUTLINE_GRPC_TLS_KEY_FILE"] = str(certificates.server.key)
            if self.plan.mutual:
                own["CUTLINE_GRPC_TLS_CLIENT_CA_FILE"] = str(certificates.authority)
        return own

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
