"""A whole ingest service within the test process, and a client of one tenant."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg
import grpc
import httpx
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from cutline.messaging.apply import apply_topology
from cutline.messaging.connection import Broker
from cutline.messaging.topology import Topology
from cutline.rpc.api_keys import new_api_key
from cutline.rpc.server import RpcServer
from cutline.runtime.lifecycle import Lifecycle, Part, ServiceRuntime
from cutline.v1 import design_pb2
from cutline.v1 import ingest_service_pb2 as pb
from cutline.v1.ingest_service_pb2_grpc import IngestServiceStub
from services.ingest.app import build

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
MEMBER = ("designs:read", "designs:write")
OPERATOR = (*MEMBER, "admin")

_Detail = TypeVar("_Detail", bound=Message)


@dataclass
class Client:
    """Calls ingest as one tenant."""

    tenant: str
    stub: Any
    key: str
    http: httpx.AsyncClient = field(repr=False)

    async def call(self, method: str, request: Any) -> Any:
        """One RPC with the tenant's key."""
        return await getattr(self.stub, method)(request, metadata=(("authorization", f"Bearer {self.key}"),))

    async def promise(self, data: bytes = PNG, **changes: Any) -> pb.Upload:
        """An upload for `data`, nothing PUT yet."""
        values: dict[str, Any] = {
            "filename": "a.png",
            "media_type": "image/png",
            "size_bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        upload: pb.Upload = await self.call("CreateUpload", pb.CreateUploadRequest(**{**values, **changes}))
        return upload

    async def upload(self, data: bytes = PNG) -> str:
        """An upload whose bytes are in the store; its id."""
        promised = await self.promise(data)
        answer = await self.http.put(promised.url, content=data, headers=dict(promised.headers))
        answer.raise_for_status()
        return promised.id

    async def submit(self, upload_id: str, **values: Any) -> pb.SubmitDesignResponse:
        """Submits a design."""
        request = pb.SubmitDesignRequest(upload_id=upload_id, **values)
        response: pb.SubmitDesignResponse = await self.call("SubmitDesign", request)
        return response

    async def design(self, **values: Any) -> design_pb2.Design:
        """A fresh design of fresh artwork."""
        upload_id = await self.upload(PNG + uuid4().bytes)
        return (await self.submit(upload_id, **values)).design


async def put_topology(nats_url: str, topology: Topology | None = None) -> None:
    """Has a broker hold the topology; without one, production's."""
    broker = Broker(nats_url, name="test-topology", on_fatal=lambda _: None)
    async with Lifecycle([broker]):
        assert await broker.wait_connected(10)
        await apply_topology(broker.jetstream, topology or Topology())


@asynccontextmanager
async def running_ingest(environment: Mapping[str, str]) -> AsyncIterator[str]:
    """Ingest with the environment's servers; its gRPC address."""
    await put_topology(environment["CUTLINE_NATS_URL"])
    runtime = ServiceRuntime()
    own = {"CUTLINE_GRPC_LISTEN": "127.0.0.1:0", "CUTLINE_HTTP_LISTEN": "127.0.0.1:0"}
    parts = build({**environment, **own}, runtime)
    async with Lifecycle(parts):
        runtime.readiness.begin()
        yield f"127.0.0.1:{rpc_port(parts)}"
    assert runtime.failure is None


def rpc_port(parts: Sequence[Part]) -> int:
    """Where a started service serves gRPC."""
    (rpc,) = (part for part in parts if isinstance(part, RpcServer))
    return rpc.port


async def store_key(dsn: str, tenant: str, *, scopes: Sequence[str] = MEMBER) -> str:
    """A key of the tenant that may do what its scopes say."""
    made = new_api_key()
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "INSERT INTO api_keys (key_id, tenant, sha256, scopes) VALUES ($1, $2, $3, $4)",
        made.key_id,
        tenant,
        made.sha256,
        scopes,
    )
    await connection.close()
    return made.text


def detail_of(error: grpc.aio.AioRpcError, kind: type[_Detail]) -> _Detail:
    """An error's detail of one kind; an empty one where it has none."""
    found = kind()
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            for detail in status_pb2.Status.FromString(value).details:
                detail.Unpack(found)  # leaves it alone where it is of another kind
    return found


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The stable reason in an error's details."""
    return str(detail_of(error, error_details_pb2.ErrorInfo).reason)


def stub_of(channel: grpc.aio.Channel) -> Any:
    """The generated client."""
    return IngestServiceStub(channel)
