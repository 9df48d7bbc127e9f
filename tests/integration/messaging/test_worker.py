"""What the pull worker makes of outcomes, crashes, deadlines and cancels."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cutline.domain.errors import ArtworkError, Reason, UnavailableError
from cutline.domain.outputs import BoxMm, CutoutMethod, Finding, FindingLevel, Geometry, PrintVerdict, SizeSource
from cutline.domain.states import Lane, Stage
from cutline.jobs.v1 import ticket_pb2
from cutline.messaging.outcomes import Done, Outcome, Reject, Retry, Snooze
from cutline.messaging.publisher import OutgoingMessage
from cutline.messaging.slot import SlotFunction
from cutline.messaging.tickets import cancel_ring
from cutline.messaging.work import Work
from cutline.runtime.environment import ListenAddress
from cutline.runtime.settings import ShellSettings
from cutline.store.results import ArtifactRow, ImagingResults
from cutline.telemetry.setup import Telemetry
from tests.integration.messaging.conftest import Floor, Job
from tests.support import slot_work
from tests.support.polling import until

RESULTS = ImagingResults(
    geometry=Geometry(
        cut_width_mm=60.0, cut_height_mm=40.0, art_width_mm=54.0, art_height_mm=34.0, effective_dpi=400.0,
        cut_length_mm=180.0, closing_radius_mm=3.0, pieces=1, holes=0, segments=12, size_source=SizeSource.EXPLICIT,
        canvas_box=BoxMm(1, 2, 58, 36), cut_box=BoxMm(0, 0, 60, 40), shape_min_radius_mm=0.5,
    ),
    findings=(
        Finding("RESOLUTION", FindingLevel.PASS, "Sharp enough.", value=400.0, limit=300.0, unit="dpi"),
        Finding("THIN_PARTS", FindingLevel.WARN, "A part is thin.", fix="Thicken it.", place=BoxMm(1, 1, 2, 2)),
    ),
    print_verdict=PrintVerdict.WARN,
    cutout_method=CutoutMethod.FLAT,
    cutout_confidence=0.9,
    artifacts=(ArtifactRow("CUTOUT_PNG", "image/png", 3, b"\1" * 32, "key/cutout.png"),),
)  # fmt: skip


class Stand:
    """A handler that runs a function in its slot and then commits, or does as it is told."""

    def __init__(self, floor: Floor, *, mockups_wanted: bool = False) -> None:
        self.floor = floor
        self.mockups_wanted = mockups_wanted
        self.function: SlotFunction = slot_work.echo
        self.arguments: tuple[Any, ...] = ("value",)
        self.outcome: Outcome | Exception | None = None
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.claims: list[tuple[Any, int]] = []

    async def __call__(self, work: Work) -> Outcome:
        """Works on a job."""
        self.claims.append((work.claim.job_id, work.claim.attempt))
        self.begun.set()
        await self.go_on.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if self.outcome is not None:
            return self.outcome
        await work.run(self.function, self.arguments)
        return self.done(work)

    def done(self, work: Work) -> Done:
        """The outcome that commits."""
        commit = partial(
            self.floor.results().imaging_done, work.claim, RESULTS, mockups_wanted=self.mockups_wanted, traceparent=""
        )
        return Done(commit)


async def test_done_writes_everything_and_hands_on(floor: Floor) -> None:
    """One commit holds results, mockup job and timeline; the next ticket is published and the message acked."""
    await floor.worker(Stand(floor, mockups_wanted=True))
    job = await floor.submit()

    await floor.until_state(job, "SUCCEEDED")

    design = await floor.design(job)
    assert (design["state"], design["stage"], design["result_generation"]) == ("PROCESSING", "mockup", 1)
    assert await floor.outcomes(job) == ["SUCCEEDED"]
    run = await floor.row("SELECT * FROM generations WHERE design_id = $1", job.design_id)
    assert (run["geometry"]["cut_box"]["width_mm"], run["print_verdict"], run["cutout_method"]) == (60, "WARN", "FLAT")
    findings = await floor.database.fetch("SELECT * FROM findings ORDER BY position")
    assert [(row["code"], row["value"], row["place"]) for row in findings] == [
        ("RESOLUTION", 400.0, None),
        ("THIN_PARTS", None, {"x_mm": 1, "y_mm": 1, "width_mm": 2, "height_mm": 2}),
    ]
    assert (await floor.row("SELECT kind, size_bytes FROM artifacts"))["kind"] == "CUTOUT_PNG"
    mockup = await floor.row("SELECT * FROM jobs WHERE stage = 'mockup'")
    assert (mockup["state"], mockup["lane"], mockup["publication"]) == ("QUEUED", "standard", 1)
    events = await floor.database.fetch("SELECT event FROM timeline ORDER BY revision")
    assert [row["event"] for row in events] == ["imaging_started", "imaging_done"]

    async def handed_on() -> bool:
        stream = await floor.broker.jetstream.stream_info(floor.topology.jobs_stream, subjects_filter=">")
        outbox = await floor.database.fetchval("SELECT count(*) FROM outbox")
        return list(stream.state.subjects or {}) == [f"jobs.mockup.standard.{job.tenant}"] and outbox == 0

    await until(handed_on)


async def test_without_mockups_imaging_makes_the_design_ready_and_rings(floor: Floor) -> None:
    """Where no mockup is wanted the imaging commit is the terminal one, and its doorbell lies on EVENTS."""
    await floor.worker(Stand(floor))
    job = await floor.submit()

    await floor.until_state(job, "SUCCEEDED")
    await floor.until_settled()

    design = await floor.design(job)
    assert (design["state"], design["progress"], design["stage"]) == ("READY", 1.0, None)
    assert await floor.database.fetchval("SELECT state FROM generations") == "READY"
    subject = floor.topology.design_subject(job.tenant, job.design_id)
    last = await floor.broker.jetstream.get_last_msg(floor.topology.events_stream, subject)
    ring = ticket_pb2.DesignRing.FromString(last.data or b"")
    assert (ring.state, ring.revision) == ("READY", design["revision"])


async def test_a_retry_waits_with_a_new_publication_and_runs_again(floor: Floor) -> None:
    """Retry ends the attempt as FAILED, counts it, sets a due time, raises publication, and acks the message."""
    stand = Stand(floor)
    stand.outcome = Retry(Reason.BLOBS_UNAVAILABLE, "The object store is away.", after_s=20)
    await floor.worker(stand)
    job = await floor.submit()

    await floor.until_state(job, "WAITING")
    await floor.until_settled()

    row = await floor.job(job)
    assert (row["publication"], row["failure_count"], row["crash_count"], row["lease_time"]) == (2, 1, 0, None)
    due_s = await floor.database.fetchval("SELECT extract(epoch FROM due_time - now()) FROM jobs")
    assert 0 < due_s <= 20
    assert (await floor.design(job))["state"] == "PROCESSING"

    stand.outcome = None
    await floor.release(job)
    await floor.until_state(job, "SUCCEEDED")
    assert await floor.outcomes(job) == ["FAILED", "SUCCEEDED"]


async def test_the_last_failure_makes_the_job_dead(floor: Floor) -> None:
    """After max_attempts failures the job is DEAD, the design FAILED with the last reason, and a dead letter tells."""
    stand = Stand(floor)
    stand.outcome = Retry(Reason.BLOBS_UNAVAILABLE, "The object store is away.", after_s=0)
    await floor.worker(stand)
    job = await floor.submit(max_attempts=2)
    await floor.until_state(job, "WAITING")
    await floor.release(job)

    await floor.until_state(job, "DEAD")
    await floor.until_settled()

    design = await floor.design(job)
    assert (design["state"], design["failure_reason"]) == ("FAILED", "BLOBS_UNAVAILABLE")
    assert await floor.outcomes(job) == ["FAILED", "FAILED"]
    letter = await floor.row("SELECT * FROM dead_letters")
    assert (letter["job_id"], letter["reason"], letter["attempt_count"]) == (job.job_id, "BLOBS_UNAVAILABLE", 2)


@pytest.mark.parametrize("way", ["outcome", "handler", "slot"])
async def test_a_rejected_job_fails_its_design_for_good_and_the_worker_goes_on(floor: Floor, way: str) -> None:
    """However artwork is refused: one attempt, a FAILED design with its reason and message, a dead letter, its copy."""
    stand = Stand(floor)
    if way == "outcome":
        stand.outcome = Reject(Reason.NO_SUBJECT, "There is nothing on it.")
    elif way == "handler":
        stand.outcome = ArtworkError(Reason.NO_SUBJECT, "There is nothing on it.")
    else:
        stand.function, stand.arguments = slot_work.reject, ()
    await floor.worker(stand)
    job = await floor.submit()

    await floor.until_state(job, "DEAD")
    await floor.until_settled()

    design = await floor.design(job)
    assert (design["state"], design["failure_reason"], design["failure_message"], design["failure_stage"]) == (
        "FAILED",
        "NO_SUBJECT",
        "There is nothing on it.",
        "imaging",
    )
    assert await floor.outcomes(job) == ["REJECTED"]
    assert (await floor.row("SELECT * FROM dead_letters"))["reason"] == "NO_SUBJECT"
    subject = floor.topology.dead_subject(Stage.IMAGING, job.tenant)
    copy = await floor.broker.jetstream.get_last_msg(floor.topology.dead_stream, subject)
    assert ticket_pb2.DeadLetterCopy.FromString(copy.data or b"").ticket.job_id == str(job.job_id)

    stand.outcome, stand.function, stand.arguments = None, slot_work.echo, ("value",)
    await floor.until_state(await floor.submit(), "SUCCEEDED")


async def test_a_bug_is_retried_under_a_general_message(floor: Floor) -> None:
    """An exception nobody foresaw counts as a failure with reason INTERNAL, and its text reaches no client."""
    stand = Stand(floor)
    stand.function, stand.arguments = slot_work.fail, ()
    await floor.worker(stand)
    job = await floor.submit(max_attempts=1)

    await floor.until_state(job, "DEAD")

    design = await floor.design(job)
    assert design["failure_reason"] == "INTERNAL"
    assert "inside of it" not in design["failure_message"]


async def test_snooze_counts_nothing(floor: Floor) -> None:
    """A snoozed attempt leaves the job waiting with no failure counted."""
    stand = Stand(floor)
    stand.outcome = Snooze(after_s=60)
    await floor.worker(stand)
    job = await floor.submit(max_attempts=1)

    await floor.until_state(job, "WAITING")

    row = await floor.job(job)
    assert (row["failure_count"], row["crash_count"], row["publication"]) == (0, 0, 2)
    assert await floor.outcomes(job) == ["SNOOZED"]


async def test_an_outage_of_a_store_is_no_failure_of_the_job(floor: Floor) -> None:
    """While the object store is away for every job its jobs wait uncounted; what it refuses of one job alone counts."""
    problem: str | None = "the object store does not answer"

    async def outage() -> str | None:
        return problem

    stand = Stand(floor)
    stand.outcome = UnavailableError(Reason.BLOBS_UNAVAILABLE, "The file store does not answer; try again.")
    await floor.worker(stand, outage=outage)
    job = await floor.submit(max_attempts=1)
    await floor.until_state(job, "WAITING")
    assert (await floor.job(job))["failure_count"] == 0

    problem = None
    await floor.release(job)
    await floor.until_state(job, "DEAD")

    assert await floor.outcomes(job) == ["SNOOZED", "FAILED"]
    assert (await floor.design(job))["failure_reason"] == "BLOBS_UNAVAILABLE"


async def test_time_spent_waiting_for_a_store_is_no_failure_of_the_job(floor: Floor) -> None:
    """Work that reaches the hard deadline because the object store hangs waits uncounted."""

    async def outage() -> str | None:
        return "the object store does not answer"

    stand = Stand(floor)
    stand.go_on.clear()
    await floor.worker(stand, deadline_s=0.5, outage=outage)
    job = await floor.submit(max_attempts=1)

    await floor.until_state(job, "WAITING")

    assert await floor.outcomes(job) == ["SNOOZED"]


async def test_a_crash_of_the_process_is_counted_and_tried_again(floor: Floor, tmp_path: Path) -> None:
    """A child that dies ends its attempt as CRASHED, apart from failures; the next attempt succeeds."""
    stand = Stand(floor)
    stand.function, stand.arguments = slot_work.die_once, (str(tmp_path / "died"),)
    await floor.worker(stand)
    job = await floor.submit(max_attempts=1)

    await floor.until_state(job, "WAITING")
    row = await floor.job(job)
    assert (row["failure_count"], row["crash_count"]) == (0, 1)

    await floor.release(job)
    await floor.until_state(job, "SUCCEEDED")
    assert await floor.outcomes(job) == ["CRASHED", "SUCCEEDED"]


async def test_the_third_crash_is_the_last(floor: Floor) -> None:
    """A job that kills its process three times is dead with WORKER_CRASHED, however many attempts it had left."""
    stand = Stand(floor)
    stand.function, stand.arguments = slot_work.die, ()
    await floor.worker(stand)
    job = await floor.submit(max_attempts=20)
    for _ in range(2):
        await floor.until_state(job, "WAITING")
        await floor.release(job)

    await floor.until_state(job, "DEAD")

    assert await floor.outcomes(job) == ["CRASHED"] * 3
    assert (await floor.design(job))["failure_reason"] == "WORKER_CRASHED"


async def test_work_that_hangs_is_killed_and_counts_like_a_crash(floor: Floor) -> None:
    """Work beyond the deadline is killed; the third time the job is dead with DEADLINE_HARD, whatever it had left."""
    stand = Stand(floor)
    stand.function, stand.arguments = slot_work.hang, ()
    await floor.worker(stand, deadline_s=0.5)
    job = await floor.submit(max_attempts=20)
    for crashes in (1, 2):
        await floor.until_state(job, "WAITING")
        row = await floor.job(job)
        assert (row["failure_count"], row["crash_count"]) == (0, crashes)
        await floor.release(job)

    await floor.until_state(job, "DEAD")

    assert await floor.outcomes(job) == ["CRASHED"] * 3
    assert (await floor.design(job))["failure_reason"] == "DEADLINE_HARD"


async def test_a_handler_that_waits_for_something_else_is_cut_off_when_its_job_is_cancelled(floor: Floor) -> None:
    """A cancel frees the slot of work that is not in the slot's process either, such as a download that hangs."""
    stand = Stand(floor)
    stand.go_on.clear()
    await floor.worker(stand, ack_wait_s=60)
    job = await floor.submit()
    await stand.begun.wait()

    await cancel(floor, job)
    ring = cancel_ring(design_id=job.design_id, generation=1)
    await floor.publisher.ring(floor.topology.cancel_subject(Stage.IMAGING), ring)

    await floor.until_settled()
    assert await floor.outcomes(job) == ["CANCELLED"]


