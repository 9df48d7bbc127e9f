"""The statements that write results, each for any number of attempts at once, within the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

from cutline.domain.outputs import CutoutMethod, Finding, Geometry, PrintVerdict
from cutline.domain.states import Lane, Stage
from cutline.store.attempts import STAGE_BEGIN, Claim
from cutline.store.dead_letters import MOCKUPS_UNAVAILABLE
from cutline.store.pool import Connection


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


@dataclass(frozen=True, slots=True)
class DesignNow:
    """Where a design stands after a statement."""

    revision: int
    state: str


@dataclass(frozen=True, slots=True)
class FollowUp:
    """The mockup job that follows an imaging run."""

    job_id: UUID
    tenant: str
    design_id: UUID
    generation: int
    lane: Lane
    max_attempts: int
    traceparent: str


# The fence: the design still stands at this generation, and the job at this attempt.
_FENCE: Final = """
    WITH input AS (
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::integer[])
            AS input (job_id, design_id, generation, attempt)
    ), design AS MATERIALIZED (
        SELECT input.* FROM designs JOIN input USING (design_id, generation) FOR UPDATE OF designs {wait}
    ), job AS (
        UPDATE jobs SET state = 'SUCCEEDED', finish_time = clock_timestamp(), lease_time = NULL
        FROM design
        WHERE jobs.job_id = design.job_id AND jobs.design_id = design.design_id
          AND jobs.generation = design.generation AND jobs.attempt = design.attempt AND jobs.state = 'RUNNING'
        RETURNING jobs.job_id, jobs.attempt
    ), attempt AS (
        UPDATE attempts SET outcome = 'SUCCEEDED', finish_time = clock_timestamp()
        FROM job WHERE attempts.job_id = job.job_id AND attempts.number = job.attempt
    )
    SELECT job_id, attempt FROM job
"""
_FENCE_NOW: Final = _FENCE.format(wait="SKIP LOCKED")
_FENCE_WAITING: Final = _FENCE.format(wait="")
_IMAGING: Final = """
    UPDATE generations
    SET geometry = input.geometry, print_verdict = input.print_verdict, cutout_method = input.cutout_method,
        cutout_confidence = input.cutout_confidence
    FROM unnest($1::uuid[], $2::integer[], $3::jsonb[], $4::text[], $5::text[], $6::float8[])
        AS input (design_id, generation, geometry, print_verdict, cutout_method, cutout_confidence)
    WHERE generations.design_id = input.design_id AND generations.generation = input.generation
"""
_HAND_ON: Final = """
    WITH input AS (
        SELECT * FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::text[])
            AS input (design_id, generation, attempt, worker)
    ), design AS (
        UPDATE designs SET result_generation = input.generation, stage = 'mockup', progress = $5
        FROM input WHERE designs.design_id = input.design_id
        RETURNING designs.design_id, revision, state
    ), entry AS (
        INSERT INTO timeline (design_id, revision, generation, state, stage, attempt, worker, event)
        SELECT design_id, revision, generation, state, 'imaging', attempt, worker, 'imaging_done'
        FROM design JOIN input USING (design_id)
    )
    SELECT design_id, revision, state FROM design
"""
_ARTIFACTS: Final = """
    INSERT INTO artifacts (design_id, generation, kind, media_type, size_bytes, sha256, object_key)
    SELECT * FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::bigint[], $6::bytea[], $7::text[])
"""
_FINDINGS: Final = """
    INSERT INTO findings (design_id, generation, position, code, level, value, limit_value, unit, message, fix, place)
    SELECT * FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::text[], $5::text[], $6::float8[], $7::float8[],
                         $8::text[], $9::text[], $10::text[], $11::jsonb[])
