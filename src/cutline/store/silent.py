"""Unfinished jobs that fell silent: found, noted as stored, or given a new publication."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cutline.store.pool import Connection, Database
from cutline.store.release import ReleasedJob, released_job

_COLUMNS: Final = """
jobs.job_id, tenant, design_id, generation, stage, lane, publication, coalesce(traceparent, '') AS traceparent
"""

_SILENT: Final = f"""
SELECT {_COLUMNS}, stream_sequence FROM jobs
WHERE state = 'QUEUED' AND update_time < now() - make_interval(secs => $1)
  AND NOT EXISTS (SELECT FROM outbox WHERE msg_id = jobs.job_id::text || ':' || jobs.publication::text)
ORDER BY update_time LIMIT $2
"""  # noqa: S608  (the part is a constant of this module, here and below)

# The trigger on jobs renews update_time, so that a job is asked for once in a silence.
_NOTE: Final = """
WITH seen AS (
    SELECT jobs.job_id, seen.sequence FROM jobs
    JOIN unnest($1::uuid[], $2::int[], $3::bigint[]) AS seen (job_id, publication, sequence)
        USING (job_id, publication)
    WHERE state = 'QUEUED' ORDER BY jobs.job_id FOR UPDATE OF jobs SKIP LOCKED
)
UPDATE jobs SET stream_sequence = seen.sequence FROM seen WHERE jobs.job_id = seen.job_id
"""

_REPUBLISH: Final = f"""
WITH held AS (
    SELECT jobs.job_id FROM jobs
    JOIN unnest($1::uuid[], $2::int[]) AS silent (job_id, publication) USING (job_id, publication)
    WHERE state = 'QUEUED' ORDER BY jobs.job_id FOR UPDATE OF jobs SKIP LOCKED
)
UPDATE jobs SET publication = publication + 1
FROM held WHERE jobs.job_id = held.job_id
RETURNING {_COLUMNS}
"""  # noqa: S608

# The open attempt stays open: whoever claims the job next sees that it crashed. After the database was away workers
# have as long to renew their leases.
_ABANDONED: Final = f"""
WITH held AS (
    SELECT job_id FROM jobs
    WHERE state = 'RUNNING' AND lease_time < now() - make_interval(secs => $1)
      AND pg_postmaster_start_time() < now() - make_interval(secs => $1)
    ORDER BY lease_time LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET state = 'QUEUED', publication = publication + 1, lease_time = NULL
FROM held WHERE jobs.job_id = held.job_id
RETURNING {_COLUMNS}
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class SilentJob:
    """A released job that nobody has started for long.

    Attributes:
        job: The job with the publication nobody started.
        stream_sequence: Where that publication's message was stored when last asked for; None before.
    """

    job: ReleasedJob
    stream_sequence: int | None


async def find_silent(database: Database, *, silence_s: float, limit: int) -> list[SilentJob]:
    """Released jobs nobody started for `silence_s` and whose message is not still to be sent, oldest first."""
    rows = await database.fetch(_SILENT, silence_s, limit)
    return [SilentJob(released_job(row), row["stream_sequence"]) for row in rows]


async def note_stored(connection: Connection, stored: Sequence[tuple[ReleasedJob, int]]) -> None:
    """Keeps the sequences at which messages are stored, of those jobs that are still as they were found."""
    jobs = [job for job, _ in stored]
    await connection.execute(
        _NOTE, [job.job_id for job in jobs], [job.publication for job in jobs], [sequence for _, sequence in stored]
    )


async def republish_silent(connection: Connection, jobs: Sequence[ReleasedJob]) -> list[ReleasedJob]:
    """Gives jobs a new publication, those that are still as they were found."""
    rows = await connection.fetch(_REPUBLISH, [job.job_id for job in jobs], [job.publication for job in jobs])
    return [released_job(row) for row in rows]


async def republish_abandoned(connection: Connection, *, silence_s: float, limit: int) -> list[ReleasedJob]:
    """Takes back running jobs whose lease ran out more than `silence_s` ago: even the broker forgot them."""
    return [released_job(row) for row in await connection.fetch(_ABANDONED, silence_s, limit)]
