"""Dead letters: listed, run again, dropped; with every server real."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest

from cutline.domain.errors import Reason, UnavailableError
from cutline.domain.states import Lane, Stage
from cutline.store.ids import new_id
from cutline.store.queue_actions import QueueCall
from cutline.store.queue_reads import DeadLetterFilter
from cutline.store.queue_redrive import TakenUp, take_up
from cutline.v1 import queue_service_pb2 as pb
from services.ingest import queue_redrive
from services.ingest.dispatch import Dispatch
from services.ingest.queue_discard import Discard
from services.ingest.queue_redrive import BATCH, Redrive
from services.ingest.settings import BacklogLimits
from tests.integration.ingest.parts import Bench
from tests.integration.ingest.queue_site import Made, Site
from tests.integration.ingest.service import reason_of
from tests.support.polling import until

NOT_FOUND = grpc.StatusCode.NOT_FOUND
FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


async def refused(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    """Code and reason of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    return failure.value.code(), reason_of(failure.value)


async def test_dead_letters_are_listed_newest_first_with_counts_by_reason(site: Site) -> None:
    """A page tells everything of a dead letter, and how many match by reason, whatever the page holds."""
    first = await site.dead(reason="NO_SUBJECT")
    second = await site.dead(reason="WORKER_CRASHED", stage=Stage.MOCKUP, lane=Lane.BULK, tenant="other")

    page = await site.call("ListDeadLetters", pb.ListDeadLettersRequest(page_size=1))

    (letter,) = page.dead_letters
    assert (letter.id, letter.job_id, letter.design_id) == (
        second.dead_letter_id, str(second.job_id), str(second.design_id),
    )  # fmt: skip
    assert (letter.tenant, letter.generation, letter.reason, letter.attempt_count) == ("other", 1, "WORKER_CRASHED", 0)
    assert letter.trace_id == "0123456789abcdef0123456789abcdef"
    assert dict(page.count_by_reason) == {"NO_SUBJECT": 1, "WORKER_CRASHED": 1}
    request = pb.ListDeadLettersRequest(page_size=1, page_token=page.next_page_token)
    last = await site.call("ListDeadLetters", request)
    assert ([one.id for one in last.dead_letters], last.next_page_token) == ([first.dead_letter_id], "")


async def test_conditions_of_dead_letters_must_all_hold(site: Site) -> None:
    """Each condition lets through what it says, alone and together."""
    one = await site.dead(reason="NO_SUBJECT")
    other = await site.dead(reason="NO_SUBJECT", tenant="other", stage=Stage.MOCKUP)
    soon = datetime.now(UTC) + timedelta(minutes=1)

    assert [letter.id for letter in await site.letters(tenant="other")] == [other.dead_letter_id]
    assert [letter.id for letter in await site.letters(stage=1)] == [one.dead_letter_id]
    assert [letter.id for letter in await site.letters(dead_letter_id=one.dead_letter_id)] == [one.dead_letter_id]
    assert len(await site.letters(reason="NO_SUBJECT", create_time_before=soon)) == 2
    assert await site.letters(create_time_before=soon - timedelta(hours=1)) == []
    assert await site.letters(reason="NO_SUBJECT", tenant="other", stage=1) == []


async def test_a_message_without_a_job_is_listed_and_can_only_be_discarded(site: Site) -> None:
    """It lives on the stream alone: it has no tenant, a redrive refuses it by name, a discard removes it there."""
    await site.dead()
    aside = await site.put_aside(Stage.MOCKUP)

    newest, _ = await site.letters()

    assert (newest.id, newest.tenant, newest.job_id, newest.reason) == (aside, "", "", "MESSAGE_UNREADABLE")
    assert [letter.id for letter in await site.letters(reason="MESSAGE_UNREADABLE", stage=2)] == [aside]
    assert await site.letters(tenant=site.tenant, reason="MESSAGE_UNREADABLE") == []
    assert await refused(site.redrive(dead_letter_id=aside)) == (FAILED_PRECONDITION, "MESSAGE_UNREADABLE")
    assert await site.redrive(reason="MESSAGE_UNREADABLE") == pb.RedriveDeadLettersResponse()
    assert await site.discard(dead_letter_id=aside) == 1
    assert await site.stream.unreadable() == []
    assert await refused(site.discard(dead_letter_id=aside)) == (NOT_FOUND, "DEAD_LETTER_NOT_FOUND")


async def test_many_messages_without_a_job_are_all_found(site: Site) -> None:
    """More than one batch of the stream is read, and a page goes on where the last one ended."""
    ids = [await site.put_aside() for _ in range(300)]

    first = await site.call("ListDeadLetters", pb.ListDeadLettersRequest(page_size=200))
    rest = await site.call(
        "ListDeadLetters", pb.ListDeadLettersRequest(page_size=200, page_token=first.next_page_token)
    )

    assert [letter.id for letter in (*first.dead_letters, *rest.dead_letters)] == ids[::-1]
    assert dict(first.count_by_reason) == {"MESSAGE_UNREADABLE": 300}
    assert await site.discard(all=True) == 300


