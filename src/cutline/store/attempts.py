"""Attempts: claimed before the work, renewed while it runs, ended in one transaction.

Every write names the attempt it belongs to. One that finds another attempt, or a job that is not RUNNING any more,
is fenced out: it changes nothing and says so with None.

Rows are locked in one order everywhere: the design, then the job.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final
from uuid import UUID

import asyncpg

from cutline.domain.errors import Reason, UnavailableError
from cutline.domain.states import AttemptOutcome, JobState, Lane, Stage
from cutline.jobs.v1.ticket_pb2 import JobTicket
from cutline.messaging.topology import Topology
from cutline.store.commits import Committed
from cutline.store.dead_letters import bury
from cutline.store.group_commit import GroupCommit
from cutline.store.pool import Connection, Database

MAX_CRASHES: Final = 3
BACKOFF_BASE_S: Final = 1.0
BACKOFF_CAP_S: Final = 30.0

# Share of a design's progress at which a stage begins; the next one's is where it ends.
STAGE_BEGIN: Final = {Stage.IMAGING: 0.0, Stage.MOCKUP: 0.8}
_STAGE_SPAN: Final = {Stage.IMAGING: 0.8, Stage.MOCKUP: 0.2}

# A READY design is worked on where its dead mockup job was taken up again; its state stays as it is.
# Designs that somebody holds at this moment are passed over: the batch waits for nobody and cannot deadlock.
_CLAIM: Final = """
    WITH ticket AS (
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::integer[], $5::text[], $6::float8[])
            AS ticket (job_id, design_id, generation, publication, stage, progress)
    ), design AS MATERIALIZED (
        SELECT ticket.* FROM designs JOIN ticket USING (design_id, generation)
        WHERE designs.state IN ('QUEUED', 'PROCESSING') OR (designs.state = 'READY' AND ticket.stage = 'mockup')
        FOR UPDATE OF designs SKIP LOCKED
    ), job AS (
        UPDATE jobs
        SET state = 'RUNNING', attempt = attempt + 1, due_time = NULL,
            lease_time = clock_timestamp() + make_interval(secs => $8)
        FROM design
        WHERE jobs.job_id = design.job_id AND jobs.design_id = design.design_id AND jobs.state = 'QUEUED'
          AND jobs.publication = design.publication AND jobs.stage = design.stage
          AND NOT EXISTS (SELECT FROM attempts WHERE attempts.job_id = design.job_id AND finish_time IS NULL)
        RETURNING jobs.*, design.progress
    ), attempt AS (
        INSERT INTO attempts (job_id, number, worker) SELECT job_id, attempt, $7 FROM job
    ), run AS (
        UPDATE generations
        SET state = CASE WHEN generations.state = 'QUEUED' THEN 'PROCESSING' ELSE generations.state END
        FROM job WHERE generations.design_id = job.design_id AND generations.generation = job.generation
        RETURNING generations.design_id, generations.resolved_spec
    ), started AS (
        UPDATE designs
        SET state = CASE WHEN designs.state = 'QUEUED' THEN 'PROCESSING' ELSE designs.state END,
            stage = CASE WHEN designs.state = 'READY' THEN NULL ELSE job.stage END,
            progress = CASE WHEN designs.state = 'READY' THEN 1 ELSE job.progress END
        FROM job WHERE designs.design_id = job.design_id
        RETURNING designs.design_id, designs.revision, designs.state AS design_state, designs.artwork_key,
                  designs.media_type
    ), entry AS (
        INSERT INTO timeline (design_id, revision, generation, state, stage, attempt, worker, event)
        SELECT started.design_id, started.revision, job.generation, started.design_state, job.stage, job.attempt, $7,
               job.stage || '_started'
        FROM started JOIN job USING (design_id)
    )
    SELECT job.job_id, job.tenant, job.design_id, job.generation, job.stage, job.lane, job.attempt, job.failure_count,
           job.crash_count, job.max_attempts, started.revision, started.design_state, started.artwork_key,
           started.media_type, run.resolved_spec,
           (SELECT jsonb_object_agg(kind, object_key) FROM artifacts
            WHERE artifacts.design_id = job.design_id AND artifacts.generation = job.generation) AS artifact_keys
    FROM job JOIN started USING (design_id) JOIN run USING (design_id)
