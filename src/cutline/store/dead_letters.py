"""Giving a job up: the dead letter, its copy for the broker, and what becomes of the design."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from cutline.domain.outputs import Finding, FindingLevel
from cutline.domain.states import Stage
from cutline.jobs.v1 import ticket_pb2
from cutline.messaging.topology import Topology, dead_msg_id
from cutline.store.commits import Committed, terminal_ring
from cutline.store.ids import new_id
from cutline.store.outbox import OutboxRow, insert_outbox
from cutline.store.pool import Connection

MOCKUPS_UNAVAILABLE: Final = "MOCKUPS_UNAVAILABLE"

_BURY_JOB: Final = """
    UPDATE jobs SET state = 'DEAD', finish_time = clock_timestamp(), lease_time = NULL, due_time = NULL
    WHERE job_id = $1
    RETURNING tenant, design_id, generation, stage, lane, publication, attempt, traceparent
"""
_INSERT_DEAD_LETTER: Final = """
    INSERT INTO dead_letters (dead_letter_id, job_id, tenant, design_id, generation, stage, lane, reason, message,
                              attempt_count, traceparent)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
_FAIL_DESIGN: Final = """
    WITH generation AS (
        UPDATE generations SET state = 'FAILED', finish_time = clock_timestamp()
        WHERE design_id = $1 AND generation = $2
    ), design AS (
        UPDATE designs
        SET state = 'FAILED', failure_reason = $3, failure_message = $4, failure_stage = $5, stage = NULL,
            finish_time = clock_timestamp()
        WHERE design_id = $1 AND generation = $2
        RETURNING design_id, revision, state
    ), entry AS (
        INSERT INTO timeline (design_id, revision, generation, state, stage, attempt, worker, event)
        SELECT design_id, revision, $2, state, $5, $6, $7, 'failed' FROM design
    )
    SELECT revision, state FROM design
"""
# A redriven mockup job may die again: the design is READY already and its finding stands.
_READY_WITHOUT_MOCKUPS: Final = """
    WITH generation AS (
        UPDATE generations SET state = 'READY', finish_time = coalesce(finish_time, clock_timestamp())
        WHERE design_id = $1 AND generation = $2
    ), finding AS (
        INSERT INTO findings (design_id, generation, position, code, level, unit, message, fix)
        SELECT $1, $2, coalesce(max(position) + 1, 0), $3, $4, '', $5, $6
        FROM findings WHERE design_id = $1 AND generation = $2
        HAVING count(*) FILTER (WHERE code = $3) = 0
    ), design AS (
        UPDATE designs
        SET state = 'READY', stage = NULL, progress = 1, finish_time = coalesce(finish_time, clock_timestamp())
        WHERE design_id = $1 AND generation = $2
        RETURNING design_id, revision, state
    ), entry AS (
        INSERT INTO timeline (design_id, revision, generation, state, stage, attempt, worker, event)
        SELECT design_id, revision, $2, state, 'mockup', $7, $8, 'mockups_unavailable' FROM design
    )
    SELECT revision, state FROM design
"""


def mockups_unavailable(message: str) -> Finding:
    """The finding of a design that became READY without its mockups.

    It speaks of pictures and not of print, so it leaves the print verdict alone.
    """
    return Finding(
        code=MOCKUPS_UNAVAILABLE,
        level=FindingLevel.NOT_APPLICABLE,
        message=message,
        fix="The print files are complete. Reprocess the design to have the mockups rendered again.",
    )


async def bury(
    connection: Connection, topology: Topology, *, job_id: UUID, reason: str, message: str, worker: str = ""
) -> Committed:
    """Gives up a job within the caller's transaction, which holds the design's and the job's rows locked.

    The job becomes DEAD with a dead letter and its copy in the outbox. A dead imaging job makes the design FAILED; a
    dead mockup job leaves it READY with the finding MOCKUPS_UNAVAILABLE. Either is terminal and rings by the outbox.
    """
    job = await connection.fetchrow(_BURY_JOB, job_id)
    if job is None:
        msg = f"there is no job {job_id} to give up"
        raise LookupError(msg)
    dead_letter_id, stage = new_id(), Stage(job["stage"])
    key = (job["tenant"], job["design_id"], job["generation"], job["stage"])
    await connection.execute(
        _INSERT_DEAD_LETTER, dead_letter_id, job_id, *key, job["lane"], reason, message, job["attempt"],
        job["traceparent"],
    )  # fmt: skip
    if stage is Stage.IMAGING:
        design = await connection.fetchrow(
            _FAIL_DESIGN, job["design_id"], job["generation"], reason, message, stage.value, job["attempt"], worker
        )
    else:
        finding = mockups_unavailable("The mockups could not be rendered.")
        design = await connection.fetchrow(
            _READY_WITHOUT_MOCKUPS, job["design_id"], job["generation"], finding.code, finding.level.value,
            finding.message, finding.fix, job["attempt"], worker,
        )  # fmt: skip
    copy = ticket_pb2.DeadLetterCopy(
        dead_letter_id=str(dead_letter_id),
        ticket=ticket_pb2.JobTicket(
            job_id=str(job_id),
            publication=job["publication"],
            tenant=job["tenant"],
            design_id=str(job["design_id"]),
            generation=job["generation"],
        ),
        stage=job["stage"],
        reason=reason,
        message=message,
        attempt_count=job["attempt"],
    )
    rows = [
        OutboxRow(
            new_id(),
            topology.dead_subject(stage, job["tenant"]),
            dead_msg_id(job_id, job["publication"]),
            copy.SerializeToString(),
            job["traceparent"] or "",
        )
    ]
    if design is None:  # a newer generation has taken over: the design speaks of that one
        await insert_outbox(connection, rows)
        return Committed(job["tenant"], job["design_id"], 0, "", tuple(rows))
    rows.append(
        terminal_ring(
            topology,
            tenant=job["tenant"],
            design_id=job["design_id"],
            revision=design["revision"],
            state=design["state"],
            traceparent=job["traceparent"] or "",
        )
    )
    await insert_outbox(connection, rows)
    return Committed(job["tenant"], job["design_id"], design["revision"], design["state"], tuple(rows))