async def test_a_cancelled_job_frees_its_slot_and_writes_nothing(floor: Floor) -> None:
    """A cancel doorbell stops the running work between two steps; the message goes, the next job runs."""
    stand = Stand(floor)
    stand.function, stand.arguments = slot_work.step_forever, ()
    await floor.worker(stand, ack_wait_s=60)  # a heartbeat would come too late to help
    job = await floor.submit()
    await stand.begun.wait()

    await cancel(floor, job)
    ring = cancel_ring(design_id=job.design_id, generation=1)
    await floor.publisher.ring(floor.topology.cancel_subject(Stage.IMAGING), ring)
    stand.function, stand.arguments = slot_work.echo, ("value",)
    await floor.until_state(await floor.submit(), "SUCCEEDED")

    await floor.until_settled()
    assert (await floor.job(job))["state"] == "CANCELLED"
    assert await floor.outcomes(job) == ["CANCELLED"]


async def test_a_lost_cancel_doorbell_is_found_out_by_the_heartbeat(floor: Floor) -> None:
    """Without any ring the next renewal sees that the job is cancelled."""
    stand = Stand(floor)
    stand.function, stand.arguments = slot_work.step_forever, ()
    await floor.worker(stand)
    job = await floor.submit()
    await stand.begun.wait()

    await cancel(floor, job)

    await floor.until_settled()


