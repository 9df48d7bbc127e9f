"""The grpc.aio server of a service: guarded handlers, health, reflection, and an end that loses no call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection

from cutline.rpc.auth import Authenticator
from cutline.rpc.certificates import ServerCertificates
from cutline.rpc.guard import CallGuard
from cutline.rpc.handler_task import know_handlers
from cutline.rpc.health import Health
from cutline.rpc.limits import StreamLimits
from cutline.rpc.patience import Patience
from cutline.rpc.policy import SERVICE_SCOPES
from cutline.runtime.logging import get_logger
from cutline.runtime.readiness import Readiness
from cutline.runtime.settings import GrpcSettings
from cutline.telemetry.setup import Telemetry

log = get_logger(__name__)

MAX_UNARY_CALLS: Final = 1_000
"""Calls other than watches that one connection may have under way."""


@dataclass(frozen=True, slots=True)
class RpcService:
    """One service to serve.

    Attributes:
        name: Full name, as in rpc/policy.py.
        add: The generated `add_<Service>Servicer_to_server`.
        servicer: Its implementation; methods it only inherits answer UNIMPLEMENTED.
    """

    name: str
    add: Callable[[Any, Any], None]
    servicer: object


class RpcServer:
    """A part that serves gRPC.

    Its stop: health says NOT_SERVING, a pause for balancers, `drain` is set so that streams end themselves, then the
    calls still running may go on for the grace (grpc.aio tells handlers nothing of a stop until the grace is over).

    Attributes:
        drain: Set when streams are to end themselves.
        port: Where it listens.
        stop_grace_s: Pause and grace together; see `cutline.runtime.lifecycle.PatientPart`.
    """

    def __init__(
        self,
        settings: GrpcSettings,
        services: Sequence[RpcService],
        *,
        authenticator: Authenticator,
        telemetry: Telemetry,
        readiness: Readiness,
        drain: asyncio.Event | None = None,
    ) -> None:
        self._settings = settings
        self._services = services
        self._patience = Patience(settings.write_timeout_s, telemetry.metrics)
        self._streams = StreamLimits(
            most=settings.max_streams,
            most_per_tenant=settings.max_streams_per_tenant,
            most_per_key=settings.max_streams_per_key,
        )
        self._guard = CallGuard(
            authenticator=authenticator,
            telemetry=telemetry,
            streams=self._streams,
            patience=self._patience,
        )
        self._health = Health(readiness, tuple(service.name for service in services), patience=self._patience)
        self._server: grpc.aio.Server | None = None
        self.drain = drain or asyncio.Event()
        self.port = settings.listen.port
        self.stop_grace_s = settings.drain_pause_s + settings.drain_grace_s

    @property
    def open_streams(self) -> int:
        """Streams that are being served."""
        return self._streams.open_count

    async def start(self) -> None:
        """Binds and serves; `port` is the real one afterwards.

        Raises:
            RuntimeError: The address cannot be bound.
            TlsFileError: The files for TLS can no longer be used.
        """
        know_handlers(asyncio.get_running_loop())
        self._server = server = grpc.aio.server(options=_options(self._settings))
        registrar = _GuardedRegistrar(server, self._guard)
        for service in self._services:
            service.add(service.servicer, registrar)
        self._health.add_to(server)
        if self._settings.reflection:
            names = [service.name for service in self._services]
            names += [health.SERVICE_NAME, reflection.SERVICE_NAME]
            reflection.enable_server_reflection(names, server)  # type: ignore[no-untyped-call]  # has no types
        self.port = self._bind(server)
        await server.start()
        await self._health.start()
        log.info("rpc.listening", host=self._settings.listen.host, port=self.port, tls=self._settings.tls is not None)

    async def stop(self) -> None:
        """Drains and closes; see the class."""
        server, self._server = self._server, None
        if server is None:
            return
        await self._health.stop()
        await self._pause()
        streams, began_s = self.open_streams, time.monotonic()
        self.drain.set()
        self._health.end_watches()
        self._patience.end()
        await server.stop(self._settings.drain_grace_s)
        log.info("rpc.stopped", streams=streams, took_s=round(time.monotonic() - began_s, 3))

    def _bind(self, server: grpc.aio.Server) -> int:
        address, tls = self._settings.listen, self._settings.tls
        try:
            if tls is None:
                return server.add_insecure_port(str(address))
            return server.add_secure_port(str(address), ServerCertificates(tls).credentials())
        except RuntimeError as error:
            msg = (
                f"gRPC cannot listen on {address}: another process has the port, or the address is none of this machine"
            )
            if not self._settings.reuse_port:
                msg += "; CUTLINE_GRPC_REUSEPORT=on lets several processes of one user share a port (Linux)"
            if tls is not None:
                msg += f"; or gRPC cannot use {tls.pair.certificate_path}: RSA from 2048 bits, or ECDSA P-256 or P-384"
            raise RuntimeError(msg) from error

    async def _pause(self) -> None:
        """Goes on serving until balancers have noticed that health says no."""
        await asyncio.sleep(self._settings.drain_pause_s)


class _GuardedRegistrar:
    """Stands in for a server when generated code adds a servicer, and guards each method on its way in."""

    def __init__(self, server: grpc.aio.Server, guard: CallGuard) -> None:
        self._server = server
        self._guard = guard

    def add_generic_rpc_handlers(self, _handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Takes nothing: the same methods come once more by name."""

    def add_registered_method_handlers(
        self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Guards and adds the methods of a service.

        Raises:
            KeyError: rpc/policy.py declares no scope for the service.
        """
        scope = SERVICE_SCOPES[service]
        guarded = {name: self._guard.guarded(f"{service}/{name}", scope, handler) for name, handler in handlers.items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, guarded),))
        self._server.add_registered_method_handlers(service, guarded)


def _options(settings: GrpcSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_connection_age_ms", int(settings.max_connection_age_s * 1000)),
        ("grpc.max_connection_age_grace_ms", int(settings.max_connection_age_grace_s * 1000)),
        ("grpc.keepalive_time_ms", int(settings.keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", int(settings.keepalive_timeout_s * 1000)),
        # A keepalive waits behind the pings that measure a connection; by default those have a minute.
        ("grpc.http2.ping_timeout_ms", int(settings.keepalive_timeout_s * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        # A watch may be silent for longer than two pings.
        ("grpc.http2.max_pings_without_data", 0),
        # Well below what clients here send by default (30 s), else they are cut off for too many pings.
        ("grpc.http2.min_ping_interval_without_data_ms", int(settings.keepalive_s * 1000 / 3)),
        # What one connection can hold up; the caps on streams count watches alone.
        ("grpc.max_concurrent_streams", settings.max_streams + MAX_UNARY_CALLS),
        # Unless it is wished, a second process on the port is a mistake to be told about, not a share of the traffic.
        ("grpc.so_reuseport", int(settings.reuse_port)),
    ]
