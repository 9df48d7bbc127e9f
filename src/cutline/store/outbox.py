"""Messages that must reach the broker: written with the change they speak of, removed once the broker has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from cutline.store.pool import Connection, Database


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One message; `traceparent` is empty where there is no trace."""

    outbox_id: UUID
    subject: str
    msg_id: str
    payload: bytes
    traceparent: str = ""


_INSERT: Final = """
INSERT INTO outbox (outbox_id, subject, msg_id, payload, traceparent)
SELECT outbox_id, subject, msg_id, payload, nullif(traceparent, '')
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::text[])
  AS row (outbox_id, subject, msg_id, payload, traceparent)
"""

# A row the relay holds is left to the relay: nobody may wait for a publish.
_DELETE: Final = """
DELETE FROM outbox
WHERE outbox_id IN (SELECT outbox_id FROM outbox WHERE outbox_id = ANY ($1::uuid[]) FOR UPDATE SKIP LOCKED)
"""

_TAKE: Final = """
SELECT outbox_id, subject, msg_id, payload, coalesce(traceparent, '') AS traceparent
FROM outbox
WHERE create_time < now() - make_interval(secs => $1)
ORDER BY create_time, outbox_id
LIMIT $2
FOR UPDATE SKIP LOCKED
"""

_DEPTH: Final = "SELECT count(*) FROM outbox"
_AGE: Final = "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(create_time)), 0)::float8 FROM outbox"


async def insert_outbox(connection: Connection, rows: Sequence[OutboxRow]) -> None:
    """Writes messages in the caller's transaction."""
    await connection.execute(
        _INSERT,
        [row.outbox_id for row in rows],
        [row.subject for row in rows],
        [row.msg_id for row in rows],
        [row.payload for row in rows],
        [row.traceparent for row in rows],
    )


async def delete_outbox(database: Connection | asyncpg.Pool[asyncpg.Record], outbox_ids: Sequence[UUID]) -> None:
    """Removes messages the broker has; one that a relay holds at this moment stays, the relay removes it."""
    if outbox_ids:
        await database.execute(_DELETE, outbox_ids)


async def take_outbox(connection: Connection, *, min_age_s: float, limit: int) -> list[OutboxRow]:
    """The oldest messages nobody else holds, locked until the caller's transaction ends."""
    return [OutboxRow(**row) for row in await connection.fetch(_TAKE, min_age_s, limit)]


async def outbox_depth(connection: Connection) -> int:
    """How many messages wait."""
    depth: int = await connection.fetchval(_DEPTH)
    return depth


async def outbox_age_s(database: Database) -> float:
    """How long the oldest message has waited, in seconds; 0 where none waits. Errors as in `Database.transaction`."""
    age_s: float = await database.fetchval(_AGE)
    return max(0.0, age_s)
