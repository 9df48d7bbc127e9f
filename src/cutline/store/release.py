"""Takes waiting jobs to the broker in their turn. Runs in the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from cutline.domain.states import Lane, Stage
from cutline.store.pool import Connection, Database

Queue = tuple[str, Stage, Lane]
"""Tenant, stage and lane: what the release window bounds."""


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


RELEASE_WINDOW: Final = 256
"""Released, unstarted jobs a tenant may have in one stage and lane where no setting says otherwise."""

RELEASE_LOCK: Final = 0x6375_7472
"""Advisory lock of the release: the window is counted and filled by one at a time."""

_TRY_LOCK: Final = "SELECT pg_try_advisory_xact_lock($1)"

# Skips from queue to queue along the index, for a tenant may have very many jobs waiting.
_WAITING_QUEUES: Final = """
queue AS (
    (SELECT stage, lane, tenant FROM jobs WHERE state = 'WAITING' ORDER BY stage, lane, tenant LIMIT 1)
    UNION ALL
    SELECT later.stage, later.lane, later.tenant
    FROM queue, LATERAL (
        SELECT stage, lane, tenant FROM jobs
        WHERE state = 'WAITING' AND (stage, lane, tenant) > (queue.stage, queue.lane, queue.tenant)
        ORDER BY stage, lane, tenant LIMIT 1
    ) later
), held AS (
    SELECT stage, lane, tenant FROM queue
    WHERE EXISTS (
        SELECT FROM jobs
        WHERE jobs.state = 'WAITING' AND jobs.stage = queue.stage AND jobs.lane = queue.lane
          AND jobs.tenant = queue.tenant AND due_time <= now()
    )
)
"""
_HELD: Final = f"WITH RECURSIVE {_WAITING_QUEUES} SELECT tenant, stage, lane FROM held"  # noqa: S608  (a constant)

# `place` is where a job comes in the line of its tenant's released ones. Who has the fewest released comes next, and
# among those whose job waited longest: jobs cost alike, so this is deficit round-robin that needs no memory. A place
# beyond the window is given only while the lane as a whole holds less than its target.
_RELEASE: Final = f"""
WITH RECURSIVE {_WAITING_QUEUES}, load AS (
    SELECT stage, lane, tenant, (
        SELECT count(*) FROM jobs
        WHERE jobs.state = 'QUEUED' AND jobs.tenant = held.tenant AND jobs.stage = held.stage AND jobs.lane = held.lane
    ) AS released
    FROM held
), lane_load AS (
    SELECT stage, lane, CASE WHEN $3::bigint <= $1 THEN $3 ELSE (
        SELECT count(*) FROM (
            SELECT FROM jobs
            WHERE jobs.state = 'QUEUED' AND jobs.stage = held.stage AND jobs.lane = held.lane LIMIT $3
        ) few
    ) END AS released
    FROM held GROUP BY stage, lane
), candidate AS (
    SELECT job.job_id, job.due_time, stage, lane, load.released + job.number AS place
    FROM load, LATERAL (
        SELECT job_id, due_time, row_number() OVER (ORDER BY due_time, job_id) AS number FROM jobs
        WHERE state = 'WAITING' AND stage = load.stage AND lane = load.lane AND tenant = load.tenant
          AND due_time <= now()
        ORDER BY due_time, job_id LIMIT least(greatest($1, $3) - least(load.released, greatest($1, $3)), $2)
    ) job
), ranked AS (
    SELECT job_id, due_time, stage, lane, place,
           row_number() OVER (PARTITION BY stage, lane ORDER BY place, due_time, job_id) AS rank
    FROM candidate
), chosen AS (
    SELECT job_id, due_time, place FROM ranked JOIN lane_load USING (stage, lane)
    WHERE place <= $1 OR lane_load.released + rank <= $3
    ORDER BY place, due_time, job_id LIMIT $2
), taken AS (
    SELECT job_id FROM jobs WHERE job_id IN (SELECT job_id FROM chosen) AND state = 'WAITING'
    ORDER BY job_id FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET state = 'QUEUED', publication = publication + 1, due_time = NULL
FROM taken JOIN chosen USING (job_id) WHERE jobs.job_id = taken.job_id
RETURNING jobs.job_id, tenant, design_id, generation, stage, lane, publication,
          coalesce(traceparent, '') AS traceparent, chosen.place, chosen.due_time
"""  # noqa: S608  (a constant of this module)


async def release_due(connection: Connection, *, window: int, target: int, limit: int) -> list[ReleasedJob]:
    """Releases jobs whose time has come and returns them tenants in turn, as they are to be published.

    Args:
        connection: Within a transaction; releases elsewhere wait for its end by finding nothing.
        window: Released, unstarted jobs a tenant may have in one stage and lane.
        target: Released, unstarted jobs a stage and lane is filled up to, whoever they belong to.
        limit: Jobs released at most.
    """
    if not await connection.fetchval(_TRY_LOCK, RELEASE_LOCK):
        return []
    rows = await connection.fetch(_RELEASE, window, limit, target)
    return [released_job(row) for row in sorted(rows, key=lambda row: (row["place"], row["due_time"], row["job_id"]))]


async def held_queues(database: Connection | Database) -> set[Queue]:
    """Queues with jobs whose time has come and who wait for their turn."""
    rows = await database.fetch(_HELD)
    return {(row["tenant"], Stage(row["stage"]), Lane(row["lane"])) for row in rows}


def released_job(row: asyncpg.Record) -> ReleasedJob:
    """A row with the columns of a released job."""
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
