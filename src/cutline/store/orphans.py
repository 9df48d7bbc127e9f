"""Objects of the store that no row names. Runs in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cutline.blobs.keys import ArtifactKey, UploadKey
from cutline.store.pool import Connection

_TAKE: Final = "SELECT after_key, now() AS time FROM object_scan FOR UPDATE SKIP LOCKED"
_MOVE: Final = "UPDATE object_scan SET after_key = $1"

# What an unfinished job of the design has written may be named by a row at any moment.
_NAMELESS_ARTIFACTS: Final = """
SELECT object.key FROM unnest($1::text[], $2::uuid[], $3::int[]) AS object (key, design_id, generation)
WHERE NOT EXISTS (
    SELECT FROM artifacts
    WHERE artifacts.design_id = object.design_id AND artifacts.generation = object.generation AND object_key = key
) AND NOT EXISTS (
    SELECT FROM mockups
    WHERE mockups.design_id = object.design_id AND mockups.generation = object.generation AND object_key = key
) AND NOT EXISTS (
    SELECT FROM jobs WHERE jobs.design_id = object.design_id AND state IN ('WAITING', 'QUEUED', 'RUNNING')
)
"""
_LOCK_DESIGNS: Final = """
SELECT design_id FROM designs WHERE design_id = ANY ($1::uuid[]) ORDER BY design_id FOR UPDATE SKIP LOCKED
"""
_STANDING_DESIGNS: Final = "SELECT design_id FROM designs WHERE design_id = ANY ($1::uuid[])"
_NAMELESS_UPLOADS: Final = """
SELECT object.key FROM unnest($1::text[], $2::uuid[]) AS object (key, upload_id)
WHERE NOT EXISTS (SELECT FROM uploads WHERE uploads.upload_id = object.upload_id)
  AND NOT EXISTS (SELECT FROM designs WHERE designs.upload_id = object.upload_id)
"""


async def take_scan(connection: Connection) -> tuple[str, datetime] | None:
    """The key after which to go on, and the database's time; None while another process looks."""
    row = await connection.fetchrow(_TAKE)
    return None if row is None else (row["after_key"], row["time"])


async def move_scan(connection: Connection, after_key: str) -> None:
    """Goes on after this key next time; empty begins anew."""
    await connection.execute(_MOVE, after_key)


async def nameless_artifacts(connection: Connection, keys: Sequence[ArtifactKey]) -> list[str]:
    """Those of the keys that no row names, with their designs' rows locked until the transaction ends.

    While they are, nothing of those designs can be started that would write these objects again. Designs that
    somebody else holds are left for another time; those that are gone have no more writers.
    """
    found = set(await _nameless(connection, keys))
    suspects = [key for key in keys if key.text in found]
    if not suspects:
        return []
    design_ids = list({key.design_id for key in suspects})
    locked = {row["design_id"] for row in await connection.fetch(_LOCK_DESIGNS, design_ids)}
    standing = {row["design_id"] for row in await connection.fetch(_STANDING_DESIGNS, design_ids)}
    return await _nameless(connection, [key for key in suspects if key.design_id not in standing - locked])


async def nameless_uploads(connection: Connection, keys: Sequence[UploadKey]) -> list[str]:
    """Those of the keys that belong to no upload and no design."""
    rows = await connection.fetch(_NAMELESS_UPLOADS, [key.text for key in keys], [key.upload_id for key in keys])
    return [row["key"] for row in rows]


async def _nameless(connection: Connection, keys: Sequence[ArtifactKey]) -> list[str]:
    rows = await connection.fetch(
        _NAMELESS_ARTIFACTS,
        [key.text for key in keys],
        [key.design_id for key in keys],
        [key.generation for key in keys],
    )
    return [row["key"] for row in rows]