"""
_LOCK_DESIGN: Final = "SELECT generation FROM designs WHERE design_id = $1 FOR UPDATE"
_LOCK_JOB: Final = """
    SELECT *, coalesce(lease_time > clock_timestamp(), false) AS leased,
           coalesce(lease_time < pg_postmaster_start_time(), false) AS unrenewable
    FROM jobs WHERE job_id = $1 FOR UPDATE
"""
_END_OPEN_ATTEMPTS: Final = """
    UPDATE attempts
    SET outcome = 'CRASHED', reason = $2, message = $3, finish_time = clock_timestamp()
    WHERE job_id = $1 AND finish_time IS NULL
    RETURNING number, worker
"""
_EXCUSE_OPEN_ATTEMPTS: Final = """
    UPDATE attempts SET outcome = 'INTERRUPTED', finish_time = clock_timestamp()
    WHERE job_id = $1 AND finish_time IS NULL
    RETURNING number, worker
"""
_FORGO: Final = """
    UPDATE attempts SET outcome = 'INTERRUPTED', finish_time = clock_timestamp()
    WHERE job_id = $1 AND number = $2 AND worker = $3 AND finish_time IS NULL
    RETURNING number, worker
"""
_QUEUE_AGAIN: Final = """
    UPDATE jobs SET state = 'QUEUED', crash_count = crash_count + $2, lease_time = NULL
    WHERE job_id = $1
    RETURNING crash_count
"""
_RENEW: Final = """
    UPDATE jobs SET lease_time = clock_timestamp() + make_interval(secs => $3)
    WHERE job_id = $1 AND attempt = $2 AND state = 'RUNNING'
    RETURNING true
"""
_PROGRESS: Final = """
    UPDATE designs SET progress = $4
    WHERE design_id = $1 AND generation = $2 AND state = 'PROCESSING' AND progress < $4
      AND EXISTS (SELECT FROM jobs WHERE job_id = $3 AND attempt = $5 AND state = 'RUNNING')
    RETURNING revision, state
"""
_END_ATTEMPT: Final = """
    UPDATE attempts SET outcome = $3, reason = $4, message = $5, finish_time = clock_timestamp()
    WHERE job_id = $1 AND number = $2
"""
_WAIT: Final = """
    UPDATE jobs
    SET state = 'WAITING', publication = publication + 1, lease_time = NULL,
        due_time = clock_timestamp() + make_interval(secs => $2)
    WHERE job_id = $1
