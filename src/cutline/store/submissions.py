"""Accepts many submits in one statement, and finds out what the others were.

The statement is its own transaction: one round trip, one commit, however many rows. What it does not return lost
against an equal submit or repeats an earlier call; `resolve_repeats` tells which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from cutline.domain.calls import CallIdentity
from cutline.domain.states import LANES_BY_URGENCY, Lane


@dataclass(frozen=True, slots=True)
class SubmittedArtwork:
    """The artwork of a design: a checked upload."""

    upload_id: UUID
    object_key: str
    filename: str
    media_type: str
    size_bytes: int
    sha256: bytes


@dataclass(slots=True)
class Submission:
    """One design to accept, with its first job.

    Attributes:
        labels_json: Labels as JSON text, as are `spec_json` and `resolved_spec_json`.
        dedup_key: Equal work has an equal key (32 bytes).
        lane: Raised when an equal submit of the same batch asks for more.
        not_before_time: Before it nothing starts; None means at once.
        held: Whether the job waits for its turn although it is due.
        subject: Where its ticket goes; empty while it waits.
        ticket: The message.
    """

    call: CallIdentity
    design_id: UUID
    job_id: UUID
    outbox_id: UUID
    title: str
    labels_json: str
    reference: str
    artwork: SubmittedArtwork
    spec_json: str
    resolved_spec_json: str
    dedup_key: bytes
    lane: Lane
    max_attempts: int
    not_before_time: datetime | None
    traceparent: str
    held: bool = False
    subject: str = ""
    ticket: bytes = b""

    @property
    def waits(self) -> bool:
        """Whether the job is stored WAITING, to be published by the release loop."""
        return self.held or self.not_before_time is not None


@dataclass(frozen=True, slots=True)
class Repeat:
    """What a submit that was not accepted turned out to be.

    Attributes:
        design_id: The design to answer with.
        deduplicated: Whether equal work was under way.
        conflict: Whether the request id belongs to another call.
    """

    design_id: UUID
    deduplicated: bool
    conflict: bool = False


_ACCEPT: Final = """
WITH input AS (
    SELECT * FROM unnest(
        $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::bytea[], $8::text[], $9::text[],
        $10::text[], $11::uuid[], $12::text[], $13::text[], $14::text[], $15::bigint[], $16::bytea[], $17::text[],
        $18::text[], $19::bytea[], $20::text[], $21::int[], $22::boolean[], $23::timestamptz[], $24::text[],
        $25::text[], $26::bytea[]
    ) AS input (
        design_id, job_id, outbox_id, tenant, request_id, method, body_sha256, title, labels, reference, upload_id,
        artwork_key, filename, media_type, size_bytes, sha256, spec, resolved_spec, dedup_key, lane, max_attempts,
        waits, not_before_time, traceparent, subject, ticket
    )
), fresh AS (
    -- LATERAL with LIMIT looks each id up by the index; NOT EXISTS may be planned as a hash over the whole table.
    SELECT input.* FROM input
    LEFT JOIN LATERAL (
        SELECT true AS answered FROM requests
        WHERE requests.tenant = input.tenant AND requests.request_id = input.request_id LIMIT 1
    ) earlier ON true
    WHERE earlier.answered IS NULL
), accepted AS (
    -- In the order of the keys, so that two replicas with the same keys wait for each other in one direction only.
    INSERT INTO generations (design_id, generation, dedup_key, spec, resolved_spec)
    SELECT design_id, 1, dedup_key, spec::jsonb, resolved_spec::jsonb FROM fresh ORDER BY dedup_key
    ON CONFLICT (dedup_key) WHERE state IN ('QUEUED', 'PROCESSING') DO NOTHING
    RETURNING design_id, create_time
), stored AS (
    SELECT fresh.* FROM fresh JOIN accepted USING (design_id)
), design AS (
    INSERT INTO designs (design_id, tenant, title, labels, reference, upload_id, artwork_key, filename, media_type,
                         size_bytes, sha256)
    SELECT design_id, tenant, title, labels::jsonb, reference, upload_id, artwork_key, filename, media_type,
           size_bytes, sha256
    FROM stored
), job AS (
    INSERT INTO jobs (job_id, tenant, design_id, generation, stage, lane, state, max_attempts, due_time, traceparent)
    SELECT job_id, tenant, design_id, 1, 'imaging', lane, CASE WHEN waits THEN 'WAITING' ELSE 'QUEUED' END,
           max_attempts, CASE WHEN waits THEN coalesce(not_before_time, now()) END, nullif(traceparent, '')
    FROM stored
), story AS (
    INSERT INTO timeline (design_id, revision, generation, state, event)
    SELECT design_id, 1, 1, 'QUEUED', 'submitted' FROM stored
), message AS (
    INSERT INTO outbox (outbox_id, subject, msg_id, payload, traceparent)
    SELECT outbox_id, subject, job_id::text || ':1', ticket, nullif(traceparent, '') FROM stored WHERE NOT waits
), answer AS (
    INSERT INTO requests (tenant, request_id, method, body_sha256, resource_id)
    SELECT tenant, request_id, method, body_sha256, design_id FROM stored WHERE request_id IS NOT NULL
), used AS (
    UPDATE uploads SET submit_time = now() WHERE upload_id = ANY ($27::uuid[]) AND submit_time IS NULL
), published AS (
    DELETE FROM outbox
    WHERE outbox_id IN (SELECT outbox_id FROM outbox WHERE outbox_id = ANY ($28::uuid[]) FOR UPDATE SKIP LOCKED)
)
SELECT design_id, create_time FROM accepted
"""

_RESOLVE: Final = """
WITH input AS (
    SELECT * FROM unnest($1::int[], $2::text[], $3::uuid[], $4::text[], $5::bytea[], $6::bytea[], $7::text[])
        AS input (position, tenant, request_id, method, body_sha256, dedup_key, lane)
), answered AS (
    SELECT input.position, requests.resource_id, requests.deduplicated,
           requests.body_sha256 <> input.body_sha256 AS conflict
    FROM input JOIN requests USING (tenant, request_id)
), winner AS (
    SELECT input.*, generations.design_id, generations.generation
    FROM input
    JOIN generations ON generations.dedup_key = input.dedup_key AND generations.state IN ('QUEUED', 'PROCESSING')
    WHERE NOT EXISTS (SELECT 1 FROM answered WHERE answered.position = input.position)
), recorded AS (
    INSERT INTO requests (tenant, request_id, method, body_sha256, resource_id, deduplicated)
    SELECT tenant, request_id, method, body_sha256, design_id, true FROM winner WHERE request_id IS NOT NULL
    ON CONFLICT DO NOTHING
    RETURNING tenant, request_id
), wish AS (
    SELECT design_id, generation, min(array_position($8::text[], lane)) AS rank
    FROM winner GROUP BY design_id, generation
), raised AS (
    UPDATE jobs SET lane = ($8::text[])[wish.rank]
    FROM wish
    WHERE jobs.design_id = wish.design_id AND jobs.generation = wish.generation AND jobs.state = 'WAITING'
      AND jobs.attempt = 0 AND jobs.publication = 1 AND wish.rank < array_position($8::text[], jobs.lane)
)
SELECT position, resource_id AS design_id, deduplicated, conflict FROM answered
UNION ALL
SELECT position, design_id, true, false FROM winner
WHERE request_id IS NULL OR (tenant, request_id) IN (SELECT tenant, request_id FROM recorded)
"""

_URGENCY: Final = [lane.value for lane in LANES_BY_URGENCY]


async def accept_submissions(
    pool: asyncpg.Pool[asyncpg.Record],
    rows: Sequence[Submission],
    *,
    first_used_uploads: Sequence[UUID],
    published: Sequence[UUID],
) -> dict[UUID, datetime]:
    """Accepts what is new among `rows`, in one transaction.

    Args:
        pool: Where.
        rows: No two of one dedup key or of one tenant and request id.
        first_used_uploads: Uploads to keep from now on.
        published: Outbox rows to remove on the way.

    Returns:
        Time of acceptance by design id. A row that is absent repeats an earlier call or equals work under way.
    """
    answers = await pool.fetch(
        _ACCEPT,
        [row.design_id for row in rows],
        [row.job_id for row in rows],
        [row.outbox_id for row in rows],
        [row.call.tenant for row in rows],
        [row.call.request_id for row in rows],
        [row.call.method for row in rows],
        [row.call.body_sha256 for row in rows],
        [row.title for row in rows],
        [row.labels_json for row in rows],
        [row.reference for row in rows],
        [row.artwork.upload_id for row in rows],
        [row.artwork.object_key for row in rows],
        [row.artwork.filename for row in rows],
        [row.artwork.media_type for row in rows],
        [row.artwork.size_bytes for row in rows],
        [row.artwork.sha256 for row in rows],
        [row.spec_json for row in rows],
        [row.resolved_spec_json for row in rows],
        [row.dedup_key for row in rows],
        [row.lane.value for row in rows],
        [row.max_attempts for row in rows],
        [row.waits for row in rows],
        [row.not_before_time for row in rows],
        [row.traceparent for row in rows],
        [row.subject for row in rows],
        [row.ticket for row in rows],
        first_used_uploads,
        published,
    )
    return {row["design_id"]: row["create_time"] for row in answers}


async def resolve_repeats(pool: asyncpg.Pool[asyncpg.Record], rows: Sequence[Submission]) -> dict[int, Repeat]:
    """Finds what submits that were not accepted repeat, records their request ids and raises lanes they ask for.

    Args:
        pool: Where.
        rows: No two of one tenant and request id.

    Returns:
        What each row is, by its position. One that is absent is neither a repeat any more nor equal to work under
        way: accept it again.
    """
    answers = await pool.fetch(
        _RESOLVE,
        list(range(len(rows))),
        [row.call.tenant for row in rows],
        [row.call.request_id for row in rows],
        [row.call.method for row in rows],
        [row.call.body_sha256 for row in rows],
        [row.dedup_key for row in rows],
        [row.lane.value for row in rows],
        _URGENCY,
    )
    return {row["position"]: Repeat(row["design_id"], row["deduplicated"], row["conflict"]) for row in answers}
