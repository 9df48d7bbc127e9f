"""Changes that callers make to a design: cancel, a new generation, delete. Each runs in the caller's transaction.

All take the design's row first, then its generations, then its jobs: whoever keeps that order cannot deadlock with
another. The revision grows by the trigger on designs; every change adds its line to the timeline.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from cutline.domain.refusals import design_not_found, design_running, design_terminal
from cutline.domain.states import LANES_BY_URGENCY, AttemptOutcome, DesignState, Lane
from cutline.store.pool import Connection


@dataclass(frozen=True, slots=True)
class LockedDesign:
    """A design whose row the transaction holds.

    Attributes:
        spec: The newest generation's spec as stored.
    """

    design_id: UUID
    tenant: str
    state: DesignState
    generation: int
    revision: int
    upload_id: UUID
    sha256: bytes
    reference: str
    spec: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewGeneration:
    """The next run of a design, with its first job; `spec` and `resolved_spec` as stored."""

    job_id: UUID
    dedup_key: bytes
    spec: dict[str, Any]
    resolved_spec: dict[str, Any]
    lane: Lane
    max_attempts: int
    not_before_time: datetime | None
    held: bool
    traceparent: str

    @property
    def waits(self) -> bool:
        """Whether the job is stored WAITING, to be published by the release loop."""
        return self.held or self.not_before_time is not None


_LOCK: Final = "SELECT 1 FROM designs WHERE design_id = $1 AND tenant = $2 FOR UPDATE"
_READ: Final = """
SELECT d.design_id, d.tenant, d.state, d.generation, d.revision, d.upload_id, d.sha256, d.reference, g.spec
FROM designs d JOIN generations g USING (design_id, generation)
WHERE d.design_id = $1
"""
_STOP_GENERATION: Final = """
UPDATE generations SET state = 'CANCELLED', finish_time = now()
WHERE design_id = $1 AND state IN ('QUEUED', 'PROCESSING')
"""
_STOP_JOBS: Final = """
WITH stopped AS (
    UPDATE jobs SET state = 'CANCELLED', due_time = NULL, lease_time = NULL, finish_time = now()
    WHERE design_id = $1 AND state IN ('WAITING', 'QUEUED', 'RUNNING')
    RETURNING job_id, stage
)
UPDATE attempts SET outcome = $2, finish_time = now()
FROM stopped WHERE attempts.job_id = stopped.job_id AND attempts.finish_time IS NULL
RETURNING stopped.stage, number, worker
"""
# What imaging made of the cancelled run is not shown: the design goes back to the files of its last finished one.
_CANCEL_DESIGN: Final = """
WITH design AS (
    UPDATE designs SET state = 'CANCELLED', stage = NULL, finish_time = now(),
        result_generation = (SELECT max(generation) FROM generations WHERE design_id = $1 AND state = 'READY')
    WHERE design_id = $1 RETURNING revision, result_generation
), shown AS (
    UPDATE generations SET supersede_time = NULL FROM design
    WHERE design_id = $1 AND generation = design.result_generation
)
SELECT revision FROM design
"""
_UNDER_WAY: Final = """
SELECT design_id FROM generations WHERE dedup_key = $1 AND state IN ('QUEUED', 'PROCESSING')
"""
_RAISE_LANE: Final = """
UPDATE jobs SET lane = $3
WHERE design_id = $1 AND generation = $2 AND state = 'WAITING' AND attempt = 0 AND publication = 1
  AND array_position($4::text[], $3) < array_position($4::text[], lane)
"""
_INSERT_GENERATION: Final = """
INSERT INTO generations (design_id, generation, dedup_key, spec, resolved_spec) VALUES ($1, $2, $3, $4, $5)
"""
_RESTART_DESIGN: Final = """
UPDATE designs
SET generation = $2, state = 'QUEUED', stage = NULL, progress = 0, finish_time = NULL,
    failure_reason = NULL, failure_message = NULL, failure_stage = NULL
WHERE design_id = $1
RETURNING revision
"""
_INSERT_JOB: Final = """
INSERT INTO jobs (job_id, tenant, design_id, generation, stage, lane, state, max_attempts, due_time, traceparent)
VALUES ($1, $2, $3, $4, 'imaging', $5, CASE WHEN $6 THEN 'WAITING' ELSE 'QUEUED' END, $7,
        CASE WHEN $6 THEN coalesce($8::timestamptz, now()) END, nullif($9, ''))
