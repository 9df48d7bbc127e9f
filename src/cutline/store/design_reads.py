"""Reads designs: one statement for many designs, each with its newest spec and the results it shows.

A design shows the spec of its newest generation, and the measures, findings, files and mockups of the last generation
whose imaging succeeded. Children are gathered as JSON inside the statement, so that a page of designs costs one round
trip and every part of a design comes from one snapshot.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

from cutline.domain.states import DesignState, Stage

Json = Mapping[str, Any]


class Queryable(Protocol):
    """What runs a statement: a pool or a connection of asyncpg."""

    async def fetch(self, query: str, /, *args: Any) -> Sequence[Any]:
        """Runs a statement and returns its rows."""
        ...


@dataclass(frozen=True, slots=True)
class DesignRow:
    """A design as it stood in one snapshot; the JSON values have the names of the columns they come from.

    Attributes:
        artifacts: `kind generation media_type size_bytes sha256 object_key`, in the order of their kinds' names.
        findings: `code level value limit unit message fix place`, in the order the run gave them.
        mockups: `scene generation media_type size_bytes sha256 width_px height_px object_key`, by scene.
        timeline: `revision time generation state stage attempt worker event`, oldest first; None where not asked for.
        change_xid: Transaction of the last change.
        snapshot_xmin: Oldest transaction that was still running at the read: every later change has this id or more.
    """

    design_id: UUID
    tenant: str
    title: str
    labels: Json
    reference: str
    upload_id: UUID
    filename: str
    media_type: str
    size_bytes: int
    sha256: bytes
    state: DesignState
    stage: Stage | None
    progress: float
    revision: int
    generation: int
    failure_reason: str | None
    failure_message: str | None
    failure_stage: Stage | None
    create_time: datetime
    update_time: datetime
    finish_time: datetime | None
    spec: Json
    resolved_spec: Json
    geometry: Json | None
    print_verdict: str | None
    cutout_method: str | None
    cutout_confidence: float | None
    artifacts: Sequence[Json]
    findings: Sequence[Json]
    mockups: Sequence[Json]
    timeline: Sequence[Json] | None
    change_xid: int
    snapshot_xmin: int


@dataclass(frozen=True, slots=True)
class DesignFilter:
    """Conditions of a list; what is empty does not filter, what is set must hold.

    Attributes:
        text: Part of the title, the reference or the file name, case ignored.
        create_time_from: Earliest time of acceptance, included.
        create_time_before: Latest time of acceptance, excluded.
    """

    states: tuple[DesignState, ...] = ()
    failure_reason: str = ""
    labels: Json = field(default_factory=dict)
    reference: str = ""
    text: str = ""
    create_time_from: datetime | None = None
    create_time_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A design's last change: the revision it made and the transaction that made it."""

    design_id: UUID
    revision: int
    change_xid: int


@dataclass(frozen=True, slots=True)
class TransactionBounds:
    """Which transactions a snapshot sees.

    Attributes:
        xmin: Oldest that was still running; all before it are seen.
        xmax: First that had not started.
    """

    xmin: int
    xmax: int


# The aliases: d the design, g its newest generation, r the generation whose results it shows. $1 asks for the timeline.
_SELECT: Final = """
SELECT d.design_id, d.tenant, d.title, d.labels::text AS labels, d.reference, d.upload_id, d.filename, d.media_type,
       d.size_bytes, d.sha256, d.state, d.stage, d.progress, d.revision, d.generation, d.failure_reason,
       d.failure_message, d.failure_stage, d.create_time, d.update_time, d.finish_time,
       g.spec::text AS spec, g.resolved_spec::text AS resolved_spec,
       r.geometry::text AS geometry, r.print_verdict, r.cutout_method, r.cutout_confidence,
       (SELECT json_agg(json_build_object('kind', kind, 'generation', generation, 'media_type', media_type,
               'size_bytes', size_bytes, 'sha256', encode(sha256, 'hex'), 'object_key', object_key) ORDER BY kind)
        FROM artifacts WHERE design_id = d.design_id AND generation = d.result_generation)::text AS artifacts,
       (SELECT json_agg(json_build_object('code', code, 'level', level, 'value', value, 'limit', limit_value,
               'unit', unit, 'message', message, 'fix', fix, 'place', place) ORDER BY position)
        FROM findings WHERE design_id = d.design_id AND generation = d.result_generation)::text AS findings,
       (SELECT json_agg(json_build_object('scene', scene, 'generation', generation, 'media_type', media_type,
               'size_bytes', size_bytes, 'sha256', encode(sha256, 'hex'), 'width_px', width_px,
               'height_px', height_px, 'object_key', object_key) ORDER BY scene)
        FROM mockups WHERE design_id = d.design_id AND generation = d.result_generation)::text AS mockups,
       CASE WHEN $1::boolean THEN (SELECT json_agg(json_build_object('revision', revision, 'time', time,
               'generation', generation, 'state', state, 'stage', stage, 'attempt', attempt, 'worker', worker,
               'event', event) ORDER BY revision)
        FROM timeline WHERE design_id = d.design_id)::text END AS timeline,
       d.change_xid::text AS change_xid, pg_snapshot_xmin(pg_current_snapshot())::text AS snapshot_xmin
FROM designs d
JOIN generations g ON g.design_id = d.design_id AND g.generation = d.generation
LEFT JOIN generations r ON r.design_id = d.design_id AND r.generation = d.result_generation
"""