"""
_FOLLOW_UPS: Final = """
    INSERT INTO jobs (job_id, tenant, design_id, generation, stage, lane, state, due_time, max_attempts, traceparent)
    SELECT job_id, tenant, design_id, generation, 'mockup', lane, CASE WHEN held THEN 'WAITING' ELSE 'QUEUED' END,
           CASE WHEN held THEN now() END, max_attempts, nullif(traceparent, '')
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::integer[], $5::text[], $6::integer[], $7::text[])
        AS job (job_id, tenant, design_id, generation, lane, max_attempts, traceparent),
    LATERAL (
        SELECT EXISTS (
            SELECT FROM jobs
            WHERE state = 'WAITING' AND stage = 'mockup' AND jobs.lane = job.lane AND jobs.tenant = job.tenant
              AND due_time <= now()
        ) OR EXISTS (
            SELECT FROM jobs
            WHERE state = 'QUEUED' AND jobs.tenant = job.tenant AND stage = 'mockup' AND jobs.lane = job.lane
            OFFSET $8::bigint - 1
        ) AS held
    ) room
    RETURNING job_id, state = 'WAITING' AS held
"""
# What an earlier try said is missing is said anew, or there now.
_MOCKUPS: Final = """
    WITH old AS (
        DELETE FROM findings USING unnest($8::uuid[], $9::integer[]) AS run (design_id, generation)
        WHERE findings.design_id = run.design_id AND findings.generation = run.generation AND code = $10
    )
    INSERT INTO mockups (design_id, generation, scene, media_type, size_bytes, sha256, width_px, height_px, object_key)
    SELECT design_id, generation, scene, media_type, size_bytes, sha256, width_px, height_px, object_key
    FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::bigint[], $6::bytea[], $7::text[],
                $11::integer[], $12::integer[])
        AS mockup (design_id, generation, scene, media_type, size_bytes, sha256, object_key, width_px, height_px)
"""
_ADD_FINDING: Final = """
    INSERT INTO findings (design_id, generation, position, code, level, unit, message, fix)
    SELECT $1, $2, coalesce(max(position) + 1, 0), $3, $4, '', $5, $6
    FROM findings WHERE design_id = $1 AND generation = $2
"""
_READY: Final = """
    WITH input AS (
        SELECT * FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::integer[], $5::text[])
            AS input (design_id, generation, stage, attempt, worker)
    ), run AS (
        UPDATE generations SET state = 'READY', finish_time = coalesce(finish_time, clock_timestamp())
        FROM input
        WHERE generations.design_id = input.design_id AND generations.generation = input.generation
    ), design AS (
        UPDATE designs
        SET state = 'READY', stage = NULL, progress = 1, finish_time = coalesce(finish_time, clock_timestamp()),
            result_generation = input.generation
        FROM input WHERE designs.design_id = input.design_id
        RETURNING designs.design_id, revision, state
    ), entry AS (
        INSERT INTO timeline (design_id, revision, generation, state, stage, attempt, worker, event)
        SELECT design_id, revision, generation, state, input.stage, attempt, worker, 'ready'
        FROM design JOIN input USING (design_id)
    )
    SELECT design_id, revision, state FROM design
"""


async def succeed(connection: Connection, claims: Sequence[Claim], *, wait: bool) -> set[tuple[UUID, int]]:
    """Ends attempts and jobs as SUCCEEDED; gives job id and attempt of those that are not fenced out.

    Args:
        connection: Within a transaction.
        claims: Attempts.
        wait: Whether to wait for a design that somebody holds at this moment; without, it counts as fenced out.
    """
    rows = await connection.fetch(
        _FENCE_WAITING if wait else _FENCE_NOW,
        [claim.job_id for claim in claims],
        [claim.design_id for claim in claims],
        [claim.generation for claim in claims],
        [claim.attempt for claim in claims],
    )
    return {(row["job_id"], row["attempt"]) for row in rows}


async def write_imaging(connection: Connection, runs: Sequence[tuple[Claim, ImagingResults]]) -> None:
    """Writes what imaging runs found and made; what becomes of their designs is another statement's."""
    await connection.execute(
        _IMAGING,
        *_runs(claim for claim, _ in runs),
        [_plain(made.geometry) for _, made in runs],
        [made.print_verdict.value for _, made in runs],
        [made.cutout_method.value for _, made in runs],
        [made.cutout_confidence for _, made in runs],
    )
    await _write_artifacts(connection, [(claim, row) for claim, made in runs for row in made.artifacts])
    await _write_findings(
        connection, [(claim, place, row) for claim, made in runs for place, row in enumerate(made.findings)]
    )


