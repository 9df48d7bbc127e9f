"""Services that answer what a test tells them to, over real gRPC, and a real object store."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from cutline.blobs.store import S3BlobStore
from cutline.client import AsyncClient, ClientSettings
from cutline.embedded.servers import EmbeddedServers
from cutline.embedded.stack import EmbeddedStack
from cutline.rpc.errors import refusal_of
from cutline.rpc.refusals import STATUS_DETAILS
from cutline.runtime.environment import EnvReader
from cutline.runtime.settings import S3Settings
from cutline.testing import FakeServer
from cutline.v1 import ingest_service_pb2_grpc, status_service_pb2_grpc
from tests.integration.client.servers import FakeSdkServer, RealServer, SdkServer
from tests.support.sdk_clients import SDK_KINDS, sdk_client

Answer = Any
"""A message, an exception or a bare code to refuse with, a function of the request, or ... for no answer at all.

For a stream a list of those, or one to refuse it with.
"""


class ScriptedServices:
    """Both services; each call takes the next of the answers written for its method.

    Attributes:
        calls: Method, request and metadata of every call.
    """

    def __init__(self) -> None:
        self.script: dict[str, list[Answer]] = {}
        self.calls: list[tuple[str, Any, dict[str, Any]]] = []

    def requests(self, method: str) -> list[Any]:
        """The requests of one method, in order."""
        return [request for name, request, _ in self.calls if name == method]

    def unary(self, method: str) -> Callable[..., Any]:
        """A handler of a unary method."""

        async def handle(_self: object, request: Any, context: Any) -> Any:
            answer = await self._next(method, request, context)
            return answer(request) if callable(answer) else answer

        return handle

    def stream(self, method: str) -> Callable[..., Any]:
        """A handler of a stream."""

        async def handle(_self: object, request: Any, context: Any) -> AsyncIterator[Any]:
            for answer in await self._next(method, request, context):
                if isinstance(answer, Exception):
                    await self._refuse(answer, context)
                elif isinstance(answer, grpc.StatusCode):
                    await context.abort(answer, "without details")
                elif answer is ...:
                    await asyncio.Event().wait()
                else:
                    yield answer

        return handle

    async def _next(self, method: str, request: Any, context: Any) -> Any:
        self.calls.append((method, request, dict(context.invocation_metadata())))
        answer = self.script[method].pop(0)
        if isinstance(answer, Exception):
            await self._refuse(answer, context)
        if isinstance(answer, grpc.StatusCode):
            await context.abort(answer, "without details")
        if answer is ...:
            await asyncio.Event().wait()
        return answer

    @staticmethod
    async def _refuse(error: Exception, context: Any) -> None:
        refusal = refusal_of(error, request_id="r-1", trace_id="t-1")
        await context.abort(refusal.code, refusal.message, ((STATUS_DETAILS, refusal.details),))


@pytest.fixture
async def services() -> AsyncIterator[tuple[ScriptedServices, str]]:
    """Scripted services and the address of both."""
    scripted = ScriptedServices()
    server = grpc.aio.server()
    ingest = type(
        "Ingest",
        (ingest_service_pb2_grpc.IngestServiceServicer,),
        {
            name: scripted.unary(name)
            for name in ("CreateUpload", "SubmitDesign", "ReprocessDesign", "CancelDesign", "DeleteDesign")
        },
    )
    status = type(
        "Status",
        (status_service_pb2_grpc.StatusServiceServicer,),
        {name: scripted.unary(name) for name in ("GetDesign", "ListDesigns")}
        | {name: scripted.stream(name) for name in ("WatchDesign", "WatchDesigns")},
    )
    ingest_service_pb2_grpc.add_IngestServiceServicer_to_server(ingest(), server)
    status_service_pb2_grpc.add_StatusServiceServicer_to_server(status(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield scripted, f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


@pytest.fixture
def scripted(services: tuple[ScriptedServices, str]) -> ScriptedServices:
    """The script."""
    return services[0]


@pytest.fixture(params=SDK_KINDS)
def sdk_kind(request: pytest.FixtureRequest) -> str:
    """Which client of the SDK a test uses: each test that asks runs with both."""
    return str(request.param)


@pytest.fixture
async def client(services: tuple[ScriptedServices, str], sdk_kind: str) -> AsyncIterator[AsyncClient]:
    """A client of the scripted services."""
    async with sdk_client(sdk_kind, ClientSettings(services[1], services[1], "ck_test"), max_retries=3) as client:
        yield client


@pytest.fixture(scope="session")
async def stack() -> AsyncIterator[EmbeddedStack]:
    """The real servers and services as processes, shared by the tests of this folder."""
    with tempfile.TemporaryDirectory(prefix="cutline-sdk-") as folder:
        async with EmbeddedStack(Path(folder)) as running:
            yield running


@pytest.fixture
async def real_server(stack: EmbeddedStack) -> AsyncIterator[RealServer]:
    """The real services; what a test holds goes on after it."""
    server = RealServer(stack)
    try:
        yield server
    finally:
        await server.release()


@pytest.fixture
def fake_server() -> Iterator[FakeSdkServer]:
    """A fake server of this test's own."""
    with FakeServer() as fake:
        yield FakeSdkServer(fake)


@pytest.fixture(params=["real_server", "fake_server"], ids=["real", "fake"])
def server(request: pytest.FixtureRequest) -> SdkServer:
    """What the SDK talks to: each test that asks runs against the real services and against the fake server."""
    found: SdkServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def sdk(server: SdkServer, sdk_kind: str) -> AsyncIterator[AsyncClient]:
    """A client of the server."""
    async with sdk_client(sdk_kind, server.settings) as client:
        yield client


@pytest.fixture
async def blobs(servers: EmbeddedServers) -> AsyncIterator[S3BlobStore]:
    """A real object store."""
    store = S3BlobStore(S3Settings.read(EnvReader(servers.environment())))
    await store.start()
    try:
        yield store
    finally:
        await store.stop()
