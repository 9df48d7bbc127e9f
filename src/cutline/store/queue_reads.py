"""Reads jobs and dead letters of every tenant, for operators: pages from the newest on, filtered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from cutline.domain.states import AttemptOutcome, JobState, Lane, Stage
from cutline.store.pool import Database


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Conditions of a list of jobs; what is empty or None does not filter, what is set must hold."""

    tenant: str = ""
    design_id: UUID | None = None
    stage: Stage | None = None
    lane: Lane | None = None
    states: tuple[JobState, ...] = ()


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job; `attempt_count` counts the failures that `max_attempts` bounds."""

    job_id: UUID
    tenant: str
    design_id: UUID
    generation: int
    stage: Stage
    lane: Lane
    state: JobState
    attempt_count: int
    max_attempts: int
    publication: int
    due_time: datetime | None
    create_time: datetime
    update_time: datetime
    finish_time: datetime | None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One try at a job; without an outcome it has not ended."""

    number: int
    worker: str
    start_time: datetime
    finish_time: datetime | None
    outcome: AttemptOutcome | None
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Which dead letters; what is empty or None does not filter, what is set must hold.

    Attributes:
        create_time_before: Latest time of giving up, excluded.
    """

    dead_letter_id: UUID | None = None
    tenant: str = ""
    stage: Stage | None = None
    reason: str = ""
    create_time_before: datetime | None = None

    @property
    def empty(self) -> bool:
        """Whether it lets every dead letter through."""
        return self == DeadLetterFilter()


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """A job that was given up; `trace_id` is empty where its last attempt was not traced."""

    dead_letter_id: UUID
    tenant: str
    job_id: UUID
    design_id: UUID
    generation: int
    stage: Stage
    lane: Lane
    reason: str
    message: str
    attempt_count: int
    create_time: datetime
    trace_id: str


_JOB_COLUMNS: Final = """
SELECT job_id, tenant, design_id, generation, stage, lane, state, failure_count AS attempt_count,
       max_attempts, publication, due_time, create_time, update_time, finish_time
FROM jobs
"""
_ATTEMPTS: Final = """
SELECT number, worker, start_time, finish_time, outcome, coalesce(reason, '') AS reason,
       coalesce(message, '') AS message
FROM attempts WHERE job_id = $1 ORDER BY number
"""
# A traceparent is version, trace id, span id and flags, with dashes between them.
_LETTER_COLUMNS: Final = """
SELECT dead_letter_id, tenant, job_id, design_id, generation, stage, lane, reason, message, attempt_count, create_time,
       coalesce(split_part(traceparent, '-', 2), '') AS trace_id
FROM dead_letters
"""


class Conditions:
    """Builds a WHERE clause out of the conditions that are set, so that the planner sees nothing else."""

    def __init__(self, *fixed: str) -> None:
        self._parts = list(fixed)
        self.values: list[object] = []

    def add(self, text: str, value: object) -> None:
        """Adds a condition on one value, written `{}` in the text."""
        self.values.append(value)
        self._parts.append(text.format(f"${len(self.values)}"))

    def value(self, value: object) -> str:
        """The placeholder of one more value."""
        self.values.append(value)
        return f"${len(self.values)}"

    def __str__(self) -> str:
        return f" WHERE {' AND '.join(self._parts)}" if self._parts else ""


def matching_letters(wanted: DeadLetterFilter) -> Conditions:
    """The open dead letters that a filter lets through."""
    where = Conditions("resolution IS NULL", "job_id IS NOT NULL")
    if wanted.dead_letter_id is not None:
        where.add("dead_letter_id = {}", wanted.dead_letter_id)
    if wanted.tenant:
        where.add("tenant = {}", wanted.tenant)
    if wanted.stage is not None:
        where.add("stage = {}", wanted.stage.value)
    if wanted.reason:
        where.add("reason = {}", wanted.reason)
    if wanted.create_time_before is not None:
        where.add("create_time < {}", wanted.create_time_before)
    return where


async def list_jobs(database: Database, wanted: JobFilter, *, before: UUID | None, limit: int) -> list[JobRow]:
    """A page of jobs, the newest first: those with an id below `before`; errors as in `Database.transaction`."""
    where = Conditions()
    if wanted.tenant:
        where.add("tenant = {}", wanted.tenant)
    if wanted.design_id is not None:
        where.add("design_id = {}", wanted.design_id)
    if wanted.stage is not None:
        where.add("stage = {}", wanted.stage.value)
    if wanted.lane is not None:
        where.add("lane = {}", wanted.lane.value)
    if wanted.states:
        where.add("state = ANY ({}::text[])", [state.value for state in wanted.states])
    if before is not None:
        where.add("job_id < {}", before)
    most = where.value(limit)
    rows = await database.fetch(f"{_JOB_COLUMNS}{where} ORDER BY job_id DESC LIMIT {most}", *where.values)
    return [_job(row) for row in rows]


async def read_job(database: Database, job_id: UUID) -> tuple[JobRow, list[AttemptRow]] | None:
    """A job and its attempts, oldest first; None where there is none."""
    row = await database.fetchrow(f"{_JOB_COLUMNS} WHERE job_id = $1", job_id)
    if row is None:
        return None
    return _job(row), [_attempt(one) for one in await database.fetch(_ATTEMPTS, job_id)]


async def list_dead_letters(
    database: Database, wanted: DeadLetterFilter, *, before: UUID | None, limit: int
) -> list[DeadLetterRow]:
    """A page of open dead letters, the newest first: those with an id below `before`."""
    where = matching_letters(wanted)
    if before is not None:
        where.add("dead_letter_id < {}", before)
    most = where.value(limit)
    rows = await database.fetch(f"{_LETTER_COLUMNS}{where} ORDER BY dead_letter_id DESC LIMIT {most}", *where.values)
    return [_letter(row) for row in rows]


async def count_dead_letters(database: Database, wanted: DeadLetterFilter) -> dict[str, int]:
    """How many open dead letters match, by reason."""
    where = matching_letters(wanted)
    query = f"SELECT reason, count(*) AS number FROM dead_letters{where} GROUP BY reason"  # noqa: S608  (placeholders)
    rows: Sequence[asyncpg.Record] = await database.fetch(query, *where.values)
    return {row["reason"]: row["number"] for row in rows}


def _job(row: asyncpg.Record) -> JobRow:
    kinds = {"stage": Stage(row["stage"]), "lane": Lane(row["lane"]), "state": JobState(row["state"])}
    return JobRow(**{**row, **kinds})


def _attempt(row: asyncpg.Record) -> AttemptRow:
    return AttemptRow(**{**row, "outcome": AttemptOutcome(row["outcome"]) if row["outcome"] else None})


def _letter(row: asyncpg.Record) -> DeadLetterRow:
    return DeadLetterRow(**{**row, "stage": Stage(row["stage"]), "lane": Lane(row["lane"])})
