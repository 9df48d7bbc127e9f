"""Takes dead jobs up again, and drops dead letters. Runs in the caller's transaction, in bounded batches.

Rows are locked in the order of the house: designs, then generations, then jobs; each kind in the order of its ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final
from uuid import UUID

import asyncpg

from cutline.domain.errors import Reason
from cutline.domain.states import DesignState, JobState, Lane, Stage
from cutline.store.pool import Connection
from cutline.store.queue_reads import DeadLetterFilter, matching_letters
from cutline.store.release import ReleasedJob, released_job


@dataclass(frozen=True, slots=True)
class Candidate:
    """An open dead letter with what it depends on, all of it locked.

    Attributes:
        job_state: None where the job is no longer kept.
        newest_generation: The design's newest one.
        dedup_key: Equal for designs whose unfinished work is joined.
        equal_work_running: Whether another design does the same work at present.
    """

    dead_letter_id: UUID
    job_id: UUID
    design_id: UUID
    generation: int
    tenant: str
    stage: Stage
    lane: Lane
    job_state: JobState | None
    design_state: DesignState | None
    newest_generation: int
    dedup_key: bytes
    equal_work_running: bool


class Overtaken(Enum):
    """Why a dead job is left alone."""

    ALREADY_RUNNING = Reason.ALREADY_RUNNING
    """The job is not dead any more, or another design does the same work."""
    SUPERSEDED = Reason.SUPERSEDED
    """A newer generation of the design has taken over, or the design is gone."""


@dataclass(frozen=True, slots=True)
class DroppedLetter:
    """A dead letter that was discarded."""

    dead_letter_id: UUID
    tenant: str
    stage: Stage
    create_time: datetime


@dataclass(frozen=True, slots=True)
class TakenUp:
    """A job that was taken up again: what to publish, unless it waits for its turn, and what to ring.

    Attributes:
        waits: Whether the job was stored WAITING, to be published by the release loop.
        revision: The design's revision after it.
        design_state: The design's state after it.
    """

    job: ReleasedJob
    waits: bool
    revision: int
    design_state: DesignState


_LOCK_DESIGNS: Final = "SELECT 1 FROM designs WHERE design_id = ANY ($1::uuid[]) ORDER BY design_id FOR UPDATE"
_LOCK_JOBS: Final = "SELECT 1 FROM jobs WHERE job_id = ANY ($1::uuid[]) ORDER BY job_id FOR UPDATE"
_READ: Final = """
SELECT l.dead_letter_id, l.job_id, l.design_id, l.generation, l.tenant, l.stage, l.lane, j.state AS job_state,
       d.state AS design_state, coalesce(d.generation, 0) AS newest_generation, coalesce(g.dedup_key, '') AS dedup_key,
       EXISTS (
           SELECT FROM generations o
           WHERE o.dedup_key = g.dedup_key AND o.state IN ('QUEUED', 'PROCESSING') AND o.design_id <> l.design_id
       ) AS equal_work_running
FROM dead_letters l
LEFT JOIN jobs j ON j.job_id = l.job_id
LEFT JOIN designs d ON d.design_id = l.design_id
LEFT JOIN generations g ON g.design_id = l.design_id AND g.generation = l.generation
WHERE l.dead_letter_id = ANY ($1::uuid[]) AND l.resolution IS NULL
ORDER BY l.dead_letter_id
FOR UPDATE OF l
"""
_REOPEN_GENERATIONS: Final = """
UPDATE generations SET state = 'QUEUED', finish_time = NULL
FROM unnest($1::uuid[], $2::int[]) AS again (design_id, generation)
WHERE generations.design_id = again.design_id AND generations.generation = again.generation
"""
# A dead mockup job left its design READY, and there it stays while the mockups are made.
_REOPEN_DESIGNS: Final = """
WITH design AS (
    UPDATE designs
    SET state = CASE state WHEN 'FAILED' THEN 'QUEUED' ELSE state END,
        progress = CASE state WHEN 'FAILED' THEN 0 ELSE progress END,
        finish_time = CASE state WHEN 'FAILED' THEN NULL ELSE finish_time END,
        stage = NULL, failure_reason = NULL, failure_message = NULL, failure_stage = NULL
    WHERE design_id = ANY ($1::uuid[])
    RETURNING design_id, revision, generation, state
), entry AS (
    INSERT INTO timeline (design_id, revision, generation, state, event)
    SELECT design_id, revision, generation, state, 'redriven' FROM design
)
SELECT design_id, revision, state FROM design
"""
# What failed before counts no more: somebody has mended its cause.
_REOPEN_JOBS: Final = """
UPDATE jobs
SET state = CASE WHEN again.waits THEN 'WAITING' ELSE 'QUEUED' END, publication = publication + 1,
    failure_count = 0, crash_count = 0, finish_time = NULL, lease_time = NULL,
    due_time = CASE WHEN again.waits THEN clock_timestamp() END
FROM unnest($1::uuid[], $2::boolean[]) AS again (job_id, waits)
WHERE jobs.job_id = again.job_id
RETURNING jobs.job_id, tenant, design_id, generation, stage, lane, publication,
          coalesce(traceparent, '') AS traceparent, again.waits
"""
_RESOLVE: Final = """
UPDATE dead_letters SET resolution = $2, resolve_time = clock_timestamp() WHERE dead_letter_id = ANY ($1::uuid[])
"""
# A copy that is not published yet is not wanted any more; its message id ends with the job's publication.
_FORGET_COPIES: Final = """
DELETE FROM outbox USING jobs
WHERE jobs.job_id = ANY ($1::uuid[])
  AND outbox.msg_id = 'dead:' || jobs.job_id::text || ':' || jobs.publication::text
