"""What finished work leaves: each commit is one transaction under the fence of its attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from cutline.domain.outputs import CutoutMethod, Finding, Geometry, PrintVerdict
from cutline.domain.states import Stage
from cutline.messaging.tickets import job_ticket
from cutline.messaging.topology import Topology, job_msg_id
from cutline.store.attempts import STAGE_BEGIN, Claim
from cutline.store.commits import Committed, terminal_ring
from cutline.store.dead_letters import MOCKUPS_UNAVAILABLE
from cutline.store.ids import new_id
from cutline.store.outbox import OutboxRow, insert_outbox
from cutline.store.pool import Connection, Database

# The fence: the design still stands at this generation, and the job at this attempt.
_SUCCEED: Final = """
    WITH design AS MATERIALIZED (
        SELECT design_id FROM designs WHERE design_id = $2 AND generation = $3 FOR UPDATE
    ), job AS (
        UPDATE jobs SET state = 'SUCCEEDED', finish_time = clock_timestamp(), lease_time = NULL
        FROM design
        WHERE jobs.job_id = $1 AND jobs.design_id = design.design_id AND jobs.generation = $3
          AND jobs.attempt = $4 AND jobs.state = 'RUNNING'
        RETURNING jobs.job_id, jobs.max_attempts
    ), attempt AS (
        UPDATE attempts SET outcome = 'SUCCEEDED', finish_time = clock_timestamp()
        FROM job WHERE attempts.job_id = job.job_id AND number = $4
    )
    SELECT max_attempts FROM job
"""
_IMAGING_RESULTS: Final = """
    WITH run AS (
        UPDATE generations
        SET geometry = $3, print_verdict = $4, cutout_method = $5, cutout_confidence = $6
        WHERE design_id = $1 AND generation = $2
    ), artifact AS (
        INSERT INTO artifacts (design_id, generation, kind, media_type, size_bytes, sha256, object_key)
        SELECT $1, $2, * FROM unnest($7::text[], $8::text[], $9::bigint[], $10::bytea[], $11::text[])
    ), finding AS (
        INSERT INTO findings (design_id, generation, position, code, level, value, limit_value, unit, message, fix,
                              place)
        SELECT $1, $2, (number - 1)::integer, code, level, value, limit_value, unit, message, fix, place
        FROM unnest($12::text[], $13::text[], $14::float8[], $15::float8[], $16::text[], $17::text[], $18::text[],
                    $19::jsonb[])
             WITH ORDINALITY AS f (code, level, value, limit_value, unit, message, fix, place, number)
    ), design AS (
        UPDATE designs SET result_generation = $2, stage = 'mockup', progress = $20 WHERE design_id = $1
        RETURNING design_id, revision, state
    ), entry AS (
        INSERT INTO timeline (design_id, revision, generation, state, stage, attempt, worker, event)
        SELECT design_id, revision, $2, state, 'imaging', $21, $22, 'imaging_done' FROM design
    )
    SELECT revision, state FROM design
"""
_INSERT_JOB: Final = """
    INSERT INTO jobs (job_id, tenant, design_id, generation, stage, lane, state, max_attempts, traceparent)
    VALUES ($1, $2, $3, $4, $5, $6, 'QUEUED', $7, $8)
"""
_MOCKUP_RESULTS: Final = """
    WITH old AS (
        DELETE FROM findings WHERE design_id = $1 AND generation = $2 AND code = $3
    )
    INSERT INTO mockups (design_id, generation, scene, media_type, size_bytes, sha256, width_px, height_px, object_key)
    SELECT $1, $2, * FROM unnest($4::text[], $5::text[], $6::bigint[], $7::bytea[], $8::integer[], $9::integer[],
                                 $10::text[])
"""
_ADD_FINDING: Final = """
    INSERT INTO findings (design_id, generation, position, code, level, unit, message, fix)
    SELECT $1, $2, coalesce(max(position) + 1, 0), $3, $4, '', $5, $6
    FROM findings WHERE design_id = $1 AND generation = $2
"""
_READY: Final = """
    WITH run AS (
        UPDATE generations SET state = 'READY', finish_time = coalesce(finish_time, clock_timestamp())
        WHERE design_id = $1 AND generation = $2
    ), design AS (
        UPDATE designs
        SET state = 'READY', stage = NULL, progress = 1, finish_time = coalesce(finish_time, clock_timestamp())
        WHERE design_id = $1
        RETURNING design_id, revision, state
    ), entry AS (
        INSERT INTO timeline (design_id, revision, generation, state, stage, attempt, worker, event)
        SELECT design_id, revision, $2, state, $3, $4, $5, 'ready' FROM design
    )
    SELECT revision, state FROM design
