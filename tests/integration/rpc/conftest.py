"""A server with handlers that do what a test needs, and a client for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cutline.domain.errors import Reason, UnauthenticatedError
from cutline.domain.principal import Principal, Scope
from cutline.rpc.refusals import draining
from cutline.rpc.server import RpcServer, RpcService
from cutline.runtime.environment import ListenAddress
from cutline.runtime.lifecycle import Lifecycle
from cutline.runtime.readiness import Readiness
from cutline.runtime.settings import GrpcSettings, ShellSettings
from cutline.telemetry.setup import Telemetry
from cutline.v1 import (
    design_pb2,
    ingest_service_pb2,
    ingest_service_pb2_grpc,
    status_service_pb2,
    status_service_pb2_grpc,
)

LOOPBACK = ListenAddress("127.0.0.1", 0)
SETTINGS = GrpcSettings(
    listen=LOOPBACK, drain_grace_s=20.0, max_streams=3, max_streams_per_tenant=2, max_streams_per_key=2
)


class TenantAuthenticator:
    """Takes `<tenant>:<scope>,<scope>` or `<tenant>/<key>:...` for a credential; without a colon it is nobody's."""

    async def authenticate(self, credential: str) -> Principal:
        """Reads the credential, and lets other calls run meanwhile."""
        await asyncio.sleep(0)
        tenant, colon, scopes = credential.partition(":")
        if not colon:
            raise UnauthenticatedError(Reason.UNAUTHENTICATED, "The API key is not valid.")
        tenant, _, key = tenant.partition("/")
        return Principal(tenant, key or "test", frozenset(Scope(scope) for scope in scopes.split(",") if scope))


@dataclass
class Ingest(ingest_service_pb2_grpc.IngestServiceServicer):
    """Answers CreateUpload by a function; inherits the rest."""

    answer: Callable[[], Awaitable[str]]

    async def CreateUpload(self, _request: Any, _context: Any) -> ingest_service_pb2.Upload:  # noqa: N802
        """Puts the answer into the id."""
        return ingest_service_pb2.Upload(id=await self.answer())


@dataclass
class Status(status_service_pb2_grpc.StatusServiceServicer):
    """Streams one frame at once, then waits until it is told to drain; notes how its streams end.

    The design `flood` changes without end.
    """

    drain: asyncio.Event
    ended: list[str] = field(default_factory=list)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def WatchDesign(  # noqa: N802
        self, request: Any, _context: Any
    ) -> AsyncIterator[status_service_pb2.WatchDesignResponse]:
        """One frame, then the drain."""
        try:
            yield status_service_pb2.WatchDesignResponse(design=design_pb2.Design(id="d1"))
            self.opened.set()
            while request.design_id == "flood":
                yield status_service_pb2.WatchDesignResponse(design=design_pb2.Design(id="d1", title="x" * 500))
            await self.drain.wait()
            self.ended.append("drained")
            raise draining()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        finally:
            self.closed.set()


@dataclass
class Served:
    """A running server and what a test does with it."""

    server: RpcServer
    readiness: Readiness
    telemetry: Telemetry
    spans: InMemorySpanExporter
    channel: grpc.aio.Channel
    ingest: Ingest
    status: Status

    async def create_upload(self, *metadata: tuple[str, str], credential: str = "acme:designs:write") -> Any:
        """Calls CreateUpload and returns the finished call."""
        call: Any = ingest_service_pb2_grpc.IngestServiceStub(self.channel).CreateUpload(
            ingest_service_pb2.CreateUploadRequest(), metadata=(*_credential(credential), *metadata)
        )
        await call.code()
        return call

    def watch(self, design_id: str = "", *, credential: str = "acme:designs:read") -> Any:
        """Opens WatchDesign."""
        return status_service_pb2_grpc.StatusServiceStub(self.channel).WatchDesign(
            status_service_pb2.WatchDesignRequest(design_id=design_id), metadata=_credential(credential)
        )


def _credential(credential: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {credential}"),) if credential else ()


async def _answer_nothing() -> str:
    return ""


Serving = Callable[..., Any]


@pytest.fixture
def serving() -> Serving:
    """Runs a server for the length of a `with`."""

    @asynccontextmanager
    async def serve(answer: Callable[[], Awaitable[str]] = _answer_nothing, **changed: Any) -> AsyncIterator[Served]:
        spans, readiness, drain = InMemorySpanExporter(), Readiness(), asyncio.Event()
        telemetry = Telemetry.of_service(
            "test",
            ShellSettings(http_listen=LOOPBACK, trace_sample_ratio=1.0),
            span_processors=(SimpleSpanProcessor(spans),),
        )
        ingest = Ingest(answer)  # type: ignore[abstract]  # what it inherits answers UNIMPLEMENTED
        status = Status(drain)  # type: ignore[abstract]  # as above
        server = RpcServer(
            replace(SETTINGS, **changed),
            [
                RpcService(
                    "cutline.v1.IngestService", ingest_service_pb2_grpc.add_IngestServiceServicer_to_server, ingest
                ),
                RpcService(
                    "cutline.v1.StatusService", status_service_pb2_grpc.add_StatusServiceServicer_to_server, status
                ),
            ],
            authenticator=TenantAuthenticator(),
            telemetry=telemetry,
            readiness=readiness,
            drain=drain,
        )
        readiness.begin()
        async with (
            Lifecycle([telemetry, server]),
            grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
        ):
            yield Served(server, readiness, telemetry, spans, channel, ingest, status)

    return serve