async def test_queued_work_that_was_cancelled_gets_no_attempt(floor: Floor) -> None:
    """A ticket of a cancelled job is acked and nothing runs."""
    stand = Stand(floor)
    job = await floor.accept()
    await cancel(floor, job)
    await floor.publish(job)
    await floor.worker(stand)

    await floor.until_settled()

    assert stand.claims == []
    assert await floor.outcomes(job) == []


async def test_a_stale_ticket_and_a_second_copy_start_nothing(floor: Floor) -> None:
    """A ticket of an older publication, or of a job that is done, is acked without an attempt."""
    stand = Stand(floor)
    await floor.worker(stand)
    job = await floor.accept()
    await floor.database.execute("UPDATE jobs SET publication = 2 WHERE job_id = $1", job.job_id)

    await floor.publish(job, publication=1)
    await floor.until_settled()
    assert stand.claims == []

    await floor.publish(job, publication=2)
    await floor.until_state(job, "SUCCEEDED")
    await floor.publish(job, publication=2, msg_id="a copy")
    await floor.until_settled()
    assert stand.claims == [(job.job_id, 1)]


async def test_a_message_that_names_no_job_is_set_aside(floor: Floor) -> None:
    """An unreadable message ends on the stream of dead letters, and the worker goes on."""
    await floor.worker(Stand(floor))
    subject = floor.topology.job_subject(Stage.IMAGING, Lane.EXPRESS, floor.tenant)
    await floor.publisher.publish([OutgoingMessage(subject, "garbage", b"\xff\xff\xff")], timeout_s=5)

    await floor.until_settled()

    dead = floor.topology.unreadable_subject(Stage.IMAGING)
    copy = await floor.broker.jetstream.get_last_msg(floor.topology.dead_stream, dead)
    assert ticket_pb2.DeadLetterCopy.FromString(copy.data or b"").reason == "MESSAGE_UNREADABLE"
    await floor.until_state(await floor.submit(), "SUCCEEDED")


