"""Takes waiting jobs to the broker in their turn, and finds jobs that fell silent. Runs in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from cutline.domain.states import Lane, Stage
from cutline.store.pool import Connection


@dataclass(frozen=True, slots=True)
class ReleasedJob:
    """A job that now has a new publication, which needs a message."""

    job_id: UUID
    tenant: str
    design_id: UUID
    generation: int
    stage: Stage
    lane: Lane
    publication: int
    traceparent: str


@dataclass(frozen=True, slots=True)
class SilentJob:
    """A released job that nobody has started for long; `publish_time` is when it was last handed over."""

    job_id: UUID
    tenant: str
    stage: Stage
    lane: Lane
    publication: int
    publish_time: datetime


RELEASE_LOCK: Final = 0x6375_7472
"""Advisory lock of the release: the window is counted and filled by one at a time."""

_TRY_LOCK: Final = "SELECT pg_try_advisory_xact_lock($1)"

# Skips from queue to queue along the index, then takes each queue's oldest jobs up to its window. `turn` deals one job
# to every tenant before any gets its second: with jobs of equal cost that is deficit round-robin.
_RELEASE: Final = """
WITH RECURSIVE queue AS (
    (SELECT stage, lane, tenant FROM jobs WHERE state = 'WAITING' ORDER BY stage, lane, tenant LIMIT 1)
    UNION ALL
    SELECT later.stage, later.lane, later.tenant
    FROM queue, LATERAL (
        SELECT stage, lane, tenant FROM jobs
        WHERE state = 'WAITING' AND (stage, lane, tenant) > (queue.stage, queue.lane, queue.tenant)
        ORDER BY stage, lane, tenant LIMIT 1
    ) later
), room AS (
    SELECT stage, lane, tenant, greatest($1 - (
        SELECT count(*) FROM jobs
        WHERE jobs.state = 'QUEUED' AND jobs.tenant = queue.tenant AND jobs.stage = queue.stage
          AND jobs.lane = queue.lane
    ), 0) AS free
    FROM queue
), due AS (
    SELECT job.job_id, job.turn
    FROM room, LATERAL (
        SELECT job_id, row_number() OVER (ORDER BY due_time, job_id) AS turn FROM jobs
        WHERE state = 'WAITING' AND stage = room.stage AND lane = room.lane AND tenant = room.tenant
          AND due_time <= now()
        ORDER BY due_time, job_id LIMIT room.free
    ) job
    ORDER BY job.turn LIMIT $2
), held AS (
    SELECT job_id FROM jobs WHERE job_id IN (SELECT job_id FROM due) AND state = 'WAITING'
    ORDER BY job_id FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET state = 'QUEUED', publication = publication + 1, due_time = NULL
FROM held JOIN due USING (job_id) WHERE jobs.job_id = held.job_id
RETURNING jobs.job_id, tenant, design_id, generation, stage, lane, publication,
          coalesce(traceparent, '') AS traceparent, due.turn
"""

_SILENT: Final = """
SELECT job_id, tenant, stage, lane, publication, update_time AS publish_time
FROM jobs
WHERE state = 'QUEUED' AND update_time < now() - make_interval(secs => $1)
  AND NOT EXISTS (SELECT 1 FROM outbox WHERE msg_id = jobs.job_id::text || ':' || jobs.publication::text)
ORDER BY update_time LIMIT $2
"""

_REPUBLISH: Final = """
WITH held AS (
    SELECT jobs.job_id FROM jobs
    JOIN unnest($1::uuid[], $2::int[]) AS silent (job_id, publication) USING (job_id, publication)
    WHERE state = 'QUEUED' ORDER BY jobs.job_id FOR UPDATE OF jobs SKIP LOCKED
)
UPDATE jobs SET publication = publication + 1
FROM held WHERE jobs.job_id = held.job_id
RETURNING jobs.job_id, tenant, design_id, generation, stage, lane, publication, coalesce(traceparent, '') AS traceparent
"""

# The open attempt stays open: whoever claims the job next sees that it crashed.
_ABANDONED: Final = """
WITH held AS (
    SELECT job_id FROM jobs
    WHERE state = 'RUNNING' AND lease_time < now() - make_interval(secs => $1)
    ORDER BY lease_time LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET state = 'QUEUED', publication = publication + 1, lease_time = NULL
FROM held WHERE jobs.job_id = held.job_id
RETURNING jobs.job_id, tenant, design_id, generation, stage, lane, publication, coalesce(traceparent, '') AS traceparent
"""


async def release_due(connection: Connection, *, window: int, limit: int) -> list[ReleasedJob]:
    """Releases jobs whose time has come and returns them tenants in turn, as they are to be published.

    Args:
        connection: Within a transaction; releases elsewhere wait for its end by finding nothing.
        window: Released, unstarted jobs a tenant may have in one stage and lane.
        limit: Jobs released at most.
    """
    if not await connection.fetchval(_TRY_LOCK, RELEASE_LOCK):
        return []
    rows = await connection.fetch(_RELEASE, window, limit)
    return [_released(row) for row in sorted(rows, key=lambda row: (row["turn"], row["tenant"]))]


async def find_silent(connection: Connection, *, silence_s: float, limit: int) -> list[SilentJob]:
    """Released jobs nobody started for `silence_s` and whose message is not still to be sent, oldest first."""
    rows = await connection.fetch(_SILENT, silence_s, limit)
    return [SilentJob(**{**row, "stage": Stage(row["stage"]), "lane": Lane(row["lane"])}) for row in rows]


async def republish_silent(connection: Connection, jobs: Sequence[SilentJob]) -> list[ReleasedJob]:
    """Gives jobs a new publication, those that are still as they were found."""
    rows = await connection.fetch(_REPUBLISH, [job.job_id for job in jobs], [job.publication for job in jobs])
    return [_released(row) for row in rows]


async def republish_abandoned(connection: Connection, *, silence_s: float, limit: int) -> list[ReleasedJob]:
    """Takes back running jobs whose lease ran out more than `silence_s` ago: even the broker forgot them."""
    return [_released(row) for row in await connection.fetch(_ABANDONED, silence_s, limit)]


def _released(row: asyncpg.Record) -> ReleasedJob:
    return ReleasedJob(
        job_id=row["job_id"],
        tenant=row["tenant"],
        design_id=row["design_id"],
        generation=row["generation"],
        stage=Stage(row["stage"]),
        lane=Lane(row["lane"]),
        publication=row["publication"],
        traceparent=row["traceparent"],
    )