"""
_RESOLUTION: Final = "SELECT resolution FROM dead_letters WHERE dead_letter_id = $1"


async def next_letters(
    connection: Connection, wanted: DeadLetterFilter, *, after: UUID | None, until: datetime, limit: int
) -> list[UUID]:
    """Ids of the next open dead letters that match and were given up by `until`, the oldest first; locks nothing."""
    where = matching_letters(wanted)
    where.add("create_time <= {}", until)
    if after is not None:
        where.add("dead_letter_id > {}", after)
    most = where.value(limit)
    query = f"SELECT dead_letter_id FROM dead_letters{where} ORDER BY dead_letter_id LIMIT {most}"  # noqa: S608  (placeholders)
    return [row["dead_letter_id"] for row in await connection.fetch(query, *where.values)]


async def resolution_of(connection: Connection, dead_letter_id: UUID) -> str | None:
    """How a dead letter was dealt with, REDRIVEN or DISCARDED; None where it is open or was never there."""
    found: str | None = await connection.fetchval(_RESOLUTION, dead_letter_id)
    return found


async def lock_candidates(connection: Connection, dead_letter_ids: Sequence[UUID]) -> list[Candidate]:
    """Locks what these dead letters are about and reads it; those dealt with meanwhile are left out."""
    where = "FROM dead_letters WHERE dead_letter_id = ANY ($1::uuid[])"
    about = await connection.fetch(f"SELECT design_id, job_id {where}", dead_letter_ids)
    await connection.execute(_LOCK_DESIGNS, [row["design_id"] for row in about])
    await connection.execute(_LOCK_JOBS, [row["job_id"] for row in about])
    # Read after the locks: a statement that waited for one has an older view of the other tables.
    return [_candidate(row) for row in await connection.fetch(_READ, dead_letter_ids)]


def judge(candidates: Iterable[Candidate]) -> list[Overtaken | None]:
    """For each candidate, in order, why it is left alone; None where it may run again.

    Of several that would do the same work the first runs.
    """
    verdicts: list[Overtaken | None] = []
    taken: set[bytes] = set()
    for candidate in candidates:
        verdict = _overtaken(candidate)
        if verdict is None and candidate.stage is Stage.IMAGING:
            if candidate.dedup_key in taken:
                verdict = Overtaken.ALREADY_RUNNING
            taken.add(candidate.dedup_key)
        verdicts.append(verdict)
    return verdicts


def _overtaken(candidate: Candidate) -> Overtaken | None:
    if candidate.job_state is None or candidate.newest_generation != candidate.generation:
        return Overtaken.SUPERSEDED
    if candidate.job_state is not JobState.DEAD:
        return Overtaken.ALREADY_RUNNING
    if candidate.stage is Stage.IMAGING:
        if candidate.equal_work_running:
            return Overtaken.ALREADY_RUNNING
        return None if candidate.design_state is DesignState.FAILED else Overtaken.SUPERSEDED
    return None if candidate.design_state is DesignState.READY else Overtaken.SUPERSEDED


async def take_up(connection: Connection, candidates: Sequence[Candidate], waits: Sequence[bool]) -> list[TakenUp]:
    """Takes locked dead jobs up again and closes their dead letters.

    Args:
        connection: Within the transaction that locked them.
        candidates: Those that `judge` let through.
        waits: For each, whether it waits in the database for its turn, because its tenant has enough released.

    Raises:
        asyncpg.UniqueViolationError: Equal work began elsewhere in the meantime; the transaction must be run again.
    """
    imaging = [one for one in candidates if one.stage is Stage.IMAGING]
    await connection.execute(
        _REOPEN_GENERATIONS, [one.design_id for one in imaging], [one.generation for one in imaging]
    )
    designs = await connection.fetch(_REOPEN_DESIGNS, [one.design_id for one in candidates])
    changed = {row["design_id"]: row for row in designs}
    jobs = await connection.fetch(_REOPEN_JOBS, [one.job_id for one in candidates], list(waits))
    await connection.execute(_RESOLVE, [one.dead_letter_id for one in candidates], "REDRIVEN")
    return [_taken_up(row, changed[row["design_id"]]) for row in jobs]


async def drop_letters(connection: Connection, dead_letter_ids: Sequence[UUID]) -> list[DroppedLetter]:
    """Closes open dead letters for good, with copies that are still to be published; their jobs stay dead."""
    rows = await connection.fetch(
        "SELECT dead_letter_id, job_id, tenant, stage, create_time FROM dead_letters"
        " WHERE dead_letter_id = ANY ($1::uuid[]) AND resolution IS NULL ORDER BY dead_letter_id FOR UPDATE",
        dead_letter_ids,
    )
    await connection.execute(_RESOLVE, [row["dead_letter_id"] for row in rows], "DISCARDED")
    await connection.execute(_FORGET_COPIES, [row["job_id"] for row in rows])
    return [
        DroppedLetter(row["dead_letter_id"], row["tenant"], Stage(row["stage"]), row["create_time"]) for row in rows
    ]


def _candidate(row: asyncpg.Record) -> Candidate:
    kinds = {
        "stage": Stage(row["stage"]),
        "lane": Lane(row["lane"]),
        "job_state": JobState(row["job_state"]) if row["job_state"] else None,
        "design_state": DesignState(row["design_state"]) if row["design_state"] else None,
    }
    return Candidate(**{**row, **kinds})


def _taken_up(row: asyncpg.Record, design: asyncpg.Record) -> TakenUp:
    return TakenUp(released_job(row), row["waits"], design["revision"], DesignState(design["state"]))
