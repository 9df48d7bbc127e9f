"""Counts, jobs, pauses, and what QueueService refuses; with every server real."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from cutline.domain.errors import UnavailableError
from cutline.domain.states import Lane, Stage
from cutline.messaging.apply import apply_topology, verify_topology
from cutline.messaging.connection import Broker
from cutline.messaging.consumers import Consumers
from cutline.messaging.dead_stream import DeadStream
from cutline.runtime.lifecycle import Lifecycle
from cutline.store.queue_counts import QueueCounter
from cutline.store.queue_reads import DeadLetterFilter
from cutline.v1 import job_pb2, queue_service_pb2
from cutline.v1.queue_service_pb2_grpc import QueueServiceStub
from services.ingest.queue_dead_letters import DeadLetters
from services.ingest.queue_stats import QueueStats
from tests.integration.ingest.parts import NOBODY_LISTENS
from tests.integration.ingest.queue_site import Site, named_fields
from tests.integration.ingest.service import reason_of, running_ingest, store_key

pb: Any = queue_service_pb2
"""Untyped, so that stages and lanes can be written as the numbers they are on the wire."""
INVALID_ARGUMENT = grpc.StatusCode.INVALID_ARGUMENT


def in_future(**span: float) -> Timestamp:
    """A time from now."""
    stamp = Timestamp()
    stamp.FromDatetime(datetime.now(UTC) + timedelta(**span))
    return stamp


async def failure(call: Any) -> grpc.aio.AioRpcError:
    """The error of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    return failed.value


async def test_stats_tell_the_queues_as_database_and_broker_know_them(site: Site) -> None:
    """Each number counts what it says, in its own queue only."""
    database, jetstream = site.database, site.broker.jetstream
    await site.database.execute(
        "UPDATE jobs SET state = 'WAITING', due_time = now() + interval '1 hour' WHERE job_id = $1",
        (await site.queued()).job_id,
    )
    ended = await site.queued()
    await database.execute(
        "UPDATE jobs SET state = 'RUNNING', create_time = now() - interval '90 s' WHERE job_id = $1", ended.job_id
    )
    await site.dead()
    subject = site.topology.job_subject(Stage.IMAGING, Lane.STANDARD, site.tenant)
    consumer = site.topology.consumer_name(Stage.IMAGING, Lane.STANDARD)
    pull = await jetstream.pull_subscribe_bind(consumer, stream=site.topology.jobs_stream)
    await jetstream.publish(subject, b"handed out twice")
    (one,) = await pull.fetch(1, timeout=5)
    await one.nak()
    await pull.fetch(1, timeout=5)
    await jetstream.publish(subject, b"handed out once")
    await pull.fetch(1, timeout=5)
    await jetstream.publish(subject, b"pending")

    counts = await site.stats()

    assert (counts.waiting_count, counts.dead_count) == (1, 1)
    assert (counts.pending_count, counts.in_flight_count, counts.redelivered_count) == (1, 2, 1)
    assert 90 <= counts.oldest_age.seconds < 150
    assert counts.finished_per_s == pytest.approx(1 / 60)
    assert not counts.HasField("pause_until_time")
    assert await site.stats(Stage.MOCKUP, Lane.BULK) == pb.QueueStats(stage=2, lane=3)
    await pull.unsubscribe()


async def test_the_rate_counts_each_end_once_for_a_minute(site: Site) -> None:
    """Seconds counted before are remembered; one that is committed late is counted all the same."""
    counter = QueueCounter(site.database)
    queue = (Stage.IMAGING, Lane.STANDARD)
    made = [await site.queued() for _ in range(4)]

    async def end(number: int, seconds_ago: float) -> float:
        await site.database.execute(
            "UPDATE jobs SET state = 'CANCELLED', finish_time = now() - make_interval(secs => $2) WHERE job_id = $1",
            made[number].job_id,
            seconds_ago,
        )
        return (await counter.read()).queues[queue].finished_per_s * 60

    assert await end(0, 50) == pytest.approx(1)
    assert await end(1, 0) == pytest.approx(2)
    assert await end(2, 2) == pytest.approx(3)
    assert await end(3, 70) == pytest.approx(3)