_BY_KEYS: Final = f"""
{_SELECT}
JOIN unnest($2::text[], $3::uuid[]) AS wanted (tenant, design_id)
  ON d.design_id = wanted.design_id AND d.tenant = wanted.tenant
"""

# The same for one design, of which Postgres keeps the plan: it plans a statement over arrays anew each time, for their
# length might matter, and that takes twice as long as reading a row.
_BY_KEY: Final = f"""
{_SELECT}
WHERE d.tenant = $2 AND d.design_id = $3
"""

_PAGE: Final = f"""
{_SELECT}
WHERE d.tenant = $2
  AND ($3::uuid IS NULL OR d.design_id < $3)
  AND ($4::text[] = '{{}}' OR d.state = ANY ($4))
  AND ($5::text = '' OR d.failure_reason = $5)
  AND d.labels @> $6::text::jsonb
  AND ($7::text = '' OR d.reference = $7)
  AND ($8::text = '' OR strpos(lower(d.title), lower($8)) > 0 OR strpos(lower(d.reference), lower($8)) > 0
       OR strpos(lower(d.filename), lower($8)) > 0)
  AND ($9::timestamptz IS NULL OR d.create_time >= $9)
  AND ($10::timestamptz IS NULL OR d.create_time < $10)
ORDER BY d.design_id DESC
LIMIT $11
"""

_UNFINISHED: Final = f"""
{_SELECT}
WHERE d.tenant = $2 AND d.state IN ('QUEUED', 'PROCESSING') AND ($3::uuid IS NULL OR d.design_id > $3)
ORDER BY d.design_id
LIMIT $4
"""

_CHANGED: Final = f"""
{_SELECT}
WHERE d.tenant = $2 AND d.change_xid >= $3::text::xid8
  AND ($4::uuid IS NULL OR (d.change_xid, d.design_id) > ($3::text::xid8, $4))
ORDER BY d.change_xid, d.design_id
LIMIT $5
"""

_CHANGED_KEYS: Final = """
SELECT design_id, revision, change_xid::text AS change_xid
FROM designs
WHERE tenant = $1 AND change_xid >= $2::text::xid8
  AND ($3::uuid IS NULL OR (change_xid, design_id) > ($2::text::xid8, $3))
ORDER BY designs.change_xid, designs.design_id  -- by the number, not by its text of the same name
LIMIT $4
"""

_REVISIONS: Final = """
SELECT d.tenant, d.design_id, d.revision
FROM designs d
JOIN unnest($1::text[], $2::uuid[]) AS wanted (tenant, design_id)
  ON d.design_id = wanted.design_id AND d.tenant = wanted.tenant
"""

_BOUNDS: Final = """
SELECT pg_snapshot_xmin(snapshot)::text AS xmin, pg_snapshot_xmax(snapshot)::text AS xmax,
       pg_current_wal_insert_lsn()::text AS written
FROM pg_current_snapshot() AS snapshot
"""
_KEPT: Final = "SELECT pg_current_wal_flush_lsn() >= $1::text::pg_lsn AS kept"
_KEPT_WITHIN_S: Final = 1.0
_KEPT_POLL_S: Final = 0.01

DesignKey = tuple[str, UUID]
"""Tenant and design id: what names a design in every read."""


async def read_designs(
    database: Queryable, keys: Sequence[DesignKey], *, timeline: bool = False
) -> dict[DesignKey, DesignRow]:
    """Many designs at once; one that does not exist, or is another tenant's, is absent from the answer."""
    if len(keys) == 1:
        rows = await database.fetch(_BY_KEY, timeline, *keys[0])
    else:
        rows = await database.fetch(_BY_KEYS, timeline, [tenant for tenant, _ in keys], [design for _, design in keys])
    return {(row["tenant"], row["design_id"]): _design_row(row) for row in rows}


async def read_design(database: Queryable, tenant: str, design_id: UUID, *, timeline: bool = False) -> DesignRow | None:
    """One design, or None where the tenant has none of that id."""
    found = await read_designs(database, [(tenant, design_id)], timeline=timeline)
    return found.get((tenant, design_id))


