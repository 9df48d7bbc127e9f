"""Attempts that are claimed and finished together keep their fences one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

import asyncpg
import pytest

from cutline.domain.errors import Reason, UnavailableError
from cutline.domain.states import Stage
from cutline.jobs.v1.ticket_pb2 import JobTicket
from cutline.store.attempts import Attempts, Claim, Refusal
from cutline.store.dead_letters import MOCKUPS_UNAVAILABLE
from cutline.store.pool import Database
from cutline.store.queue_redrive import judge, lock_candidates, take_up
from cutline.store.results import MockupRow
from tests.integration.messaging.conftest import Floor, Job
from tests.integration.messaging.test_worker import RESULTS

_T = TypeVar("_T")


def _attempts(floor: Floor) -> Attempts:
    return Attempts(floor.database, floor.topology, worker="worker", lease_s=30.0)


def _ticket(job: Job | asyncpg.Record, floor: Floor) -> JobTicket:
    job_id, design_id = (job.job_id, job.design_id) if isinstance(job, Job) else (job["job_id"], job["design_id"])
    publication = 1 if isinstance(job, Job) else job["publication"]
    return JobTicket(
        job_id=str(job_id), design_id=str(design_id), tenant=floor.tenant, generation=1, publication=publication
    )


async def test_claims_that_come_together_are_attempts_of_their_own(floor: Floor) -> None:
    """Of one batch each job has its attempt; a second copy of a ticket gets none; a stale one and a lost one go."""
    jobs = [await floor.accept() for _ in range(5)]
    stale = await floor.accept()
    await floor.database.execute("UPDATE jobs SET publication = 2 WHERE job_id = $1", stale.job_id)
    attempts = _attempts(floor)
    tickets = [_ticket(job, floor) for job in [*jobs, jobs[0], stale]]

    claims = await asyncio.gather(*(attempts.claim(ticket, Stage.IMAGING) for ticket in tickets))

    claimed = [claim for claim in claims if isinstance(claim, Claim)]
    assert [claim.job_id for claim in claimed] == [job.job_id for job in jobs]
    assert {claim.attempt for claim in claimed} == {1}
    assert claims[5:] == [Refusal.RUNNING, Refusal.NOT_WANTED]
    assert await floor.database.fetchval("SELECT count(*) FROM attempts") == 5


async def test_a_design_that_somebody_holds_delays_no_other(floor: Floor) -> None:
    """Claims and commits of other designs pass one whose row is locked; it follows once the lock is gone."""
    held, free = await floor.accept(), await floor.accept()
    attempts, results = _attempts(floor), floor.results()

    claims = await _beside_a_lock(
        floor, held, *(attempts.claim(_ticket(job, floor), Stage.IMAGING) for job in (held, free))
    )
    runs = [claim for claim in claims if isinstance(claim, Claim)]
    committed = await _beside_a_lock(
        floor, held, *(results.imaging_done(run, RESULTS, mockups_wanted=False, traceparent="") for run in runs)
    )

    assert [one is not None and one.state for one in committed] == ["READY", "READY"]
    assert await floor.outcomes(held) == await floor.outcomes(free) == ["SUCCEEDED"]


async def _beside_a_lock(
    floor: Floor, held: Job, about_held: Coroutine[None, None, _T], about_free: Coroutine[None, None, _T]
) -> list[_T]:
    """Runs two calls together while the design of one is locked: the other must end before the lock goes."""
    async with floor.database.transaction() as connection:
        await connection.execute("SELECT FROM designs WHERE design_id = $1 FOR UPDATE", held.design_id)
        waiting, passing = asyncio.create_task(about_held), asyncio.create_task(about_free)
        answer = await passing
        assert not waiting.done()
    return [await waiting, answer]


async def test_a_claim_whose_answer_was_lost_is_no_crash(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the connection broke after the claim was taken, asking again gives an attempt, and none is counted."""
    job = await floor.accept()
    attempts, fetch = _attempts(floor), Database.fetch

    async def fetch_and_lose(database: Database, query: str, *args: object) -> list[asyncpg.Record]:
        monkeypatch.undo()
        await fetch(database, query, *args)
        raise UnavailableError(Reason.STORE_UNAVAILABLE, "lost on the way")

    monkeypatch.setattr(Database, "fetch", fetch_and_lose)
    with pytest.raises(UnavailableError):
        await attempts.claim(_ticket(job, floor), Stage.IMAGING)

    assert await _attempts(floor).claim(_ticket(job, floor), Stage.IMAGING) is Refusal.RUNNING
    claim = await attempts.claim(_ticket(job, floor), Stage.IMAGING)

    assert isinstance(claim, Claim)
    assert (claim.attempt, claim.crash_count, claim.failure_count) == (2, 0, 0)
    assert await floor.outcomes(job) == ["INTERRUPTED", None]


