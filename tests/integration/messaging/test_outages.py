"""Servers that vanish under a worker and come back: it waits and recovers by itself."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from cutline.domain.errors import Reason, UnavailableError
from cutline.domain.states import Stage
from cutline.embedded.servers import EmbeddedServers
from cutline.jobs.v1.ticket_pb2 import JobTicket
from cutline.messaging.connection import Broker
from cutline.store.attempts import Attempts, Claim
from cutline.store.migrations import migrate
from tests.integration.messaging.conftest import Floor, open_floor
from tests.integration.messaging.test_worker import Stand
from tests.support.polling import eventually


@pytest.fixture
async def own_servers() -> AsyncIterator[EmbeddedServers]:
    """A broker and a database that a test may stop."""
    with tempfile.TemporaryDirectory(prefix="cutline-tests-") as folder:
        servers = EmbeddedServers(Path(folder))
        try:
            await asyncio.gather(servers.nats.start(), servers.postgres.start())
            await migrate(servers.postgres_dsn)
            yield servers
        finally:
            await servers.stop()


@pytest.fixture
async def own_floor(own_servers: EmbeddedServers, tenant: str) -> AsyncIterator[Floor]:
    """A place to work on servers of the test's own."""
    async with open_floor(own_servers.nats_url, own_servers.postgres_dsn, tenant) as opened:
        yield opened


async def test_work_that_ends_while_the_broker_is_away_is_done(own_servers: EmbeddedServers, own_floor: Floor) -> None:
    """It is committed without the broker; its message comes again and is found to be over; the next job runs."""
    stand = Stand(own_floor)
    stand.go_on.clear()
    await own_floor.worker(stand)
    job = await own_floor.submit()
    await stand.begun.wait()

    await own_servers.nats.stop()
    stand.go_on.set()
    await own_floor.until_state(job, "SUCCEEDED")
    assert (await own_floor.design(job))["state"] == "READY"
    assert await own_floor.database.fetchval("SELECT count(*) FROM outbox") == 1  # the relay's
    await own_servers.nats.start()
    assert await own_floor.broker.wait_connected(30)

    await own_floor.until_state(await own_floor.submit(), "SUCCEEDED")
    await own_floor.until_settled()
    assert await own_floor.outcomes(job) == ["SUCCEEDED"]


async def test_work_that_ends_while_the_database_is_away_is_not_repeated(
    own_servers: EmbeddedServers, own_floor: Floor
) -> None:
    """The commit waits for the database, for as long as the message can well be kept; the work is done once."""
    stand = Stand(own_floor)
    stand.go_on.clear()
    await own_floor.worker(stand, ack_wait_s=60)
    job = await own_floor.submit()
    await stand.begun.wait()

    await own_servers.postgres.stop()
    stand.go_on.set()
    await own_servers.postgres.start()

    await own_floor.until_settled()
    assert await own_floor.outcomes(job) == ["SUCCEEDED"]
    assert stand.claims == [(job.job_id, 1)]


async def test_a_message_that_cannot_be_claimed_goes_back_for_a_while(
    own_servers: EmbeddedServers, own_floor: Floor
) -> None:
    """While the database is away for longer the broker keeps the time; then the job has its first and only attempt."""
    stand = Stand(own_floor)
    job = await own_floor.accept()
    worker = await own_floor.worker(stand)
    await own_servers.postgres.stop()
    await own_floor.publish(job)
    assert await eventually(lambda: worker._resting)
    await own_servers.postgres.start()

    await own_floor.until_settled()
    assert await own_floor.outcomes(job) == ["SUCCEEDED"]
    row = await own_floor.job(job)
    assert (row["failure_count"], row["crash_count"]) == (0, 0)


async def test_a_lease_that_ran_out_while_the_database_was_away_is_no_crash(
    own_servers: EmbeddedServers, own_floor: Floor
) -> None:
    """Nobody could renew it: whoever comes first takes the job over, and nothing is counted."""
    job = await own_floor.accept()
    ticket = JobTicket(job_id=str(job.job_id), design_id=str(job.design_id), generation=1, publication=1)
    for worker, lease_s in (("before", 0.0), ("after", 30.0)):
        attempts = Attempts(own_floor.database, own_floor.topology, worker=worker, lease_s=lease_s)
        while True:
            with suppress(UnavailableError):
                claim = await attempts.claim(ticket, Stage.IMAGING)
                break
        assert isinstance(claim, Claim)
        if worker == "before":
            await own_servers.postgres.stop()
            await own_servers.postgres.start()

    assert await own_floor.outcomes(job) == ["INTERRUPTED", None]
    assert (await own_floor.job(job))["crash_count"] == 0


async def test_a_worker_takes_no_jobs_while_what_they_need_is_away(floor: Floor) -> None:
    """Once a job found the object store away, others stay at the broker untouched until it is back."""
    problem: str | None = "the object store does not answer"
    asked = 0

    async def outage() -> str | None:
        nonlocal asked
        asked += 1
        return problem

    stand = Stand(floor)
    stand.outcome = UnavailableError(Reason.BLOBS_UNAVAILABLE, "The file store does not answer; try again.")
    worker = await floor.worker(stand, outage=outage)
    first = await floor.submit()
    await floor.until_state(first, "WAITING")
    assert await eventually(lambda: worker._resting)
    others = [await floor.submit() for _ in range(5)]
    enough = asked + 3
    assert await eventually(lambda: asked >= enough)
    assert [await floor.outcomes(job) for job in others] == [[]] * 5

    stand.outcome, problem = None, None
    for job in others:
        await floor.until_state(job, "SUCCEEDED")
        assert await floor.outcomes(job) == ["SUCCEEDED"]


async def test_a_connection_that_is_closed_for_good_ends_the_process(nats_url: str) -> None:
    """The client mends a lost connection by itself; one that it gives up is fatal, and a restart mends it."""
    fatal: list[str] = []
    broker = Broker(nats_url, name="test", on_fatal=fatal.append)
    await broker.start()
    assert await broker.wait_connected(10)

    await broker.client.close()

    assert fatal == ["the connection to the broker was closed for good"]
    await broker.stop()
