"""Objects that belong to nobody any more, to be removed from the store."""

from __future__ import annotations

from typing import Final

from cutline.store.pool import Connection

_TAKE: Final = """
SELECT prefix FROM object_removals WHERE due_time <= now() ORDER BY due_time LIMIT $1 FOR UPDATE SKIP LOCKED
"""
_FINISH: Final = "DELETE FROM object_removals WHERE prefix = $1"


async def take_removals(connection: Connection, *, limit: int) -> list[str]:
    """Prefixes of object keys that are due, locked until the caller's transaction ends."""
    return [row["prefix"] for row in await connection.fetch(_TAKE, limit)]


async def finish_removal(connection: Connection, prefix: str) -> None:
    """Forgets a prefix under which nothing is left."""
    await connection.execute(_FINISH, prefix)