"""

_ARTIFACT_COLUMNS: Final = ("kind", "media_type", "size_bytes", "sha256", "object_key")
_FINDING_COLUMNS: Final = ("code", "level", "value", "limit", "unit", "message", "fix")
_MOCKUP_COLUMNS: Final = ("scene", "media_type", "size_bytes", "sha256", "width_px", "height_px", "object_key")


@dataclass(frozen=True, slots=True)
class ArtifactRow:
    """A file of a run as it lies in the object store; `sha256` is 32 bytes."""

    kind: str
    media_type: str
    size_bytes: int
    sha256: bytes
    object_key: str


@dataclass(frozen=True, slots=True)
class ImagingResults:
    """What an imaging run found and made."""

    geometry: Geometry
    findings: tuple[Finding, ...]
    print_verdict: PrintVerdict
    cutout_method: CutoutMethod
    cutout_confidence: float
    artifacts: tuple[ArtifactRow, ...]


@dataclass(frozen=True, slots=True)
class MockupRow:
    """A mockup as it lies in the object store; `sha256` is 32 bytes."""

    scene: str
    media_type: str
    size_bytes: int
    sha256: bytes
    width_px: int
    height_px: int
    object_key: str


class Results:
    """Writes what finished work leaves.

    Args:
        database: Where to.
        topology: Names the subjects of what is told.
    """

    def __init__(self, database: Database, topology: Topology) -> None:
        self._database = database
        self._topology = topology

    async def imaging_done(
        self, claim: Claim, results: ImagingResults, *, mockups_wanted: bool, traceparent: str
    ) -> Committed | None:
        """Writes an imaging run and its mockup job; without mockups the design is READY at once.

        Args:
            claim: The attempt that did it.
            results: What it made.
            mockups_wanted: Whether a mockup job follows.
            traceparent: Trace that the mockup job continues; empty for none.

        Returns:
            What to tell, or None when the attempt is fenced out.
        """

        async def work(connection: Connection) -> Committed | None:
            max_attempts = await _succeed(connection, claim)
            if max_attempts is None:
                return None
            design = await _write_imaging(connection, claim, results)
            if not mockups_wanted:
                return await self._ready(connection, claim, traceparent)
            job_id = new_id()
            await connection.execute(
                _INSERT_JOB, job_id, claim.tenant, claim.design_id, claim.generation, Stage.MOCKUP, claim.lane,
                max_attempts, traceparent or None,
            )  # fmt: skip
            ticket = job_ticket(
                job_id=job_id,
                publication=1,
                tenant=claim.tenant,
                design_id=claim.design_id,
                generation=claim.generation,
            )
            subject = self._topology.job_subject(Stage.MOCKUP, claim.lane, claim.tenant)
            row = OutboxRow(new_id(), subject, job_msg_id(job_id, 1), ticket, traceparent)
            await insert_outbox(connection, [row])
            return Committed(claim.tenant, claim.design_id, design["revision"], design["state"], (row,))

        return await self._database.run_transaction(work)

    async def mockup_done(
        self, claim: Claim, mockups: Sequence[MockupRow], *, finding: Finding | None, traceparent: str
    ) -> Committed | None:
        """Writes the mockups that could be rendered and makes the design READY.

        Args:
            claim: The attempt that did it.
            mockups: What it made.
            finding: What to say of mockups that are missing, if any are.
            traceparent: Trace that the terminal doorbell continues; empty for none.

        Returns:
            What to tell, or None when the attempt is fenced out.
        """

        async def work(connection: Connection) -> Committed | None:
            if await _succeed(connection, claim) is None:
                return None
            await connection.execute(
                _MOCKUP_RESULTS, claim.design_id, claim.generation, MOCKUPS_UNAVAILABLE,
                *_columns(mockups, _MOCKUP_COLUMNS),
            )  # fmt: skip
            if finding is not None:
                await connection.execute(
                    _ADD_FINDING, claim.design_id, claim.generation, finding.code, finding.level, finding.message,
                    finding.fix,
                )  # fmt: skip
            return await self._ready(connection, claim, traceparent)

        return await self._database.run_transaction(work)

    async def _ready(self, connection: Connection, claim: Claim, traceparent: str) -> Committed:
        design = await connection.fetchrow(
            _READY, claim.design_id, claim.generation, claim.stage, claim.attempt, claim.worker
        )
        if design is None:
            msg = f"design {claim.design_id} vanished while its row was locked"
            raise LookupError(msg)
        ring = terminal_ring(
            self._topology,
            tenant=claim.tenant,
            design_id=claim.design_id,
            revision=design["revision"],
            state=design["state"],
            traceparent=traceparent,
        )
        await insert_outbox(connection, [ring])
        return Committed(claim.tenant, claim.design_id, design["revision"], design["state"], (ring,))


async def _succeed(connection: Connection, claim: Claim) -> int | None:
    """Ends attempt and job as SUCCEEDED; gives the job's max_attempts, or None when the attempt is fenced out."""
    fence = (claim.job_id, claim.design_id, claim.generation, claim.attempt)
    max_attempts: int | None = await connection.fetchval(_SUCCEED, *fence)
    return max_attempts


async def _write_imaging(connection: Connection, claim: Claim, results: ImagingResults) -> Any:
    findings = [{**asdict(finding), "place": finding.place and asdict(finding.place)} for finding in results.findings]
    return await connection.fetchrow(
        _IMAGING_RESULTS, claim.design_id, claim.generation, asdict(results.geometry), results.print_verdict,
        results.cutout_method, results.cutout_confidence,
        *_columns(results.artifacts, _ARTIFACT_COLUMNS),
        *([row[name] for row in findings] for name in _FINDING_COLUMNS),
        [row["place"] for row in findings], STAGE_BEGIN[Stage.MOCKUP], claim.attempt, claim.worker,
    )  # fmt: skip


def _columns(rows: Sequence[Any], names: Sequence[str]) -> list[list[Any]]:
    return [[getattr(row, name) for row in rows] for name in names]
