"""What becomes of a job whose message the broker will not deliver any more. Runs in the caller's transaction."""

from __future__ import annotations

from enum import Enum
from typing import Final
from uuid import UUID

from cutline.domain.errors import Reason
from cutline.domain.states import JobState
from cutline.jobs.v1.ticket_pb2 import JobTicket
from cutline.messaging.topology import Topology
from cutline.store.attempts import MAX_CRASHES
from cutline.store.commits import Committed
from cutline.store.dead_letters import bury
from cutline.store.pool import Connection
from cutline.store.release import ReleasedJob, released_job

_LOCK_DESIGN: Final = "SELECT FROM designs WHERE design_id = $1 FOR UPDATE"
_LOCK_JOB: Final = """
SELECT state, publication, failure_count, crash_count, max_attempts,
       coalesce(lease_time > clock_timestamp(), false) AS leased,
       (SELECT count(*) FROM attempts WHERE attempts.job_id = jobs.job_id AND finish_time IS NULL) AS open_attempts
FROM jobs WHERE job_id = $1 FOR UPDATE
"""
_CRASHED: Final = """
WITH died AS (
    UPDATE attempts SET outcome = 'CRASHED', reason = $2, message = $3, finish_time = clock_timestamp()
    WHERE job_id = $1 AND finish_time IS NULL
    RETURNING number
)
UPDATE jobs SET crash_count = crash_count + (SELECT count(*) FROM died) WHERE job_id = $1
"""
# The open attempt stays open: whoever claims the job next sees that it crashed.
_REPUBLISH: Final = """
UPDATE jobs SET state = 'QUEUED', publication = publication + 1, lease_time = NULL WHERE job_id = $1
RETURNING job_id, tenant, design_id, generation, stage, lane, publication, coalesce(traceparent, '') AS traceparent
"""


class Standing(Enum):
    """Why nothing is to be done for an undelivered message."""

    STALE = "stale"
    """Its job is over or gone, or a newer message speaks for it: this one can go."""
    RUNNING = "running"
    """An attempt that is alive holds the job; ask again later."""


async def settle_undelivered(
    connection: Connection, topology: Topology, ticket: JobTicket
) -> ReleasedJob | Committed | Standing:
    """Decides about the job of a message that was delivered as often as the broker does.

    Args:
        connection: Within a transaction.
        topology: Names the subjects of what is told.
        ticket: What the message says.

    Returns:
        The job with a new publication where attempts are left, whose message is still to be written to the outbox;
        what its burial leaves where none are; or why neither.
    """
    job_id = UUID(ticket.job_id)
    await connection.execute(_LOCK_DESIGN, UUID(ticket.design_id))
    job = await connection.fetchrow(_LOCK_JOB, job_id)
    unfinished = {JobState.QUEUED, JobState.RUNNING}
    if job is None or job["state"] not in unfinished or job["publication"] != ticket.publication:
        return Standing.STALE
    if job["leased"]:
        return Standing.RUNNING
    crashes = job["crash_count"] + job["open_attempts"]
    if crashes < MAX_CRASHES and job["failure_count"] < job["max_attempts"]:
        row = await connection.fetchrow(_REPUBLISH, job_id)
        assert row is not None  # noqa: S101  (the row is locked)
        return released_job(row)
    message = "The worker died while it worked on this."
    await connection.execute(_CRASHED, job_id, Reason.WORKER_CRASHED, message)
    return await bury(connection, topology, job_id=job_id, reason=Reason.WORKER_CRASHED, message=message)
