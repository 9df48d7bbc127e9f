"""What is accepted reaches the broker, whenever the broker comes; what fell silent is published again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from cutline.domain.states import Lane, Stage
from cutline.messaging.apply import TopologyDrift, apply_topology, verify_topology
from cutline.messaging.publisher import OutgoingMessage
from cutline.messaging.topology import HEADER_MSG_ID, HEADER_TRACEPARENT, job_msg_id
from services.ingest.flusher import Accepted
from services.ingest.settings import BacklogLimits
from tests.integration.ingest.parts import Bench, make_bench, running

if TYPE_CHECKING:
    from cutline.store.submissions import Submission

Make = Callable[..., "Submission"]


async def test_a_ticket_carries_its_id_and_its_trace(bench: Bench, make: Make, tenant: str) -> None:
    """The headers name the publication and the trace of the submit."""
    row = make(tenant)

    await bench.submit(row)

    message = await bench.broker.jetstream.get_msg(bench.topology.jobs_stream, 1)
    assert message.headers == {HEADER_MSG_ID: job_msg_id(row.job_id, 1), HEADER_TRACEPARENT: row.traceparent}
    assert message.subject == f"jobs.imaging.standard.{tenant}"


async def test_every_accepted_design_rings(bench: Bench, make: Make, tenant: str) -> None:
    """A core subscriber hears of the design without reading the stream."""
    subscription = await bench.broker.client.subscribe(bench.topology.all_designs_subject)
    row = make(tenant)

    await bench.submit(row)

    heard = await subscription.next_msg(timeout=5)
    assert heard.subject == bench.topology.design_subject(tenant, row.design_id)


async def test_without_a_broker_submits_are_accepted_and_published_later(
    lonely_bench: Bench, make: Make, tenant: str, postgres_dsn: str, nats_url: str
) -> None:
    """The rows stay in the outbox until a relay with a broker takes them, under their first ids, once."""
    rows = [make(tenant, reference=str(number)) for number in range(5)]
    answers = await asyncio.gather(*(lonely_bench.submit(row) for row in rows))
    assert all(isinstance(answer, Accepted) for answer in answers)
    assert await lonely_bench.relay.relay_once() == 0

    async with running(make_bench(postgres_dsn, nats_url, BacklogLimits())) as back:
        assert await back.relay.relay_once() == 5
        assert await back.relay.relay_once() == 0
        tickets = await back.tickets()
        assert [ticket.design_id for ticket in tickets] == [str(row.design_id) for row in rows]
        assert {ticket.publication for ticket in tickets} == {1}
        assert await back.database.fetchval("SELECT count(*) FROM outbox") == 0


async def test_two_relays_do_not_publish_the_same_row_twice(
    lonely_bench: Bench, bench: Bench, second_bench: Bench, make: Make, tenant: str
) -> None:
    """Rows that one relay holds are skipped by the other, and the broker ends with one ticket a job."""
    rows = [make(tenant, reference=str(number)) for number in range(60)]
    await asyncio.gather(*(lonely_bench.submit(row) for row in rows))

    taken = await asyncio.gather(bench.relay.relay_once(), second_bench.relay.relay_once())

    assert sum(taken) == 60
    assert len(await bench.tickets()) == 60


async def test_a_stream_without_listeners_is_no_ack(bench: Bench) -> None:
    """A message nobody stores is reported as not published, the others of its batch as published."""
    messages = [
        OutgoingMessage("jobs.imaging.bulk.acme", "a:1", b"x"),
        OutgoingMessage("nobody.listens", "b:1", b"x"),
        OutgoingMessage("jobs.imaging.bulk.acme", "a:1", b"x"),
    ]

    assert await bench.publisher.publish(messages, timeout_s=5) == [True, False, True]
    assert len(await bench.broker.jetstream.streams_info()) == len(bench.topology.streams())


async def test_outbox_rows_go_once_their_messages_are_stored(bench: Bench, make: Make, tenant: str) -> None:
    """The next commit takes them along."""
    await bench.submit(make(tenant, reference="one"))
    await bench.submit(make(tenant, reference="two"))

    assert await bench.database.fetchval("SELECT count(*) FROM outbox") == 1


async def test_a_lost_ticket_is_published_again(bench: Bench, make: Make, tenant: str) -> None:
    """A job whose message is gone gets a new one with the next publication."""
    lost = make(tenant, reference="lost")
    await bench.submit(lost)
    await bench.broker.jetstream.purge_stream(bench.topology.jobs_stream)
    await bench.database.execute("DELETE FROM outbox")

    assert await bench.sweeper.sweep_once() == 1

    (ticket,) = await bench.tickets()
    assert (ticket.job_id, ticket.publication) == (str(lost.job_id), 2)


async def test_a_ticket_that_waits_in_its_queue_is_left_alone(bench: Bench, make: Make, tenant: str) -> None:
    """However long a job waits: its message is stored, so nothing is lost."""
    await bench.submit(make(tenant))
    await bench.database.execute("DELETE FROM outbox")

    assert await bench.sweeper.sweep_once() == 0
    assert len(await bench.tickets()) == 1


async def test_abandoned_work_is_published_again(bench: Bench, make: Make, tenant: str) -> None:
    """A running job whose lease ran out goes back to its queue; its attempt stays open for the next to settle."""
    row = make(tenant)
    await bench.submit(row)
    await bench.database.execute(
        "UPDATE jobs SET state = 'RUNNING', attempt = 1, lease_time = now() - interval '1 minute'"
    )

    assert await bench.sweeper.sweep_once() == 1

    stored = await bench.database.fetchrow("SELECT state, publication, attempt FROM jobs")
    assert stored is not None
    assert tuple(stored) == ("QUEUED", 2, 1)


async def test_a_silent_broker_is_asked_by_one_message_only(bench: Bench, make: Make, tenant: str) -> None:
    """After a timeout submits are answered at once and left to the relay; the first ack ends that."""
    await bench.broker.client.subscribe("deaf")
    silent = [OutgoingMessage("deaf", "a:1", b"x")]

    assert await bench.publisher.publish(silent, timeout_s=0.01) == [False]
    assert not bench.publisher.answering

    rows = [make(tenant, reference=str(number)) for number in range(3)]
    await asyncio.gather(*(bench.submit(row) for row in rows))
    assert await bench.database.fetchval("SELECT count(*) FROM outbox") == 3

    assert await bench.relay.relay_once() == 3
    assert bench.publisher.answering
    assert len(await bench.tickets()) == 3


async def test_drift_that_makes_services_wrong_is_told_from_tunables(bench: Bench) -> None:
    """A missing consumer is an error, another bound of running work a warning, a pause neither."""
    jetstream, topology = bench.broker.jetstream, bench.topology
    assert await verify_topology(jetstream, topology) == TopologyDrift((), ())

    await jetstream.pause_consumer(topology.jobs_stream, "imaging-express", "2099-01-01T00:00:00Z")
    await jetstream.delete_consumer(topology.jobs_stream, "mockup-bulk")
    drift = await verify_topology(jetstream, replace(topology, max_ack_pending={Stage.IMAGING: 7, Stage.MOCKUP: 256}))

    assert drift.errors == ("the consumer mockup-bulk of JOBS is missing",)
    assert len(drift.warnings) == len(Lane)

    await apply_topology(jetstream, topology)
    assert await verify_topology(jetstream, topology) == TopologyDrift((), ())
    assert (await jetstream.consumer_info(topology.jobs_stream, "imaging-express")).paused


async def test_every_subject_that_can_be_published_has_one_consumer(bench: Bench) -> None:
    """A ticket that matches no consumer would lie in the stream unseen."""
    jetstream, topology = bench.broker.jetstream, bench.topology
    for stage in Stage:
        for lane in Lane:
            subject = topology.job_subject(stage, lane, "acme")
            await bench.publisher.publish([OutgoingMessage(subject, subject, b"x")], timeout_s=5)

    pending = {
        consumer.name: (await jetstream.consumer_info(consumer.stream, consumer.name)).num_pending
        for consumer in topology.job_consumers()
    }
    assert set(pending.values()) == {1}
    assert len(pending) == len(Stage) * len(Lane)