"""
_COUNT: Final = "UPDATE jobs SET failure_count = failure_count + $2, crash_count = crash_count + $3 WHERE job_id = $1"
_NOTE: Final = """
    WITH design AS (
        UPDATE designs SET progress = progress WHERE design_id = $1 AND generation = $2
        RETURNING design_id, revision, state, stage
    ), entry AS (
        INSERT INTO timeline (design_id, revision, generation, state, stage, attempt, worker, event)
        SELECT design_id, revision, $2, state, stage, $3, $4, $5 FROM design
    )
    SELECT revision, state FROM design
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """An attempt that is this worker's, and what the work needs to know.

    Attributes:
        attempt: Number of the attempt; with the job it is the fence of every later write.
        worker: Who made the claim.
        crash_count: Crashes of earlier attempts.
        revision: The design's revision after the claim.
        design_state: The design's state after the claim.
        artwork_key: Object key of the uploaded artwork.
        media_type: Media type the upload was declared with.
        resolved_spec: Stored JSON of the generation's resolved spec.
        artifact_keys: Object keys of the generation's artifacts by kind.
    """

    job_id: UUID
    tenant: str
    design_id: UUID
    generation: int
    stage: Stage
    lane: Lane
    attempt: int
    worker: str
    failure_count: int
    crash_count: int
    max_attempts: int
    revision: int
    design_state: str
    artwork_key: str
    media_type: str
    resolved_spec: dict[str, Any]
    artifact_keys: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An attempt that a ticket asks for."""

    job_id: UUID
    design_id: UUID
    generation: int
    publication: int
    stage: Stage


class Refusal(Enum):
    """Why a ticket gives no attempt."""

    NOT_WANTED = "not_wanted"
    """The job is over, gone or superseded, or a newer message speaks for it: this one can go."""
    RUNNING = "running"
    """Another attempt holds the job: this message is its own to settle."""


class Standing(Enum):
    """What a renewal finds."""

    HELD = "held"
    CANCELLED = "cancelled"
    LOST = "lost"


class Attempts:
    """The attempts of one worker.

    Args:
        database: Where they are kept.
        topology: Names the subjects of what is told.
        worker: This worker's name, as the timeline shows it.
        lease_s: How long an attempt counts as alive after a claim or renewal; the broker's ack_wait.
    """

    def __init__(self, database: Database, topology: Topology, *, worker: str, lease_s: float) -> None:
        self._database = database
        self._topology = topology
        self._worker = worker
        self._lease_s = lease_s
        self._claims = GroupCommit(self._claim)
        self._unsure: set[UUID] = set()  # jobs whose claim the database may have taken without being able to say so

    async def claim(self, ticket: JobTicket, stage: Stage) -> Claim | Refusal | Committed:
        """Starts an attempt for a ticket; claims that come together share one statement.

        Args:
            ticket: A readable one.
            stage: Stage this worker does.

        Returns:
            The claim; or why there is none; or, where this was the last crash that is borne, what its burial leaves.
        """
        wanted = _Wanted(UUID(ticket.job_id), UUID(ticket.design_id), ticket.generation, ticket.publication, stage)
        try:
            claim = await self._claims.submit(wanted) or await self._claim_alone(wanted)
        except UnavailableError:
            self._unsure.add(wanted.job_id)
            raise
        self._unsure.discard(wanted.job_id)
        return claim

    async def _claim_alone(self, wanted: _Wanted) -> Claim | Refusal | Committed:
        async def mend_and_claim(connection: Connection) -> Claim | Refusal | Committed:
            ended = await self._mend(connection, wanted)
            if ended is not None:
                return ended
            rows = await connection.fetch(_CLAIM, *self._claim_arguments([wanted]))
            return self._claim_of(rows[0]) if rows else Refusal.NOT_WANTED

        return await self._database.run_transaction(mend_and_claim)

    async def _claim(self, tickets: Sequence[_Wanted]) -> list[Claim | None]:
        """Claims what nothing stands in the way of; of two tickets of one job the first may have it."""
        rows = await self._database.fetch(_CLAIM, *self._claim_arguments(tickets))
        claims = {row["job_id"]: self._claim_of(row) for row in rows}
        return [claims.pop(ticket.job_id, None) for ticket in tickets]

    def _claim_arguments(self, tickets: Sequence[_Wanted]) -> tuple[object, ...]:
        unique = {ticket.job_id: ticket for ticket in reversed(tickets)}.values()
        return (
            [ticket.job_id for ticket in unique],
            [ticket.design_id for ticket in unique],
            [ticket.generation for ticket in unique],
            [ticket.publication for ticket in unique],
            [ticket.stage.value for ticket in unique],
            [STAGE_BEGIN[ticket.stage] for ticket in unique],
            self._worker,
            self._lease_s,
        )

    async def renew(self, claim: Claim) -> Standing:
        """Extends the lease."""
        if await self._database.fetchval(_RENEW, claim.job_id, claim.attempt, self._lease_s):
            return Standing.HELD
        state = await self.job_state(claim)
        return Standing.CANCELLED if state in {None, JobState.CANCELLED} else Standing.LOST

    async def tell_progress(self, claim: Claim, share: float) -> Committed | None:
        """Writes how much of the stage is done, 0 to 1; None where it is not news."""
        progress = min(STAGE_BEGIN[claim.stage] + share * _STAGE_SPAN[claim.stage], 1.0)
        row = await self._database.fetchrow(
            _PROGRESS, claim.design_id, claim.generation, claim.job_id, progress, claim.attempt
        )
        return None if row is None else Committed(claim.tenant, claim.design_id, row["revision"], row["state"])

    async def job_state(self, claim: Claim) -> JobState | None:
        """Where the job stands now; None where it is gone."""
        state = await self._database.fetchval("SELECT state FROM jobs WHERE job_id = $1", claim.job_id)
        return None if state is None else JobState(state)

    async def retry(self, claim: Claim, reason: str, message: str, *, after_s: float | None = None) -> Committed | None:
        """Ends the attempt as FAILED; the job waits for its next try, or is dead after its last one."""
        failures = claim.failure_count + 1
        if failures >= claim.max_attempts:
            return await self._end(claim, AttemptOutcome.FAILED, reason, message, self._bury)
        delay_s = backoff_s(failures) if after_s is None else after_s
        return await self._end(claim, AttemptOutcome.FAILED, reason, message, _wait(delay_s))

    async def crash(self, claim: Claim, reason: str, message: str) -> Committed | None:
        """Ends the attempt as CRASHED; the job waits for its next try, or is dead after its last crash."""
        crashes = claim.crash_count + 1
        after = self._bury if crashes >= MAX_CRASHES else _wait(backoff_s(crashes))
        return await self._end(claim, AttemptOutcome.CRASHED, reason, message, after)

    async def reject(self, claim: Claim, reason: str, message: str) -> Committed | None:
        """Ends the attempt as REJECTED and gives the job up."""
        return await self._end(claim, AttemptOutcome.REJECTED, reason, message, self._bury)

    async def snooze(self, claim: Claim, after_s: float) -> Committed | None:
        """Ends the attempt as SNOOZED; the job waits and nothing is counted."""
        return await self._end(claim, AttemptOutcome.SNOOZED, None, None, _wait(after_s))

    async def interrupt(self, claim: Claim) -> Committed | None:
        """Ends the attempt as INTERRUPTED; the same message may be claimed again at once."""
        return await self._end(claim, AttemptOutcome.INTERRUPTED, None, None, _queue_again)

    def _claim_of(self, row: asyncpg.Record) -> Claim:
        names = ("job_id", "tenant", "design_id", "generation", "attempt", "failure_count", "crash_count")
        more = ("max_attempts", "revision", "design_state", "artwork_key", "media_type", "resolved_spec")
        return Claim(
            **{name: row[name] for name in names + more},
            stage=Stage(row["stage"]),
            lane=Lane(row["lane"]),
            worker=self._worker,
            artifact_keys=row["artifact_keys"] or {},
        )

    async def _mend(self, connection: Connection, ticket: _Wanted) -> Refusal | Committed | None:
        """Looks at what the one statement did not match; None where the job can be claimed now.

        An attempt that never ended and whose lease ran out has crashed with its worker, unless it ran out while the
        database was away: then nobody could renew it, and nothing is counted.
        """
        newest = await connection.fetchval(_LOCK_DESIGN, ticket.design_id)
        job = await connection.fetchrow(_LOCK_JOB, ticket.job_id)
        if job is None or job["publication"] > ticket.publication or newest != job["generation"]:
            return Refusal.NOT_WANTED
        if job["state"] not in {JobState.QUEUED, JobState.RUNNING}:
            return Refusal.NOT_WANTED
        if job["leased"]:
            return None if await self._never_begun(connection, job) else Refusal.RUNNING
        if job["unrenewable"]:
            excused = await connection.fetch(_EXCUSE_OPEN_ATTEMPTS, job["job_id"])
            await _note_ends(connection, job, excused, AttemptOutcome.INTERRUPTED)
            await connection.execute(_QUEUE_AGAIN, job["job_id"], 0)
            return None
        message = "The worker died while it worked on this."
        died = await connection.fetch(_END_OPEN_ATTEMPTS, job["job_id"], Reason.WORKER_CRASHED, message)
        await _note_ends(connection, job, died, AttemptOutcome.CRASHED)
        crashes = await connection.fetchval(_QUEUE_AGAIN, job["job_id"], len(died))
        if not died or crashes < MAX_CRASHES:
            return None
        return await bury(
            connection, self._topology, job_id=job["job_id"], reason=Reason.WORKER_CRASHED, message=message,
            worker=self._worker,
        )  # fmt: skip

    async def _never_begun(self, connection: Connection, job: asyncpg.Record) -> bool:
        """Ends an attempt of this worker's own that it was not told of, so that it is not taken for a crash."""
        if job["job_id"] not in self._unsure:
            return False
        forgone = await connection.fetch(_FORGO, job["job_id"], job["attempt"], self._worker)
        if not forgone:
            return False
        await _note_ends(connection, job, forgone, AttemptOutcome.INTERRUPTED)
        await connection.execute(_QUEUE_AGAIN, job["job_id"], 0)
        return True

    async def _end(
        self, claim: Claim, outcome: AttemptOutcome, reason: str | None, message: str | None, after: _After
    ) -> Committed | None:
        async def work(connection: Connection) -> Committed | None:
            await connection.fetchval(_LOCK_DESIGN, claim.design_id)
            job = await connection.fetchrow(_LOCK_JOB, claim.job_id)
            if job is None or job["state"] != JobState.RUNNING or job["attempt"] != claim.attempt:
                return None
            await connection.execute(_END_ATTEMPT, claim.job_id, claim.attempt, outcome, reason, message)
            if counts := _COUNTS.get(outcome):
                await connection.execute(_COUNT, claim.job_id, *counts)
            committed = await after(connection, claim, reason or "", message or "")
            if committed is not None:
                return committed
            event = f"{claim.stage}_{outcome.lower()}"
            row = await connection.fetchrow(
                _NOTE, claim.design_id, claim.generation, claim.attempt, claim.worker, event
            )
            revision, state = (row["revision"], row["state"]) if row else (0, "")
            return Committed(claim.tenant, claim.design_id, revision, state)

        return await self._database.run_transaction(work)

    async def _bury(self, connection: Connection, claim: Claim, reason: str, message: str) -> Committed:
        return await bury(
            connection, self._topology, job_id=claim.job_id, reason=reason, message=message, worker=claim.worker
        )


