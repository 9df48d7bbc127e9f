"""Storms of equal submits through two processes of ingest, with nobody working on what they accept."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import httpx
import nats
import pytest

from cutline.messaging.topology import HEADER_MSG_ID, Topology
from cutline.v1 import ingest_service_pb2 as pb
from cutline.v1 import job_pb2
from tests.integration.ingest.ingest_processes import ingest_processes
from tests.integration.ingest.service import Client, store_key, stub_of
from tests.support.polling import until

STORM = 1_000
WINDOW_S = 1


@dataclass
class Site:
    """Two processes of ingest, a client of one tenant at each, and what lies behind them."""

    clients: list[Client]
    upload_id: str
    database: asyncpg.Connection[asyncpg.Record]
    nats_url: str

    async def storm(self, requests: Sequence[pb.SubmitDesignRequest]) -> list[pb.SubmitDesignResponse]:
        """Every request at once, the processes in turn; a failed one fails the test."""
        calls = (
            self.clients[index % len(self.clients)].call("SubmitDesign", request)
            for index, request in enumerate(requests)
        )
        return list(await asyncio.gather(*calls))

    def request(self, **values: Any) -> pb.SubmitDesignRequest:
        """A submit of the one upload."""
        return pb.SubmitDesignRequest(upload_id=self.upload_id, **values)

    async def count(self, query: str) -> int:
        """What a query counts."""
        number: int = await self.database.fetchval(query)
        return number

    async def jetstream(self) -> Any:
        """A look at the broker, and how to end it."""
        connection = await nats.connect(self.nats_url)
        return connection, connection.jetstream()

    async def tickets(self) -> int:
        """Messages in the stream of jobs once the outbox is empty."""

        async def published() -> bool:
            return await self.count("SELECT count(*) FROM outbox") == 0

        await until(published)
        connection, jetstream = await self.jetstream()
        state = (await jetstream.stream_info(Topology().jobs_stream)).state
        await connection.close()
        return int(state.messages)


@pytest.fixture
def topology() -> Topology:
    """As in production; tests of a short window override this."""
    return Topology()


@pytest.fixture
async def site(
    tmp_path: Path, service_environment: dict[str, str], tenant: str, topology: Topology
) -> AsyncIterator[Site]:
    """Two processes of ingest and one upload whose bytes are there."""
    environment = service_environment | {"CUTLINE_DUPLICATE_WINDOW": f"{topology.duplicate_window_s:g}s"}
    postgres_dsn, nats_url = environment["CUTLINE_POSTGRES_DSN"], environment["CUTLINE_NATS_URL"]
    async with AsyncExitStack() as stack:
        key = await store_key(postgres_dsn, tenant)
        targets = await stack.enter_async_context(ingest_processes(tmp_path, environment, number=2, topology=topology))
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        channels = [await stack.enter_async_context(grpc.aio.insecure_channel(target)) for target in targets]
        clients = [Client(tenant, stub_of(channel), key, http) for channel in channels]
        database = await asyncpg.connect(postgres_dsn)
        stack.push_async_callback(database.close)
        yield Site(clients, await clients[0].upload(), database, nats_url)


async def test_a_thousand_equal_submits_make_one_design(site: Site) -> None:
    """With and without ids of their own, through two processes: one of them made it, all name it."""
    own_ids = [site.request(request_id=str(uuid4())) for _ in range(STORM // 2)]

    answers = await site.storm([*own_ids, *(site.request() for _ in range(STORM // 2))])

    assert len({answer.design.id for answer in answers}) == 1
    assert sum(not answer.deduplicated for answer in answers) == 1
    assert (
        await site.count("SELECT count(*) FROM designs"),
        await site.count("SELECT count(*) FROM jobs"),
        await site.count("SELECT count(*) FROM generations"),
    ) == (1, 1, 1)
    assert await site.count("SELECT count(*) FROM requests WHERE method = 'SubmitDesign'") == STORM // 2
    assert await site.tickets() == 1


async def test_two_processes_storm_overlapping_keys(site: Site) -> None:
    """Both take the same keys in another order and other lanes: nobody is refused, each key makes one design."""
    rng = random.Random(4)  # noqa: S311  (a seeded test, no secret)
    keys = 100
    wishes = [
        site.request(reference=str(key), job=job_pb2.JobOptions(lane=lane))
        for key in range(keys)
        for lane in (job_pb2.LANE_BULK, job_pb2.LANE_STANDARD, job_pb2.LANE_EXPRESS)
    ] * 3
    rng.shuffle(wishes)

    answers = await site.storm(wishes)

    by_key: dict[str, set[str]] = {}
    for wish, answer in zip(wishes, answers, strict=True):
        by_key.setdefault(wish.reference, set()).add(answer.design.id)
    assert all(len(designs) == 1 for designs in by_key.values())
    assert sum(not answer.deduplicated for answer in answers) == keys
    assert await site.count("SELECT count(*) FROM designs") == keys
    assert await site.tickets() == keys


async def test_a_thousand_different_specs_make_a_thousand(site: Site) -> None:
    """None is taken for another; beyond the window they wait, and none is lost."""
    wishes = [site.request() for _ in range(STORM)]
    for number, wish in enumerate(wishes):
        wish.spec.width_mm = 20 + number / 20

    answers = await site.storm(wishes)

    assert len({answer.design.id for answer in answers}) == STORM
    assert not any(answer.deduplicated for answer in answers)
    assert await site.count("SELECT count(*) FROM designs") == STORM
    waiting = await site.count("SELECT count(*) FROM jobs WHERE state = 'WAITING'")
    assert waiting + await site.tickets() == STORM


async def test_scheduled_then_immediate_are_two(site: Site) -> None:
    """Another time is other work, and the same time again is not."""
    later = site.request()
    later.job.not_before_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))

    scheduled, immediate, again = [(await site.storm([wish]))[0] for wish in (later, site.request(), later)]

    assert scheduled.design.id != immediate.design.id
    assert again.design.id == scheduled.design.id
    assert again.deduplicated


class TestShortWindow:
    """A broker that forgets ids after a second."""

    @pytest.fixture
    def topology(self) -> Topology:
        """A window of one second."""
        return Topology(duplicate_window_s=WINDOW_S)

    async def test_equal_submits_stay_one_design_past_the_window(self, site: Site) -> None:
        """The database knows equal work, not the broker: a second storm joins the first one's design."""
        first = await site.storm([site.request() for _ in range(STORM)])
        await self.window_has_passed(site)

        second = await site.storm([site.request() for _ in range(STORM)])

        assert len({answer.design.id for answer in first + second}) == 1
        assert sum(not answer.deduplicated for answer in first + second) == 1
        assert await site.count("SELECT count(*) FROM designs") == 1
        assert await site.tickets() == 1

    @staticmethod
    async def window_has_passed(site: Site) -> None:
        """Waits until the broker has forgotten an id it was given after the storm."""
        connection, jetstream = await site.jetstream()
        subject = "jobs.mockup.bulk.marker"
        first = await jetstream.publish(subject, b"", headers={HEADER_MSG_ID: "marker"})

        async def forgotten() -> bool:
            ack = await jetstream.publish(subject, b"", headers={HEADER_MSG_ID: "marker"})
            if not ack.duplicate:
                await jetstream.delete_msg(Topology().jobs_stream, ack.seq)
            return not ack.duplicate

        await until(forgotten)
        await jetstream.delete_msg(Topology().jobs_stream, first.seq)
        await connection.close()
