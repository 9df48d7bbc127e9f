"""What is left of deleted designs: ids, for as long as somebody who was away may still have to be told.

A trigger on designs writes a tombstone in the transaction of the delete, whoever deletes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cutline.store.design_reads import DesignKey, Queryable
from cutline.store.pool import Connection

_DELETED: Final = """
SELECT design_id, change_xid::text AS change_xid
FROM design_tombstones
WHERE tenant = $1 AND change_xid >= $2::text::xid8
  AND ($3::uuid IS NULL OR (change_xid, design_id) > ($2::text::xid8, $3))
ORDER BY design_tombstones.change_xid, design_tombstones.design_id  -- by the number, not by its text of the same name
LIMIT $4
"""
_HORIZON: Final = "SELECT change_xid::text AS change_xid FROM tombstone_horizons WHERE tenant = $1"
_BY_KEYS: Final = """
SELECT tombstone.tenant, tombstone.design_id, tombstone.change_xid::text AS change_xid
FROM design_tombstones tombstone
JOIN unnest($1::text[], $2::uuid[]) AS wanted (tenant, design_id)
  ON tombstone.design_id = wanted.design_id AND tombstone.tenant = wanted.tenant
"""
# In the order of the tenants: two that forget at once must not wait for each other in a circle.
_FORGET: Final = """
WITH gone AS (
    DELETE FROM design_tombstones WHERE design_id IN (
        SELECT design_id FROM design_tombstones WHERE delete_time < now() - make_interval(secs => $1)
        ORDER BY delete_time LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    RETURNING tenant, change_xid
), horizon AS (
    INSERT INTO tombstone_horizons (tenant, change_xid)
    SELECT tenant, max(change_xid::text::numeric)::text::xid8 FROM gone GROUP BY tenant ORDER BY tenant
    ON CONFLICT (tenant) DO UPDATE
    SET change_xid = greatest(tombstone_horizons.change_xid, EXCLUDED.change_xid)
)
SELECT count(*) FROM gone
"""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A deleted design and the transaction that deleted it."""

    design_id: UUID
    change_xid: int


async def list_deleted(
    database: Queryable, tenant: str, *, since_xid: int, after: UUID | None, limit: int
) -> list[Tombstone]:
    """A page of a tenant's deleted designs from transaction `since_xid` on; pages as those of `list_changed`."""
    rows = await database.fetch(_DELETED, tenant, str(since_xid), after, limit)
    return [Tombstone(row["design_id"], int(row["change_xid"])) for row in rows]


async def read_horizon(database: Queryable, tenant: str) -> int:
    """The last transaction of a tenant whose deletes may be forgotten; 0 where none is.

    Read it behind the tombstones it is to vouch for: those that went meanwhile lie before it.
    """
    rows = await database.fetch(_HORIZON, tenant)
    return int(rows[0]["change_xid"]) if rows else 0


async def read_deleted(database: Queryable, keys: Sequence[DesignKey]) -> dict[DesignKey, int]:
    """Those of the designs that are known to have existed and been deleted, and the transaction that deleted each."""
    rows = await database.fetch(_BY_KEYS, [tenant for tenant, _ in keys], [design for _, design in keys])
    return {(row["tenant"], row["design_id"]): int(row["change_xid"]) for row in rows}


async def forget_deleted(connection: Connection, *, keep_s: float, limit: int) -> int:
    """Removes old tombstones and moves their tenants' horizons; how many it removed. Skips what others hold."""
    removed: int = await connection.fetchval(_FORGET, keep_s, limit)
    return removed