async def test_progress_is_told_at_most_once_a_second(floor: Floor, tmp_path: Path) -> None:
    """A job of thousands of steps writes its progress and few revisions."""
    stand = Stand(floor)
    marker = tmp_path / "go"
    stand.function, stand.arguments = slot_work.hold_until, (str(marker),)
    await floor.worker(stand)
    job = await floor.submit()

    async def told() -> bool:
        return bool((await floor.design(job))["progress"] == 0.4)

    await until(told)
    marker.touch()
    await floor.until_state(job, "SUCCEEDED")

    revision = (await floor.design(job))["revision"]
    assert revision <= 6


async def test_steps_are_spans_under_the_trace_of_the_ticket(floor: Floor) -> None:
    """The consumer span continues the ticket's trace, the steps measured in the child lie below it."""
    spans = InMemorySpanExporter()
    settings = ShellSettings(http_listen=ListenAddress("127.0.0.1", 0), trace_sample_ratio=1.0)
    telemetry = Telemetry.of_service("imaging", settings, span_processors=(SimpleSpanProcessor(spans),))
    await floor.worker(Stand(floor), telemetry=telemetry)
    job = await floor.accept()
    trace_id, parent_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

    await floor.publish(job, traceparent=f"00-{trace_id}-{parent_id}-01")

    async def ended() -> bool:
        return any(span.name.startswith("process") for span in spans.get_finished_spans())

    await until(ended)
    found = {span.name: span for span in spans.get_finished_spans()}
    consumer = found["process jobs.imaging.standard"]
    assert consumer.parent is not None
    assert consumer.parent.span_id == int(parent_id, 16)
    for name in ("step first", "step second"):
        step = found[name]
        assert step.context is not None
        assert step.parent is not None
        assert step.context.trace_id == int(trace_id, 16)
        assert consumer.context is not None
        assert step.parent.span_id == consumer.context.span_id


