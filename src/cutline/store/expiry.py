"""What has been kept long enough and goes: each kind in batches, by an index, by the database's clock.

Every function runs in the caller's transaction, skips rows that somebody else holds, and returns how many it removed.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from cutline.store.pool import Connection, Database

# A dead job stays as long as its open dead letter, so that it can be run again.
_JOBS: Final = """
DELETE FROM jobs WHERE job_id IN (
    SELECT job_id FROM jobs
    WHERE finish_time < now() - make_interval(secs => $1) AND state IN ('SUCCEEDED', 'DEAD', 'CANCELLED')
      AND NOT (state = 'DEAD' AND EXISTS (
          SELECT FROM dead_letters
          WHERE dead_letters.design_id = jobs.design_id AND dead_letters.job_id = jobs.job_id AND resolution IS NULL
      ))
    ORDER BY finish_time LIMIT $2 FOR UPDATE SKIP LOCKED
)
"""
_REQUESTS: Final = """
DELETE FROM requests WHERE (tenant, request_id) IN (
    SELECT tenant, request_id FROM requests WHERE create_time < now() - make_interval(secs => $1)
    ORDER BY create_time LIMIT $2 FOR UPDATE SKIP LOCKED
)
"""
_QUEUE_ACTIONS: Final = """
DELETE FROM queue_actions WHERE (tenant, request_id) IN (
    SELECT tenant, request_id FROM queue_actions WHERE create_time < now() - make_interval(secs => $1)
    ORDER BY create_time LIMIT $2 FOR UPDATE SKIP LOCKED
)
"""
# An id begins with the milliseconds of its making, so that the primary key finds what is old.
_ID_BEFORE: Final = """
(lpad(to_hex(floor(extract(epoch FROM now() - make_interval(secs => {age_s})) * 1000)::bigint), 12, '0')
 || repeat('0', 20))::uuid
"""
_DEAD_LETTERS: Final = f"""
DELETE FROM dead_letters WHERE dead_letter_id IN (
    SELECT dead_letter_id FROM dead_letters
    WHERE dead_letter_id < {_ID_BEFORE.format(age_s="$1::float8")}
      AND create_time < now() - make_interval(secs => $1)
    ORDER BY dead_letter_id LIMIT $2 FOR UPDATE SKIP LOCKED
)
"""  # noqa: S608  (the part is a constant of this module, here and below)
_GENERATIONS: Final = """
WITH gone AS (
    DELETE FROM generations WHERE (design_id, generation) IN (
        SELECT design_id, generation FROM generations
        WHERE supersede_time < now() - make_interval(secs => $1) AND state NOT IN ('QUEUED', 'PROCESSING')
        ORDER BY supersede_time LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    RETURNING design_id, generation
), files AS (
    INSERT INTO object_removals (prefix, due_time)
    SELECT tenant || '/' || gone.design_id || '/' || gone.generation || '/', now()
    FROM gone JOIN designs USING (design_id)
    ON CONFLICT (prefix) DO NOTHING
)
SELECT count(*) FROM gone
"""
_EXPIRED_DESIGNS: Final = f"""
SELECT tenant_settings.tenant, design.design_id
FROM tenant_settings, LATERAL (
    SELECT design_id FROM designs
    WHERE designs.tenant = tenant_settings.tenant
      AND design_id < {_ID_BEFORE.format(age_s="tenant_settings.design_keep_s::float8")}
      AND finish_time < now() - make_interval(secs => tenant_settings.design_keep_s)
      AND state IN ('READY', 'FAILED', 'CANCELLED')
    ORDER BY design_id LIMIT $1
) design
LIMIT $1
"""  # noqa: S608


async def remove_ended_jobs(connection: Connection, *, keep_s: float, limit: int) -> int:
    """Removes jobs that ended so long ago, with their attempts; a design's own rows tell what became of it."""
    return _count(await connection.execute(_JOBS, keep_s, limit))


async def forget_requests(connection: Connection, *, keep_s: float, limit: int) -> int:
    """Removes answers nobody will ask for again."""
    return _count(await connection.execute(_REQUESTS, keep_s, limit))


async def forget_queue_actions(connection: Connection, *, keep_s: float, limit: int) -> int:
    """Removes what is known of old redrives and discards."""
    return _count(await connection.execute(_QUEUE_ACTIONS, keep_s, limit))


async def remove_dead_letters(connection: Connection, *, keep_s: float, limit: int) -> int:
    """Removes old dead letters, open or not; the designs keep why they failed."""
    return _count(await connection.execute(_DEAD_LETTERS, keep_s, limit))


async def remove_superseded(connection: Connection, *, keep_s: float, limit: int) -> int:
    """Removes generations that were superseded so long ago, and leaves their objects to be removed."""
    removed: int = await connection.fetchval(_GENERATIONS, keep_s, limit)
    return removed


async def expired_designs(database: Database, *, limit: int) -> list[tuple[str, UUID]]:
    """Tenant and id of ended designs older than their tenant wants to keep them."""
    return [(row["tenant"], row["design_id"]) for row in await database.fetch(_EXPIRED_DESIGNS, limit)]


def _count(command_tag: str) -> int:
    return int(command_tag.rpartition(" ")[2])