_After = Callable[[Connection, Claim, str, str], Awaitable[Committed | None]]
"""What becomes of the job once its attempt has ended; None leaves the design to a line in its timeline."""

# What an outcome adds to the job's failures and crashes.
_COUNTS: Final = {
    AttemptOutcome.FAILED: (1, 0),
    AttemptOutcome.REJECTED: (1, 0),
    AttemptOutcome.CRASHED: (0, 1),
}


def _wait(delay_s: float) -> _After:
    async def wait(connection: Connection, claim: Claim, _reason: str, _message: str) -> None:
        await connection.execute(_WAIT, claim.job_id, delay_s)

    return wait


async def _queue_again(connection: Connection, claim: Claim, _reason: str, _message: str) -> None:
    await connection.execute(_QUEUE_AGAIN, claim.job_id, 0)


async def _note_ends(
    connection: Connection, job: asyncpg.Record, attempts: Sequence[asyncpg.Record], outcome: AttemptOutcome
) -> None:
    """Writes the lines of attempts that somebody else has to end; the claim or burial that follows rings for them."""
    event = f"{job['stage']}_{outcome.lower()}"
    for attempt in attempts:
        await connection.execute(
            _NOTE, job["design_id"], job["generation"], attempt["number"], attempt["worker"], event
        )


def backoff_s(tries: int) -> float:
    """A pause before the next try: exponential with full jitter, so that what failed together does not return so."""
    return random.uniform(0, min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2 ** (tries - 1)))  # noqa: S311  (jitter, no secret)