async def test_one_reading_serves_everybody_who_watches(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty watchers and as many reads cost the database as many readings as one watcher."""
    readings: list[float] = []
    read = QueueCounter.read

    async def counted(counter: QueueCounter) -> Any:
        readings.append(asyncio.get_running_loop().time())
        return await read(counter)

    monkeypatch.setattr(QueueCounter, "read", counted)

    async def watch() -> list[queue_service_pb2.Stats]:
        call = site.stub.WatchStats(pb.WatchStatsRequest(), metadata=site.metadata)
        found = [await call.read() for _ in range(3)]
        call.cancel()
        return found

    many = await asyncio.gather(*(watch() for _ in range(20)))
    await asyncio.gather(*(site.call("GetStats", pb.GetStatsRequest()) for _ in range(20)))

    assert all(len(stats.queues) == 6 for found in many for stats in found)
    between_s = [later - earlier for earlier, later in pairwise(readings)]
    assert len(readings) < 20
    assert min(between_s) >= 0.7


async def test_a_watch_ends_with_the_service(site: Site, service_environment: dict[str, str]) -> None:
    """A stream that is open when the service stops is told to come back, and does not hold the stop up."""
    async with AsyncExitStack() as service:
        target = await service.enter_async_context(running_ingest(service_environment))
        async with grpc.aio.insecure_channel(target) as channel:
            stub: Any = QueueServiceStub(channel)
            call = stub.WatchStats(pb.WatchStatsRequest(interval=Duration(seconds=60)), metadata=site.metadata)
            await call.read()

            _, ended = await asyncio.gather(service.aclose(), failure(call.read()))

    assert (ended.code(), reason_of(ended)) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")


async def test_jobs_are_listed_newest_first_and_filtered(site: Site) -> None:
    """Conditions must all hold, and pages follow one another without a gap or a repeat."""
    made = [await site.queued(lane=Lane.BULK) for _ in range(3)]
    dead = await site.dead(stage=Stage.MOCKUP, tenant="other")

    async def ids(**conditions: Any) -> list[str]:
        return [job.id for job in (await site.call("ListJobs", pb.ListJobsRequest(**conditions))).jobs]

    newest_first = [str(one.job_id) for one in (dead, *made[::-1])]
    assert await ids() == newest_first
    assert await ids(tenant="other") == await ids(stage=2) == await ids(states=[5, 6]) == newest_first[:1]
    assert await ids(lane=3, tenant=site.tenant, states=[2]) == newest_first[1:]
    assert await ids(design_id=str(made[0].design_id)) == [str(made[0].job_id)]
    found, token = [], ""
    while True:
        page = await site.call("ListJobs", pb.ListJobsRequest(page_size=3, page_token=token))
        found += [job.id for job in page.jobs]
        if not (token := page.next_page_token):
            break
    assert found == newest_first


async def test_a_job_is_told_with_its_attempts(site: Site) -> None:
    """GetJob tells every attempt, oldest first; an id of no job is NOT_FOUND."""
    made = await site.dead()
    await site.database.execute(
        "INSERT INTO attempts (job_id, number, worker, finish_time, outcome, reason, message)"
        " VALUES ($1, 2, 'w-2', now(), 'REJECTED', 'NO_SUBJECT', 'Nothing.'), ($1, 1, 'w-1', NULL, NULL, NULL, NULL)",
        made.job_id,
    )

    job = await site.call("GetJob", pb.GetJobRequest(job_id=str(made.job_id)))

    assert (job.id, job.tenant, job.state, job.max_attempts) == (
        str(made.job_id), site.tenant, job_pb2.Job.STATE_DEAD, 5,
    )  # fmt: skip
    assert [(one.number, one.worker, one.outcome, one.reason) for one in job.attempts] == [
        (1, "w-1", job_pb2.Attempt.OUTCOME_UNSPECIFIED, ""),
        (2, "w-2", job_pb2.Attempt.OUTCOME_REJECTED, "NO_SUBJECT"),
    ]
    for unknown in (str(uuid4()), "nonsense", ""):
        missing = await failure(site.call("GetJob", pb.GetJobRequest(job_id=unknown)))
        assert (missing.code(), reason_of(missing)) == (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND")


async def test_a_pause_is_shown_kept_and_ended(site: Site) -> None:
    """A pause of one lane or a whole stage shows in the counts, outlives an applied topology, and is no drift."""
    until = in_future(hours=1)
    lane = await site.call("PauseQueue", pb.PauseQueueRequest(stage=1, lane=3, pause_until_time=until))
    await site.call("PauseQueue", pb.PauseQueueRequest(stage=2, pause_until_time=until))

    await apply_topology(site.broker.jetstream, site.topology)
    drift = await verify_topology(site.broker.jetstream, site.topology)

    assert lane.pause_until_time == until
    assert (drift.errors, drift.warnings) == ((), ())
    counts = await site.call("GetStats", pb.GetStatsRequest())
    paused = {(one.stage, one.lane) for one in counts.queues if one.HasField("pause_until_time")}
    assert paused == {(1, 3), (2, 1), (2, 2), (2, 3)}
    assert (await site.stats(Stage.IMAGING, Lane.BULK)).pause_until_time.seconds == until.seconds
    await site.call("ResumeQueue", pb.ResumeQueueRequest(stage=2))
    await site.call("ResumeQueue", pb.ResumeQueueRequest(stage=1, lane=3))
    consumers = await Consumers(site.broker, site.topology).read()
    assert [one.pause_until_time for one in consumers] == [None] * 6


async def test_what_lies_outside_its_limits_is_refused_by_name(site: Site) -> None:
    """Over the wire the field at fault is named, and nothing was done; an empty filter needs `all`."""
    made = await site.dead()
    for method, request, field in (
        ("ListJobs", pb.ListJobsRequest(tenant="Robert'); DROP TABLE jobs;--"), "tenant"),
        ("RedriveDeadLetters", pb.RedriveDeadLettersRequest(filter={}), "filter"),
        ("DiscardDeadLetters", pb.DiscardDeadLettersRequest(), "filter"),
        ("PauseQueue", pb.PauseQueueRequest(stage=1), "pause_until_time"),
    ):
        refused = await failure(site.call(method, request))
        assert (refused.code(), named_fields(refused)) == (INVALID_ARGUMENT, [field])
    watch = site.stub.WatchStats(pb.WatchStatsRequest(interval=Duration(seconds=61)), metadata=site.metadata)
    assert named_fields(await failure(watch.read())) == ["interval"]
    assert [letter.id for letter in await site.letters()] == [made.dead_letter_id]


async def test_a_token_of_another_list_or_nobody_is_refused(site: Site) -> None:
    """A token serves the list it was made for: other conditions, another list, a changed byte, any text are refused."""
    for _ in range(2):
        await site.dead()
    token = (await site.call("ListJobs", pb.ListJobsRequest(page_size=1))).next_page_token
    raw = bytearray(base64.urlsafe_b64decode(token + "=="))
    raw[-1] ^= 1
    tampered = base64.urlsafe_b64encode(raw).decode().rstrip("=")

    calls = [
        ("ListJobs", pb.ListJobsRequest(page_token=token, tenant=site.tenant)),
        ("ListDeadLetters", pb.ListDeadLettersRequest(page_token=token)),
        *(("ListJobs", pb.ListJobsRequest(page_token=text)) for text in (tampered, "x", "ä", token[:-4], "A" * 5000)),
    ]
    for method, request in calls:
        refused = await failure(site.call(method, request))
        assert (refused.code(), reason_of(refused)) == (INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")


async def test_every_call_needs_the_operators_scope(site: Site, postgres_dsn: str) -> None:
    """A key that may read and write designs may do nothing here."""
    key = await store_key(postgres_dsn, site.tenant)
    methods = [method.name for method in pb.DESCRIPTOR.services_by_name["QueueService"].methods]
    assert len(methods) == 9
    for method in methods:
        call = getattr(site.stub, method)(
            getattr(pb, f"{method}Request")(), metadata=(("authorization", f"Bearer {key}"),)
        )
        refused = await failure(call.read() if method == "WatchStats" else call)
        assert (refused.code(), reason_of(refused)) == (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")


async def test_without_the_broker_its_numbers_are_not_made_up(site: Site) -> None:
    """Counts and pauses say at once that NATS is away, as a list does of which the broker may hold a part."""
    made = await site.dead()
    lonely = Broker(NOBODY_LISTENS, name="test", on_fatal=lambda _: None)
    async with Lifecycle([lonely]):
        consumers = Consumers(lonely, site.topology)
        letters = DeadLetters(site.database, DeadStream(lonely, site.topology))
        calls: list[Awaitable[Any]] = [
            consumers.read(),
            QueueStats(site.database, consumers, drain=asyncio.Event()).read(),
            consumers.pause(Stage.IMAGING, Lane, datetime.now(UTC) + timedelta(hours=1)),
            consumers.resume(Stage.IMAGING, Lane),
            letters.page(DeadLetterFilter(), before=None, size=10),
        ]
        for call in calls:
            with pytest.raises(UnavailableError) as away:
                await call
            assert away.value.reason == "BUS_UNAVAILABLE"
        page = await letters.page(DeadLetterFilter(tenant=site.tenant), before=None, size=10)
        assert [str(one.dead_letter_id) for one in page.letters] == [made.dead_letter_id]