async def test_a_redrive_takes_job_and_design_up_again(site: Site) -> None:
    """States, counts, publication, dead letter, timeline and ticket change together, and the ticket goes out."""
    made = await site.dead()
    await site.database.execute("UPDATE jobs SET failure_count = 5, crash_count = 2, attempt = 7")

    answer = await site.redrive(dead_letter_id=made.dead_letter_id)

    assert (answer.redriven_count, answer.skipped_count) == (1, 0)
    job, design = await site.job(made), await site.design(made)
    assert (job["state"], job["publication"], job["attempt"]) == ("QUEUED", 2, 7)
    assert (job["failure_count"], job["crash_count"], job["finish_time"]) == (0, 0, None)
    assert (design["state"], design["failure_reason"], design["finish_time"]) == ("QUEUED", None, None)
    letter = await site.row("SELECT * FROM dead_letters")
    assert (letter["resolution"], letter["resolve_time"] is None) == ("REDRIVEN", False)
    event = await site.row("SELECT * FROM timeline ORDER BY revision DESC LIMIT 1")
    assert (event["event"], event["state"], event["revision"]) == ("redriven", "QUEUED", design["revision"])
    assert [(ticket.job_id, ticket.publication) for ticket in await site.tickets()] == [(str(made.job_id), 2)]
    action = await site.row("SELECT * FROM queue_actions")
    assert (action["method"], action["done_count"], action["conditions"]) == (
        "RedriveDeadLetters", 1, {"dead_letter_id": made.dead_letter_id},
    )  # fmt: skip


async def test_a_dead_mockup_job_is_redriven_under_its_ready_design(site: Site) -> None:
    """The design stays READY with its finding until the mockups are there; the job is queued and told of."""
    made = await site.dead(stage=Stage.MOCKUP)
    before = await site.design(made)

    await site.redrive(stage=2)

    job, design = await site.job(made), await site.design(made)
    assert (job["state"], design["state"], design["finish_time"]) == ("QUEUED", "READY", before["finish_time"])
    assert design["revision"] == before["revision"] + 1
    assert [ticket.publication for ticket in await site.tickets()] == [2]


async def test_what_a_newer_run_has_overtaken_is_left_alone(site: Site) -> None:
    """One that was named is refused with the reason; among many it is counted as skipped and stays open."""
    superseded, joined = await site.dead(), await site.dead(work="same")
    await site.database.execute(
        "INSERT INTO generations (design_id, generation, dedup_key, spec, resolved_spec)"
        " SELECT design_id, 2, sha256('new'), spec, resolved_spec FROM generations WHERE design_id = $1",
        superseded.design_id,
    )
    await site.database.execute(
        "UPDATE designs SET generation = 2, state = 'QUEUED' WHERE design_id = $1", superseded.design_id
    )
    await site.queued(work="same")
    free = await site.dead()

    assert await refused(site.redrive(dead_letter_id=superseded.dead_letter_id)) == (FAILED_PRECONDITION, "SUPERSEDED")
    assert await refused(site.redrive(dead_letter_id=joined.dead_letter_id)) == (FAILED_PRECONDITION, "ALREADY_RUNNING")
    answer = await site.redrive(all=True)

    assert (answer.redriven_count, answer.skipped_count) == (1, 2)
    assert {letter.id for letter in await site.letters()} == {superseded.dead_letter_id, joined.dead_letter_id}
    assert await refused(site.redrive(dead_letter_id=free.dead_letter_id)) == (FAILED_PRECONDITION, "ALREADY_RUNNING")
    assert await refused(site.redrive(dead_letter_id=str(new_id()))) == (NOT_FOUND, "DEAD_LETTER_NOT_FOUND")


async def test_of_equal_dead_work_one_runs(site: Site) -> None:
    """Two dead designs of the same work cannot both be unfinished: one is taken up, the other is skipped."""
    await site.dead(work="same")
    await site.dead(work="same")

    answer = await site.redrive(all=True)

    assert (answer.redriven_count, answer.skipped_count) == (1, 1)


