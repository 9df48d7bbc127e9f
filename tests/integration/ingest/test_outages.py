"""The broker or the database goes away under a running ingest, hangs, and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import asyncpg
import grpc
import httpx
import pytest
from google.rpc import error_details_pb2

from bench.faults.gate import Gate
from cutline.embedded.ports import PortReservation
from cutline.messaging.apply import apply_topology
from cutline.messaging.connection import Broker
from cutline.messaging.topology import Topology
from cutline.runtime.lifecycle import Lifecycle, ServiceRuntime
from cutline.v1 import ingest_service_pb2 as pb
from services.ingest.app import build
from tests.integration.ingest.service import Client, detail_of, reason_of, rpc_port, store_key, stub_of
from tests.support.polling import until

PATIENCE_S = 60.0
"""How long recovery may take on a machine that does other things; bench/faults measures it."""


@dataclass
class Site:
    """A running ingest behind a gate to its broker and one to its database.

    Attributes:
        runtime: What ingest says of itself.
        client: Calls it.
        upload_id: An upload whose bytes are there and were checked.
        broker: The observer's own connection.
        database: The observer's own connection.
    """

    runtime: ServiceRuntime
    client: Client
    upload_id: str
    nats: Gate
    postgres: Gate
    broker: Broker
    database: asyncpg.Connection[asyncpg.Record]

    async def submit(self, reference: str) -> str:
        """Accepts a design; its id."""
        return (await self.client.submit(self.upload_id, reference=reference)).design.id

    async def tickets(self) -> int:
        """Messages in the stream of jobs."""
        return int((await self.broker.jetstream.stream_info(Topology().jobs_stream)).state.messages)

    async def degraded(self) -> set[str]:
        """What ingest says it misses."""
        verdict = await self.runtime.readiness.verdict()
        return set(verdict.degraded) | set(verdict.missing)

    async def ready(self) -> bool:
        """Whether ingest says it can serve."""
        return (await self.runtime.readiness.verdict()).ready


@pytest.fixture
async def nats_at_start() -> bool:
    """Whether the broker is there when ingest starts; overridden where it is not."""
    return True


@pytest.fixture
async def site(service_environment: dict[str, str], tenant: str, nats_at_start: bool) -> AsyncIterator[Site]:
    """Ingest with every role, its streams made."""
    nats_url, dsn = service_environment["CUTLINE_NATS_URL"], service_environment["CUTLINE_POSTGRES_DSN"]
    async with AsyncExitStack() as stack:
        ports = PortReservation()
        stack.callback(ports.release)
        nats = await stack.enter_async_context(Gate(nats_url, ports.take()))
        postgres = await stack.enter_async_context(Gate(dsn, ports.take()))
        broker = Broker(nats_url, name="observer", on_fatal=lambda _: None)
        await stack.enter_async_context(Lifecycle([broker]))
        assert await broker.wait_connected(10)
        await apply_topology(broker.jetstream, Topology())
        if not nats_at_start:
            await nats.shut()
        database = await asyncpg.connect(dsn)
        stack.push_async_callback(database.close)
        environment = service_environment | {
            "CUTLINE_NATS_URL": nats.url,
            "CUTLINE_POSTGRES_DSN": postgres.url,
            "CUTLINE_GRPC_LISTEN": "127.0.0.1:0",
            "CUTLINE_HTTP_LISTEN": "127.0.0.1:0",
        }
        runtime = ServiceRuntime()
        parts = build(environment, runtime)
        await stack.enter_async_context(Lifecycle(parts))
        runtime.readiness.begin()
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{rpc_port(parts)}"))
        client = Client(tenant, stub_of(channel), await store_key(dsn, tenant), http)
        upload_id = await client.upload()
        found = Site(runtime, client, upload_id, nats, postgres, broker, database)
        await found.submit("warm")
        yield found
        assert runtime.failure is None


class TestBrokerAbsentAtStart:
    """Nobody listens where the broker should be."""

    @pytest.fixture
    async def nats_at_start(self) -> bool:
        """It is not there."""
        return False

    async def test_what_was_accepted_without_a_broker_is_published_when_it_comes(self, site: Site) -> None:
        """Ingest is ready and says what it misses; then one ticket a design, and nothing is missed any more."""
        assert await site.ready()
        assert "nats" in await site.degraded()
        for number in range(5):
            await site.submit(str(number))
        assert await site.tickets() == 0

        await site.nats.open()

        await until(lambda: _equals(site.tickets, 6), within_s=PATIENCE_S)
        await until(lambda: _lacks(site, "nats"), within_s=PATIENCE_S)


async def test_a_broker_that_vanishes_stops_nobody(site: Site) -> None:
    """Submits are accepted meanwhile, and each has its one ticket when the broker is back."""
    await site.nats.shut()
    await until(lambda: _has(site, "nats"))
    designs = {await site.submit(str(number)) for number in range(20)}
    assert await site.ready()

    await site.nats.open()

    assert len(designs) == 20
    await until(lambda: _equals(site.tickets, 21), within_s=PATIENCE_S)
    assert await site.database.fetchval("SELECT max(publication) FROM jobs") == 1


async def test_a_broker_that_hangs_stops_nobody(site: Site) -> None:
    """Submits do not wait for acks that never come; what the broker got twice it stores once."""
    site.nats.hang()
    designs = {await site.submit(str(number)) for number in range(20)}
    assert await site.ready()
    await until(lambda: _has(site, "nats"))

    await site.nats.open()

    assert len(designs) == 20
    await until(lambda: _equals(site.tickets, 21), within_s=PATIENCE_S)
    await until(lambda: _outbox_is_empty(site), within_s=PATIENCE_S)
    assert await site.tickets() == 21


async def test_a_database_that_vanishes_is_told_and_recovered_from(site: Site) -> None:
    """Callers get UNAVAILABLE with the time to try again; readiness flips; all is well after its return."""
    await site.postgres.shut()

    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await site.submit("away")
    assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE
    assert reason_of(refusal.value) == "STORE_UNAVAILABLE"
    assert retry_delay_s(refusal.value) > 0
    assert not await site.ready()

    await site.postgres.open()

    await until(site.ready, within_s=PATIENCE_S)
    assert await site.submit("back")
    await until(lambda: _equals(site.tickets, 2), within_s=PATIENCE_S)


async def test_submits_in_flight_when_the_database_vanishes_are_whole_or_refused(site: Site) -> None:
    """Whoever got an answer has a design; whoever was refused and tries again gets one, the same where it was made."""
    requests = [
        pb.SubmitDesignRequest(upload_id=site.upload_id, reference=str(number), request_id=_request_id(number))
        for number in range(200)
    ]
    calls = [asyncio.create_task(site.client.call("SubmitDesign", request)) for request in requests]
    await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    await site.postgres.shut()
    first = await asyncio.gather(*calls, return_exceptions=True)
    assert all(
        not isinstance(one, BaseException) or (isinstance(one, grpc.aio.AioRpcError) and _unavailable(one))
        for one in first
    )
    await site.postgres.open()
    await until(site.ready, within_s=PATIENCE_S)

    second = await asyncio.gather(*(site.client.call("SubmitDesign", request) for request in requests))

    for before, after in zip(first, second, strict=True):
        assert isinstance(before, BaseException) or before.design.id == after.design.id
    assert len({answer.design.id for answer in second}) == 200
    assert await site.database.fetchval("SELECT count(*) FROM designs") == 201


def retry_delay_s(error: grpc.aio.AioRpcError) -> float:
    """The pause an error asks for; 0 where it asks for none."""
    return detail_of(error, error_details_pb2.RetryInfo).retry_delay.ToTimedelta().total_seconds()


def _unavailable(error: grpc.aio.AioRpcError) -> bool:
    return error.code() is grpc.StatusCode.UNAVAILABLE and retry_delay_s(error) > 0


def _request_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


async def _equals(count: Callable[[], Awaitable[int]], number: int) -> bool:
    return await count() == number


async def _has(site: Site, name: str) -> bool:
    return name in await site.degraded()


async def _lacks(site: Site, name: str) -> bool:
    return name not in await site.degraded()


async def _outbox_is_empty(site: Site) -> bool:
    return await site.database.fetchval("SELECT NOT EXISTS (SELECT FROM outbox)") is True