"""
_TELL: Final = """
INSERT INTO timeline (design_id, revision, generation, state, event, stage, attempt, worker)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_NOTE_SUPERSEDED: Final = """
WITH design AS (
    UPDATE designs SET progress = progress WHERE design_id = $1
    RETURNING design_id, revision, generation, state
)
INSERT INTO timeline (design_id, revision, generation, state, event, stage, attempt, worker)
SELECT design_id, revision, generation, state, $2 || '_superseded', $2, $3, $4 FROM design
"""
# Stage, number and worker of the attempt that a change has stopped, where it stopped none.
_NO_ATTEMPT: Final = (None, 0, "")
# Rows of the design's own tables go with it by their foreign keys.
_DELETE: Final = """
WITH letters AS (
    DELETE FROM dead_letters WHERE design_id = $1
), files AS (
    INSERT INTO object_removals (prefix, due_time) VALUES ($2, now() + make_interval(secs => $4))
    ON CONFLICT (prefix) DO UPDATE SET due_time = EXCLUDED.due_time
), artwork AS (
    UPDATE uploads SET submit_time = NULL, expire_time = now()
    WHERE upload_id = $3 AND NOT EXISTS (SELECT 1 FROM designs WHERE upload_id = $3 AND design_id <> $1)
)
DELETE FROM designs WHERE design_id = $1
"""


async def lock_design(connection: Connection, tenant: str, design_id: UUID) -> LockedDesign:
    """Takes the design's row until the transaction ends.

    Raises:
        NotFoundError: The tenant has no design of that id.
    """
    if await connection.fetchval(_LOCK, design_id, tenant) is None:
        raise design_not_found(design_id)
    # Read after the lock: a statement that waited for it has an older view of the other tables.
    row = await connection.fetchrow(_READ, design_id)
    assert row is not None  # noqa: S101  (the row is locked, and it has its newest generation by foreign key)
    return LockedDesign(**{**row, "state": DesignState(row["state"])})


async def cancel_design(connection: Connection, design: LockedDesign) -> int:
    """Stops the unfinished work of a design and returns its new revision.

    Raises:
        PreconditionError: It has already ended.
    """
    if design.state.terminal:
        raise design_terminal(design.design_id, design.state)
    await connection.execute(_STOP_GENERATION, design.design_id)
    revision: int = await connection.fetchval(_CANCEL_DESIGN, design.design_id)
    stopped = await connection.fetchrow(_STOP_JOBS, design.design_id, AttemptOutcome.CANCELLED.value)
    await connection.execute(
        _TELL,
        design.design_id,
        revision,
        design.generation,
        DesignState.CANCELLED.value,
        "cancelled",
        *(stopped or _NO_ATTEMPT),
    )
    return revision


async def generation_under_way(connection: Connection, dedup_key: bytes) -> bool:
    """Whether equal work is unfinished."""
    return await connection.fetchval(_UNDER_WAY, dedup_key) is not None


async def raise_lane(connection: Connection, design: LockedDesign, lane: Lane) -> None:
    """Moves the newest generation's job to a more urgent lane, if it has not been published yet."""
    urgency = [known.value for known in LANES_BY_URGENCY]
    await connection.execute(_RAISE_LANE, design.design_id, design.generation, lane.value, urgency)


async def start_generation(connection: Connection, design: LockedDesign, wanted: NewGeneration) -> int:
    """Supersedes an unfinished generation, starts the next one and returns the design's new revision."""
    generation = design.generation + 1
    await connection.execute(_STOP_GENERATION, design.design_id)
    await connection.execute(
        _INSERT_GENERATION, design.design_id, generation, wanted.dedup_key, wanted.spec, wanted.resolved_spec
    )
    stopped = await connection.fetchrow(_STOP_JOBS, design.design_id, AttemptOutcome.SUPERSEDED.value)
    if stopped is not None:
        await connection.execute(_NOTE_SUPERSEDED, design.design_id, *stopped)
    revision: int = await connection.fetchval(_RESTART_DESIGN, design.design_id, generation)
    await connection.execute(
        _INSERT_JOB,
        wanted.job_id,
        design.tenant,
        design.design_id,
        generation,
        wanted.lane.value,
        wanted.waits,
        wanted.max_attempts,
        wanted.not_before_time,
        wanted.traceparent,
    )
    await connection.execute(
        _TELL, design.design_id, revision, generation, DesignState.QUEUED.value, "resubmitted", *_NO_ATTEMPT
    )
    return revision


async def delete_design(
    connection: Connection, design: LockedDesign, *, object_prefix: str, late_writes_s: float
) -> None:
    """Deletes a design with all its rows, and leaves its objects to be removed.

    The artwork's upload goes too once no other design uses it.

    Args:
        connection: Within a transaction.
        design: The design.
        object_prefix: What its objects' keys begin with.
        late_writes_s: How long a worker stopped a moment ago may still write.

    Raises:
        PreconditionError: Work is unfinished.
    """
    if not design.state.terminal:
        raise design_running(design.design_id, design.state)
    await connection.execute(_DELETE, design.design_id, object_prefix, design.upload_id, late_writes_s)