async def test_a_database_that_fails_once_loses_nothing(floor: Floor) -> None:
    """A commit that cannot reach the database is repeated, not the work."""
    stand = Stand(floor)
    done, failures = stand.done, [UnavailableError(Reason.STORE_UNAVAILABLE, "away")] * 2

    def flaky(work: Work) -> Done:
        outcome = done(work)

        async def commit() -> Any:
            if failures:
                raise failures.pop()
            return await outcome.commit()

        return Done(commit)

    stand.done = flaky  # type: ignore[method-assign]  # the test stands between
    await floor.worker(stand)
    job = await floor.submit()

    await floor.until_state(job, "SUCCEEDED")
    assert await floor.outcomes(job) == ["SUCCEEDED"]


async def cancel(floor: Floor, job: Job) -> None:
    """What CancelDesign writes."""
    async with floor.database.transaction() as connection:
        await connection.execute("SELECT FROM designs WHERE design_id = $1 FOR UPDATE", job.design_id)
        await connection.execute("UPDATE generations SET state = 'CANCELLED' WHERE design_id = $1", job.design_id)
        await connection.execute("UPDATE jobs SET state = 'CANCELLED' WHERE job_id = $1", job.job_id)
        await connection.execute(
            "UPDATE attempts SET outcome = 'CANCELLED', finish_time = now() WHERE job_id = $1 AND finish_time IS NULL",
            job.job_id,
        )
        await connection.execute("UPDATE designs SET state = 'CANCELLED' WHERE design_id = $1", job.design_id)