async def test_of_runs_that_end_together_only_the_fenced_out_writes_nothing(floor: Floor) -> None:
    """In one batch a run that was superseded is told so, even beside the newer attempt of the same job."""
    jobs = [await floor.accept() for _ in range(3)]
    attempts = _attempts(floor)
    olds = [await attempts.claim(_ticket(job, floor), Stage.IMAGING) for job in jobs]
    await floor.database.execute("UPDATE jobs SET lease_time = now() WHERE job_id = $1", jobs[0].job_id)
    new = await attempts.claim(_ticket(jobs[0], floor), Stage.IMAGING)
    results = floor.results()
    runs = [claim for claim in [*olds, new] if isinstance(claim, Claim)]

    committed = await asyncio.gather(
        *(results.imaging_done(run, RESULTS, mockups_wanted=True, traceparent="") for run in runs)
    )

    assert [one is None for one in committed] == [True, False, False, False]
    assert await floor.database.fetchval("SELECT count(*) FROM artifacts") == 3
    assert await floor.database.fetchval("SELECT count(*) FROM jobs WHERE stage = 'mockup'") == 3
    assert await floor.database.fetchval("SELECT count(*) FROM outbox") == 3
    assert await floor.outcomes(jobs[0]) == ["CRASHED", "SUCCEEDED"]


async def test_a_redriven_mockup_job_adds_what_was_missing(floor: Floor) -> None:
    """A dead mockup job leaves READY with a finding; taken up again it adds mockups, a revision and a doorbell."""
    job = await floor.accept()
    attempts, results = _attempts(floor), floor.results()
    claim = await attempts.claim(_ticket(job, floor), Stage.IMAGING)
    assert isinstance(claim, Claim)
    await results.imaging_done(claim, RESULTS, mockups_wanted=True, traceparent="")
    mockup = await floor.row("SELECT * FROM jobs WHERE stage = 'mockup'")
    doomed = await attempts.claim(_ticket(mockup, floor), Stage.MOCKUP)
    assert isinstance(doomed, Claim)
    await attempts.reject(doomed, Reason.INTERNAL, "The renderer is broken.")
    dead = await floor.design(job)
    assert (dead["state"], await _findings(floor)) == ("READY", [MOCKUPS_UNAVAILABLE])

    async with floor.database.transaction() as connection:
        letter = await connection.fetchval("SELECT dead_letter_id FROM dead_letters")
        candidates = await lock_candidates(connection, [letter])
        assert judge(candidates) == [None]
        await take_up(connection, candidates, [False])
    again = await attempts.claim(
        _ticket(await floor.row("SELECT * FROM jobs WHERE stage = 'mockup'"), floor), Stage.MOCKUP
    )
    assert isinstance(again, Claim)
    assert (await floor.design(job))["state"] == "READY"
    row = MockupRow("laptop", "image/png", 3, b"\1" * 32, 100, 80, "key/laptop.png")
    told = await results.mockup_done(again, [row], finding=None, traceparent="")

    design = await floor.design(job)
    assert told is not None
    assert (told.state, told.revision, len(told.outbox)) == ("READY", design["revision"], 1)
    assert design["revision"] > dead["revision"]
    assert await _findings(floor) == []
    assert [scene["scene"] for scene in await floor.database.fetch("SELECT scene FROM mockups")] == ["laptop"]


async def _findings(floor: Floor) -> list[str]:
    rows = await floor.database.fetch("SELECT code FROM findings WHERE code = $1", MOCKUPS_UNAVAILABLE)
    return [row["code"] for row in rows]
