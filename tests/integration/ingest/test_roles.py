"""Each role of ingest starts alone and does its own and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import httpx
import pytest

from cutline.blobs.store import S3BlobStore
from cutline.domain.states import Stage
from cutline.messaging.connection import Broker
from cutline.messaging.topology import Topology
from cutline.rpc.server import RpcServer
from cutline.runtime.environment import SettingsError
from cutline.runtime.http import HttpServer
from cutline.runtime.lifecycle import Lifecycle, Part, ServiceRuntime
from cutline.v1 import ingest_service_pb2 as pb
from cutline.v1 import queue_service_pb2
from cutline.v1.ingest_service_pb2_grpc import IngestServiceStub
from cutline.v1.queue_service_pb2_grpc import QueueServiceStub
from services.ingest.app import build
from services.ingest.flusher import Accepted, Flusher
from services.ingest.settings import IngestSettings
from tests.integration.ingest.parts import NOBODY_LISTENS, Bench, submission
from tests.integration.ingest.service import put_topology, rpc_port
from tests.support.polling import eventually, until

KEY = "a-development-key-for-tests"


@asynccontextmanager
async def running(environment: dict[str, str], roles: str) -> AsyncIterator[list[Part]]:
    """Ingest with some of its roles; its parts."""
    own = {
        "CUTLINE_INGEST_ROLES": roles,
        "CUTLINE_GRPC_LISTEN": "127.0.0.1:0",
        "CUTLINE_HTTP_LISTEN": "127.0.0.1:0",
        "CUTLINE_DEV_API_KEY": KEY,
    }
    runtime = ServiceRuntime()
    parts = build({**own, **environment}, runtime)
    async with Lifecycle(parts):
        runtime.readiness.begin()
        assert (await runtime.readiness.verdict()).ready
        yield parts
    assert runtime.failure is None


@asynccontextmanager
async def calling(environment: dict[str, str], roles: str) -> AsyncIterator[grpc.aio.Channel]:
    """Ingest with roles that serve; a channel to it."""
    async with (
        running(environment, roles) as parts,
        grpc.aio.insecure_channel(f"127.0.0.1:{rpc_port(parts)}") as channel,
    ):
        yield channel


async def answer(call: Any, request: Any) -> str:
    """The code a call ends with."""
    try:
        await call(request, metadata=(("authorization", f"Bearer {KEY}"),))
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


@pytest.fixture
async def lonely_bench(lonely_bench: Bench, nats_url: str) -> Bench:
    """The topology, and parts that accept without publishing: what the duties of others are for."""
    await put_topology(nats_url)
    return lonely_bench


@pytest.mark.parametrize(("roles", "served"), [("api", ("OK", "UNIMPLEMENTED")), ("admin", ("UNIMPLEMENTED", "OK"))])
async def test_a_role_alone_serves_its_own_calls(
    service_environment: dict[str, str],
    lonely_bench: Bench,  # noqa: ARG001  (applies the topology)
    roles: str,
    served: tuple[str, str],
) -> None:
    """Calls of the other roles are not known there."""
    upload = pb.CreateUploadRequest(filename="a.png", media_type="image/png", size_bytes=1, sha256="ab" * 32)
    async with calling(service_environment, roles) as channel:
        assert await answer(IngestServiceStub(channel).CreateUpload, upload) == served[0]
        stats = queue_service_pb2.GetStatsRequest()
        assert await answer(QueueServiceStub(channel).GetStats, stats) == served[1]


async def test_housekeeping_alone_publishes_and_releases(
    service_environment: dict[str, str], lonely_bench: Bench, nats_url: str, tenant: str
) -> None:
    """What other processes accepted and could not publish, and what waits for its turn."""
    for number in range(3):
        assert isinstance(await lonely_bench.submit(submission(tenant, reference=str(number))), Accepted)
    await lonely_bench.database.execute("UPDATE jobs SET state = 'WAITING', due_time = now()")
    await lonely_bench.database.execute("DELETE FROM outbox")
    assert isinstance(await lonely_bench.submit(submission(tenant, reference="unpublished")), Accepted)
    observer = Broker(nats_url, name="observer", on_fatal=lambda _: None)

    async with running(service_environment, "housekeeping"), Lifecycle([observer]):
        assert await observer.wait_connected(10)

        async def published() -> bool:
            info = await observer.jetstream.consumer_info(Topology().jobs_stream, f"{Stage.IMAGING.value}-standard")
            return bool(info.num_pending == 4)

        await until(published)


async def test_api_alone_leaves_waiting_and_unpublished_work_to_others(
    service_environment: dict[str, str], lonely_bench: Bench, tenant: str
) -> None:
    """No loop runs there that would touch it: the outbox row is still there after a call was served."""
    assert isinstance(await lonely_bench.submit(submission(tenant)), Accepted)
    upload = pb.CreateUploadRequest(filename="a.png", media_type="image/png", size_bytes=1, sha256="ab" * 32)

    async with calling(service_environment, "api") as channel:
        assert await answer(IngestServiceStub(channel).CreateUpload, upload) == "OK"
        assert await lonely_bench.database.fetchval("SELECT count(*) FROM outbox") == 1


_STORE = {"CUTLINE_S3_ENDPOINT", "CUTLINE_S3_ACCESS_KEY", "CUTLINE_S3_SECRET_KEY"}
_CALLS = {
    "CUTLINE_GRPC_LISTEN": "nonsense",
    "CUTLINE_GRPC_TLS_CERT_FILE": "/none/tls.crt",
    "CUTLINE_GRPC_TLS_KEY_FILE": "/none/tls.key",
    "CUTLINE_DEV_API_KEY": "short",
}


async def test_housekeeping_alone_serves_nobody(service_environment: dict[str, str], lonely_bench: Bench) -> None:
    """It listens for probes alone: settings of gRPC are not even read, and it is ready without any."""
    assert await lonely_bench.database.fetchval("SELECT 1") == 1
    async with running({**service_environment, **_CALLS}, "housekeeping") as parts:
        assert not any(isinstance(part, RpcServer | Flusher) for part in parts)
        assert any(isinstance(part, S3BlobStore) for part in parts)


async def test_admin_alone_has_no_store(service_environment: dict[str, str], lonely_bench: Bench) -> None:
    """QueueService is served without any setting of the object store, and nothing there accepts or removes."""
    assert await lonely_bench.database.fetchval("SELECT 1") == 1
    environment = {name: value for name, value in service_environment.items() if name not in _STORE}
    async with calling(environment, "admin") as channel, running(environment, "admin") as parts:
        assert await answer(QueueServiceStub(channel).GetStats, queue_service_pb2.GetStatsRequest()) == "OK"
        assert not any(isinstance(part, S3BlobStore | Flusher) for part in parts)


@pytest.mark.parametrize(
    ("roles", "needed"),
    [
        ("api", _STORE | {"CUTLINE_GRPC_LISTEN"}),
        ("admin", {"CUTLINE_GRPC_LISTEN"}),
        ("housekeeping", _STORE),
        ("admin,housekeeping", _STORE | {"CUTLINE_GRPC_LISTEN"}),
    ],
)
def test_a_role_asks_for_what_it_needs(roles: str, needed: set[str]) -> None:
    """Database and broker for each; the store and the address of gRPC only for those that use them."""
    with pytest.raises(SettingsError) as refusal:
        IngestSettings.from_env({"CUTLINE_INGEST_ROLES": roles, "CUTLINE_GRPC_LISTEN": "nonsense"})
    named = {problem.partition(":")[0] for problem in refusal.value.problems}
    assert named == needed | {"CUTLINE_POSTGRES_DSN", "CUTLINE_NATS_URL"}


@pytest.mark.parametrize(
    ("roles", "degraded"), [("api", {"nats", "blobs"}), ("admin", {"nats"}), ("housekeeping", {"nats", "blobs"})]
)
async def test_a_role_is_ready_with_the_database_alone(
    service_environment: dict[str, str], roles: str, degraded: set[str]
) -> None:
    """What a role uses besides is named while it is away, and keeps nobody from being served."""
    away = {"CUTLINE_NATS_URL": NOBODY_LISTENS, "CUTLINE_S3_ENDPOINT": "http://127.0.0.1:1"}
    async with running({**service_environment, **away}, roles) as parts:
        (http,) = (part for part in parts if isinstance(part, HttpServer))
        assert (await probe(http, "livez")) == (200, {"alive": True})
        code, said = await probe(http, "readyz")
        assert (code, said["missing"], set(said["degraded"])) == (200, {}, degraded)


@pytest.mark.parametrize("roles", ["api", "admin", "housekeeping"])
async def test_a_role_waits_for_the_database_alive_and_not_ready(
    service_environment: dict[str, str], roles: str
) -> None:
    """Without the database a process is neither restarted nor sent traffic: it says what it waits for."""
    own = {"CUTLINE_POSTGRES_DSN": "postgresql://nobody@127.0.0.1:1/none", "CUTLINE_INGEST_ROLES": roles}
    listens = {"CUTLINE_GRPC_LISTEN": "127.0.0.1:0", "CUTLINE_HTTP_LISTEN": "127.0.0.1:0"}
    parts = build({**service_environment, **own, **listens}, ServiceRuntime())
    (http,) = (part for part in parts if isinstance(part, HttpServer))
    starting = asyncio.create_task(Lifecycle(parts).start())
    try:
        assert await eventually(lambda: http.port != 0)
        assert (await probe(http, "livez"))[0] == 200
        code, said = await probe(http, "readyz")
        assert (code, set(said["missing"])) == (503, {"service", "postgres"})
    finally:
        starting.cancel()
        await asyncio.wait([starting])


async def probe(http: HttpServer, path: str) -> tuple[int, Any]:
    """Asks as a kubelet does."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answered = await client.get(f"http://127.0.0.1:{http.port}/{path}")
    return answered.status_code, answered.json()


def test_an_unknown_role_is_refused_by_name() -> None:
    """With what may stand there."""
    with pytest.raises(SettingsError) as refusal:
        IngestSettings.from_env({"CUTLINE_INGEST_ROLES": "api,sweeping"})
    assert any("CUTLINE_INGEST_ROLES" in problem and "sweeping" in problem for problem in refusal.value.problems)
