"""Each role of ingest starts alone and does its own and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from cutline.domain.states import Stage
from cutline.messaging.connection import Broker
from cutline.messaging.topology import Topology
from cutline.runtime.environment import SettingsError
from cutline.runtime.lifecycle import Lifecycle, ServiceRuntime
from cutline.v1 import ingest_service_pb2 as pb
from cutline.v1 import queue_service_pb2
from cutline.v1.ingest_service_pb2_grpc import IngestServiceStub
from cutline.v1.queue_service_pb2_grpc import QueueServiceStub
from services.ingest.app import build
from services.ingest.flusher import Accepted
from services.ingest.settings import IngestSettings
from tests.integration.ingest.parts import Bench, submission
from tests.integration.ingest.service import put_topology, rpc_port
from tests.support.polling import until

KEY = "a-development-key-for-tests"


@asynccontextmanager
async def running(environment: dict[str, str], roles: str) -> AsyncIterator[grpc.aio.Channel]:
    """Ingest with some of its roles; a channel to it."""
    own = {
        "CUTLINE_INGEST_ROLES": roles,
        "CUTLINE_GRPC_LISTEN": "127.0.0.1:0",
        "CUTLINE_HTTP_LISTEN": "127.0.0.1:0",
        "CUTLINE_DEV_API_KEY": KEY,
    }
    runtime = ServiceRuntime()
    parts = build({**environment, **own}, runtime)
    async with Lifecycle(parts):
        runtime.readiness.begin()
        assert (await runtime.readiness.verdict()).ready
        async with grpc.aio.insecure_channel(f"127.0.0.1:{rpc_port(parts)}") as channel:
            yield channel
    assert runtime.failure is None


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


@pytest.mark.parametrize(
    ("roles", "served"),
    [("api", ("OK", "UNIMPLEMENTED")), ("admin", ("UNIMPLEMENTED", "OK")), ("housekeeping", ("UNIMPLEMENTED",) * 2)],
)
async def test_a_role_alone_serves_its_own_calls(
    service_environment: dict[str, str],
    lonely_bench: Bench,  # noqa: ARG001  (applies the topology)
    roles: str,
    served: tuple[str, str],
) -> None:
    """Calls of the other roles are not known there."""
    upload = pb.CreateUploadRequest(filename="a.png", media_type="image/png", size_bytes=1, sha256="ab" * 32)
    async with running(service_environment, roles) as channel:
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

    async with running(service_environment, "api") as channel:
        assert await answer(IngestServiceStub(channel).CreateUpload, upload) == "OK"
        assert await lonely_bench.database.fetchval("SELECT count(*) FROM outbox") == 1


def test_an_unknown_role_is_refused_by_name() -> None:
    """With what may stand there."""
    with pytest.raises(SettingsError) as refusal:
        IngestSettings.from_env({"CUTLINE_INGEST_ROLES": "api,sweeping"})
    assert any("CUTLINE_INGEST_ROLES" in problem and "sweeping" in problem for problem in refusal.value.problems)