async def hand_on(connection: Connection, claims: Sequence[Claim]) -> dict[UUID, DesignNow]:
    """Takes designs whose imaging is done to their next stage."""
    rows = await connection.fetch(
        _HAND_ON,
        *_runs(claims),
        [claim.attempt for claim in claims],
        [claim.worker for claim in claims],
        STAGE_BEGIN[Stage.MOCKUP],
    )
    return _by_design(rows)


async def write_follow_ups(connection: Connection, jobs: Sequence[FollowUp], *, window: int) -> set[UUID]:
    """Writes the mockup jobs that follow; returns those that wait for their turn.

    A tenant that has `window` jobs released in that lane, or earlier ones waiting, has its next ones wait too.
    """
    names = ("job_id", "tenant", "design_id", "generation", "lane", "max_attempts", "traceparent")
    rows = await connection.fetch(_FOLLOW_UPS, *([getattr(job, name) for job in jobs] for name in names), window)
    return {row["job_id"] for row in rows if row["held"]}


async def write_mockups(
    connection: Connection, runs: Sequence[tuple[Claim, Sequence[MockupRow], Finding | None]]
) -> None:
    """Writes the mockups that could be rendered, and what is to be said of others."""
    mockups = [(claim, row) for claim, rows, _ in runs for row in rows]
    await connection.execute(
        _MOCKUPS,
        *_runs(claim for claim, _ in mockups),
        *_columns(mockups, ("scene", "media_type", "size_bytes", "sha256", "object_key")),
        *_runs(claim for claim, _, _ in runs),
        MOCKUPS_UNAVAILABLE,
        *_columns(mockups, ("width_px", "height_px")),
    )
    for claim, _, finding in runs:
        if finding is not None:
            await connection.execute(
                _ADD_FINDING, claim.design_id, claim.generation, finding.code, finding.level, finding.message,
                finding.fix,
            )  # fmt: skip


async def make_ready(connection: Connection, claims: Sequence[Claim]) -> dict[UUID, DesignNow]:
    """Makes designs READY."""
    rows = await connection.fetch(
        _READY,
        *_runs(claims),
        [claim.stage.value for claim in claims],
        [claim.attempt for claim in claims],
        [claim.worker for claim in claims],
    )
    return _by_design(rows)


async def _write_artifacts(connection: Connection, artifacts: Sequence[tuple[Claim, ArtifactRow]]) -> None:
    if artifacts:
        names = ("kind", "media_type", "size_bytes", "sha256", "object_key")
        await connection.execute(_ARTIFACTS, *_runs(claim for claim, _ in artifacts), *_columns(artifacts, names))


async def _write_findings(connection: Connection, findings: Sequence[tuple[Claim, int, Finding]]) -> None:
    if findings:
        names = ("code", "level", "value", "limit", "unit", "message", "fix")
        await connection.execute(
            _FINDINGS,
            *_runs(claim for claim, _, _ in findings),
            [position for _, position, _ in findings],
            *_columns([(claim, row) for claim, _, row in findings], names),
            [_plain(row.place) for _, _, row in findings],
        )


def _by_design(rows: Sequence[asyncpg.Record]) -> dict[UUID, DesignNow]:
    return {row["design_id"]: DesignNow(row["revision"], row["state"]) for row in rows}


def _runs(claims: Iterable[Claim]) -> tuple[list[UUID], list[int]]:
    runs = list(claims)
    return [claim.design_id for claim in runs], [claim.generation for claim in runs]


def _columns(rows: Sequence[tuple[Claim, Any]], names: Sequence[str]) -> list[list[Any]]:
    return [[getattr(row, name) for _, row in rows] for name in names]


def _plain(value: Any) -> Any:
    """A dataclass as a dict, down to the leaves, which are shared: `asdict` would copy each."""
    if not is_dataclass(value):
        return value
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