async def list_designs(
    database: Queryable, tenant: str, conditions: DesignFilter, *, before: UUID | None, limit: int
) -> list[DesignRow]:
    """A page of a tenant's designs, newest first.

    Args:
        database: What runs the statement.
        tenant: Whose designs.
        conditions: Which of them.
        before: Only designs with a smaller (older) id: the last one of the page before.
        limit: Most designs to return.
    """
    rows = await database.fetch(
        _PAGE,
        False,  # noqa: FBT003  (an argument of the statement)
        tenant,
        before,
        [state.value for state in conditions.states],
        conditions.failure_reason,
        json.dumps(dict(conditions.labels)),
        conditions.reference,
        conditions.text,
        conditions.create_time_from,
        conditions.create_time_before,
        limit,
    )
    return [_design_row(row) for row in rows]


async def list_unfinished(database: Queryable, tenant: str, *, after: UUID | None, limit: int) -> list[DesignRow]:
    """A page of a tenant's QUEUED and PROCESSING designs by id, from the one behind `after`."""
    rows = await database.fetch(_UNFINISHED, False, tenant, after, limit)  # noqa: FBT003
    return [_design_row(row) for row in rows]


async def list_changed(
    database: Queryable, tenant: str, *, since_xid: int, after: UUID | None, limit: int
) -> list[DesignRow]:
    """A page of a tenant's designs by their last change, from transaction `since_xid` on.

    For the next page pass the last row's `change_xid` and `design_id`. A change that commits in the meantime under an
    older transaction can fall behind the page; whoever resumes begins from the `xmin` read before the first page and so
    meets it.
    """
    rows = await database.fetch(_CHANGED, False, tenant, str(since_xid), after, limit)  # noqa: FBT003
    return [_design_row(row) for row in rows]


async def list_changes(
    database: Queryable, tenant: str, *, since_xid: int, after: UUID | None, limit: int
) -> list[Change]:
    """As `list_changed`, but tells only which designs changed, not what they are now."""
    rows = await database.fetch(_CHANGED_KEYS, tenant, str(since_xid), after, limit)
    return [Change(row["design_id"], row["revision"], int(row["change_xid"])) for row in rows]


async def read_revisions(database: Queryable, keys: Sequence[DesignKey]) -> dict[DesignKey, int]:
    """The revisions of many designs and nothing else; one that does not exist is absent."""
    rows = await database.fetch(_REVISIONS, [tenant for tenant, _ in keys], [design for _, design in keys])
    return {(row["tenant"], row["design_id"]): row["revision"] for row in rows}


async def read_bounds(database: Queryable) -> TransactionBounds:
    """Which transactions a read that begins after this one is sure to see.

    A crash of the database takes back the ids of transactions that were undone before anything of theirs was on disk,
    and gives them out again: changes would be taken for older ones. So this waits until all they wrote is on disk.
    """
    (row,) = await database.fetch(_BOUNDS)
    end_s = time.monotonic() + _KEPT_WITHIN_S
    # The time is bounded because at the end of a page what is written next begins behind all that can be on disk.
    while not await _kept(database, row["written"]) and time.monotonic() < end_s:  # noqa: ASYNC110  (the server does it)
        await asyncio.sleep(_KEPT_POLL_S)
    return TransactionBounds(int(row["xmin"]), int(row["xmax"]))


async def _kept(database: Queryable, written: str) -> bool:
    """Whether the log of the database is on disk up to here."""
    (row,) = await database.fetch(_KEPT, written)
    return bool(row["kept"])


_AS_THEY_ARE: Final = (
    "design_id",
    "tenant",
    "title",
    "reference",
    "upload_id",
    "filename",
    "media_type",
    "size_bytes",
    "sha256",
    "progress",
    "revision",
    "generation",
    "failure_reason",
    "failure_message",
    "create_time",
    "update_time",
    "finish_time",
    "print_verdict",
    "cutout_method",
    "cutout_confidence",
)


def _design_row(row: Any) -> DesignRow:
    return DesignRow(
        **{name: row[name] for name in _AS_THEY_ARE},
        labels=json.loads(row["labels"]),
        state=DesignState(row["state"]),
        stage=_stage(row["stage"]),
        failure_stage=_stage(row["failure_stage"]),
        spec=json.loads(row["spec"]),
        resolved_spec=json.loads(row["resolved_spec"]),
        geometry=json.loads(row["geometry"]) if row["geometry"] else None,
        artifacts=json.loads(row["artifacts"] or "[]"),
        findings=json.loads(row["findings"] or "[]"),
        mockups=json.loads(row["mockups"] or "[]"),
        timeline=json.loads(row["timeline"]) if row["timeline"] else None,
        change_xid=int(row["change_xid"]),
        snapshot_xmin=int(row["snapshot_xmin"]),
    )


def _stage(value: str | None) -> Stage | None:
    return Stage(value) if value else None