async def test_equal_work_that_begins_during_a_redrive_is_seen(
    site: Site, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A submit of the same work between look and change makes the redrive look again and leave the job alone."""
    made = await site.dead(work="same")
    began: list[Made] = []

    async def take_up_late(connection: Any, candidates: Any, waits: Any) -> list[TakenUp]:
        if not began:
            began.append(await site.queued(work="same"))
        return await take_up(connection, candidates, waits)

    monkeypatch.setattr(queue_redrive, "take_up", take_up_late)
    dispatch = Dispatch(site.database, bench.publisher, site.topology)
    redrive = Redrive(database=site.database, stream=site.stream, dispatch=dispatch, backlog=bench.backlog)

    state = await redrive.run(_call(site.tenant), DeadLetterFilter())

    assert (state.done, state.skipped, len(began)) == (0, 1, 1)
    assert (await site.job(made))["state"] == "DEAD"


async def test_a_repeated_redrive_is_told_the_first_answer(site: Site) -> None:
    """The same request id does nothing anew, also beside itself; another body under it is refused."""
    for _ in range(3):
        await site.dead()
    request_id = str(uuid4())

    answers = await asyncio.gather(*(site.redrive(all=True, request_id=request_id) for _ in range(8)))
    await site.dead()
    answers.append(await site.redrive(all=True, request_id=request_id))

    assert [answer.redriven_count for answer in answers] == [3] * 9
    assert len(await site.letters()) == 1
    assert await refused(site.redrive(tenant="other", request_id=request_id)) == (
        grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED",
    )  # fmt: skip
    assert await refused(site.discard(all=True, request_id=request_id)) == (
        grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED",
    )  # fmt: skip


async def test_a_discard_closes_dead_letters_and_removes_their_copies(site: Site) -> None:
    """Rows are closed and the broker's copies go; jobs stay dead, designs FAILED, and the others' copies stay."""
    kept = await site.dead(reason="WORKER_CRASHED")
    made = [await site.dead(), await site.dead(stage=Stage.MOCKUP, tenant="other")]

    async def copied() -> bool:
        return await site.copies() == 3

    await until(copied)

    assert await site.discard(reason="NO_SUBJECT") == 2

    assert await site.copies() == 1
    assert [letter.id for letter in await site.letters()] == [kept.dead_letter_id]
    assert (await site.job(made[0]))["state"] == "DEAD"
    assert (await site.design(made[0]))["state"] == "FAILED"
    assert await refused(site.redrive(dead_letter_id=made[0].dead_letter_id)) == (NOT_FOUND, "DEAD_LETTER_NOT_FOUND")


async def test_a_discard_keeps_a_copy_from_being_published(site: Site) -> None:
    """A copy that still waits in the outbox goes with its dead letter."""
    made = await site.dead()
    await site.discard(dead_letter_id=made.dead_letter_id)

    assert (await site.row("SELECT count(*) AS number FROM outbox WHERE msg_id LIKE 'dead:%'"))["number"] == 0


def _call(site_tenant: str, method: str = "RedriveDeadLetters") -> QueueCall:
    return QueueCall(site_tenant, "key", uuid4(), method, b"\0" * 32, {})


async def test_a_redrive_in_many_batches_goes_on_where_it_was_cut_off(site: Site, bench: Bench) -> None:
    """Each batch is whole: what a cut off call has done is counted once, and its repeat does the rest."""
    for _ in range(7):
        await site.dead()
    sent: list[int] = []

    class Cut(Dispatch):
        """Goes away after the second batch."""

        async def send(self, rows: Any, *, timeout_s: float = 0.0) -> None:  # noqa: ARG002  (as Dispatch has it)
            sent.append(len(rows))
            if len(sent) == 2:
                raise UnavailableError(Reason.SHUTTING_DOWN, "cut off")

    dispatch = Cut(site.database, bench.publisher, site.topology)
    redrive = Redrive(database=site.database, stream=site.stream, dispatch=dispatch, backlog=bench.backlog, batch=2)
    call = _call(site.tenant)
    with pytest.raises(UnavailableError):
        await redrive.run(call, DeadLetterFilter())
    assert len(await site.letters()) == 3
    newer = await site.dead()

    state = await redrive.run(call, DeadLetterFilter())

    assert (state.done, state.skipped, sent) == (7, 0, [2, 2, 2, 1])
    assert [letter.id for letter in await site.letters()] == [newer.dead_letter_id]


async def test_a_discard_in_many_batches_drops_all(site: Site) -> None:
    """Batches follow one another until nothing is left, rows and messages without a job alike."""
    for _ in range(5):
        await site.dead()
    await site.put_aside()

    state = await Discard(site.database, site.stream, batch=2).run(
        _call(site.tenant, "DiscardDeadLetters"), DeadLetterFilter()
    )

    assert state.done == 6
    assert await site.letters() == []


async def test_redriven_jobs_beyond_the_window_wait_for_their_turn(site: Site) -> None:
    """A tenant's redrive does not fill the queue before everybody else's jobs: the rest is released as others start."""
    for _ in range(600):
        await site.dead(reason="WORKER_CRASHED")

    answer = await site.redrive(reason="WORKER_CRASHED")

    assert answer.redriven_count == 600
    states = await site.row(
        "SELECT count(*) FILTER (WHERE state = 'QUEUED') AS queued,"
        " count(*) FILTER (WHERE state = 'WAITING') AS waiting FROM jobs"
    )
    # The count of each second may fall between a batch and its commit, and forget that one until the next.
    assert states["queued"] <= BacklogLimits().release_window + BATCH
    assert states["queued"] + states["waiting"] == 600
