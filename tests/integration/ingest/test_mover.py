"""Messages the broker gave up are settled: published anew, given up, kept aside, or dropped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import nats.errors
import pytest

from cutline.domain.errors import Reason
from cutline.domain.states import Lane, Stage
from cutline.jobs.v1 import ticket_pb2
from cutline.messaging.dead_stream import DeadStream
from cutline.messaging.publisher import OutgoingMessage
from cutline.messaging.topology import Topology
from services.ingest.settings import BacklogLimits
from tests.integration.ingest.hand_worker import HandWorker
from tests.integration.ingest.parts import Bench, make_bench, running
from tests.support.polling import until

if TYPE_CHECKING:
    from cutline.store.submissions import Submission

Make = Callable[..., "Submission"]


@pytest.fixture
async def bench(postgres_dsn: str, nats_url: str) -> AsyncIterator[Bench]:
    """Parts around a broker that delivers a message twice and no more; the mover runs."""
    topology = Topology(max_deliver=2)
    async with running(make_bench(postgres_dsn, nats_url, BacklogLimits(), topology=topology)) as made:
        moving = asyncio.create_task(made.mover.run())
        yield made
        moving.cancel()
        with suppress(asyncio.CancelledError):
            await moving


async def exhaust(bench: Bench, *, stage: Stage = Stage.IMAGING, lane: Lane = Lane.STANDARD) -> None:
    """Has the oldest message of a queue delivered as often as may be.

    The broker notices with the next pull, which may already be handed the message that takes its place.
    """
    name = bench.topology.consumer_name(stage, lane)
    subscription = await bench.broker.jetstream.pull_subscribe_bind(name, stream=bench.topology.jobs_stream)
    for _ in range(2):
        (message,) = await subscription.fetch(1, timeout=10)
        await message.nak()
    with suppress(nats.errors.TimeoutError):
        (successor,) = await subscription.fetch(1, timeout=0.5)
        await successor.nak()
    await subscription.unsubscribe()


async def stored_messages(bench: Bench, stream: str) -> int:
    """How many messages a stream holds."""
    return int((await bench.broker.jetstream.stream_info(stream)).state.messages)


async def open_advisories(bench: Bench) -> int:
    """Advisories that are not settled."""
    consumer = bench.topology.mover_consumer()
    info = await bench.broker.jetstream.consumer_info(consumer.stream, consumer.name)
    return (info.num_pending or 0) + (info.num_ack_pending or 0)


async def settled(bench: Bench) -> bool:
    """Whether an advisory came and none is open."""
    return await stored_messages(bench, bench.topology.advisories_stream) > 0 and await open_advisories(bench) == 0


async def test_a_job_with_attempts_left_is_published_anew(bench: Bench, make: Make, tenant: str) -> None:
    """The message that nobody would see again makes room for one of the next publication."""
    row = make(tenant)
    await bench.submit(row)

    await exhaust(bench)
    await until(lambda: settled(bench))

    assert await stored_messages(bench, bench.topology.jobs_stream) == 1
    (claim,) = await HandWorker(bench, slots=1).take()
    assert claim.job_id == row.job_id
    assert await bench.database.fetchval("SELECT publication FROM jobs") == 2


async def test_a_job_without_attempts_left_is_dead(bench: Bench, make: Make, tenant: str) -> None:
    """Two crashes are known and a third attempt never ended: the design fails, and a dead letter says why."""
    row = make(tenant)
    await bench.submit(row)
    await bench.database.execute(
        "UPDATE jobs SET state = 'RUNNING', attempt = 3, crash_count = 2, lease_time = now() - interval '1 second'"
    )
    await bench.database.execute("INSERT INTO attempts (job_id, number, worker) VALUES ($1, 3, 'w')", row.job_id)

    await exhaust(bench)
    await until(lambda: settled(bench))

    job = await bench.database.fetchrow("SELECT state, crash_count FROM jobs")
    design = await bench.database.fetchrow("SELECT state, failure_reason FROM designs")
    letter = await bench.database.fetchrow("SELECT job_id, reason FROM dead_letters")
    assert job is not None
    assert design is not None
    assert letter is not None
    assert tuple(job) == ("DEAD", 3)
    assert tuple(design) == ("FAILED", Reason.WORKER_CRASHED)
    assert tuple(letter) == (row.job_id, Reason.WORKER_CRASHED)
    assert await bench.database.fetchval("SELECT outcome FROM attempts") == "CRASHED"
    assert await stored_messages(bench, bench.topology.jobs_stream) == 0
    assert await stored_messages(bench, bench.topology.dead_stream) == 1


async def test_a_message_whose_job_is_over_is_dropped(bench: Bench, make: Make, tenant: str) -> None:
    """Nothing changes but that the message is gone."""
    await bench.submit(make(tenant))
    await bench.database.execute("UPDATE jobs SET state = 'CANCELLED', finish_time = now()")

    await exhaust(bench)
    await until(lambda: settled(bench))

    assert await stored_messages(bench, bench.topology.jobs_stream) == 0
    assert await bench.database.fetchval("SELECT publication FROM jobs") == 1


async def test_work_that_is_alive_is_left_alone(bench: Bench, make: Make, tenant: str) -> None:
    """While a worker renews its lease the message stays, and the advisory is asked about again later."""
    row = make(tenant)
    await bench.submit(row)
    await bench.database.execute(
        "UPDATE jobs SET state = 'RUNNING', attempt = 1, lease_time = now() + interval '1 hour'"
    )

    await exhaust(bench)

    async def looked_at() -> bool:
        consumer = bench.topology.mover_consumer()
        info = await bench.broker.jetstream.consumer_info(consumer.stream, consumer.name)
        return info.delivered is not None and info.delivered.stream_seq > 0

    await until(looked_at)
    assert await open_advisories(bench) == 1
    assert await stored_messages(bench, bench.topology.jobs_stream) == 1
    assert await bench.database.fetchval("SELECT state FROM jobs") == "RUNNING"


async def test_a_message_that_names_no_job_is_kept_aside(bench: Bench) -> None:
    """Its copy lies on the stream of dead letters, where the lists of operators find it."""
    subject = bench.topology.job_subject(Stage.MOCKUP, Lane.BULK, "acme")
    await bench.publisher.publish([OutgoingMessage(subject, "x:1", b"\xff\xff")], timeout_s=5)

    await exhaust(bench, stage=Stage.MOCKUP, lane=Lane.BULK)
    await until(lambda: settled(bench))

    (letter,) = await DeadStream(bench.broker, bench.topology).unreadable()
    assert (letter.stage, letter.reason) == (Stage.MOCKUP, Reason.MESSAGE_UNREADABLE)
    assert await stored_messages(bench, bench.topology.jobs_stream) == 0


async def test_an_advisory_that_comes_twice_changes_nothing(bench: Bench, make: Make, tenant: str) -> None:
    """The second one finds the message gone; the job has one new message."""
    row = make(tenant)
    await bench.submit(row)
    await exhaust(bench)
    await until(lambda: settled(bench))
    advisory = await bench.broker.jetstream.get_msg(bench.topology.advisories_stream, 1)
    assert advisory.subject is not None
    assert advisory.data is not None

    await bench.broker.jetstream.publish(advisory.subject, advisory.data)
    await until(lambda: settled(bench))

    message = await bench.broker.jetstream.get_msg(bench.topology.jobs_stream, 2)
    ticket = ticket_pb2.JobTicket.FromString(message.data or b"")
    assert (ticket.job_id, ticket.publication) == (str(row.job_id), 2)
    assert await stored_messages(bench, bench.topology.jobs_stream) == 1
