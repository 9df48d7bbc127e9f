"""Uploads: places promised to callers, and what is known of the bytes put there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from cutline.domain.calls import CallIdentity
from cutline.store.pool import Connection, Database
from cutline.store.requests import find_answer, record_answer


@dataclass(frozen=True, slots=True)
class NewUpload:
    """An upload to promise; `sha256` has 32 bytes."""

    upload_id: UUID
    tenant: str
    object_key: str
    filename: str
    media_type: str
    size_bytes: int
    sha256: bytes
    keep_s: float


@dataclass(frozen=True, slots=True)
class UploadRow:
    """An upload as it is stored; `checked` once the object was seen with the bytes promised."""

    upload_id: UUID
    tenant: str
    object_key: str
    filename: str
    media_type: str
    size_bytes: int
    sha256: bytes
    expire_time: datetime
    checked: bool


_COLUMNS: Final = """
upload_id, tenant, object_key, filename, media_type, size_bytes, sha256, expire_time, check_time IS NOT NULL AS checked
"""

_INSERT: Final = f"""
INSERT INTO uploads (upload_id, tenant, object_key, filename, media_type, size_bytes, sha256, expire_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8))
RETURNING {_COLUMNS}
"""  # noqa: S608  (the part is a constant of this module, here and below)

# One that has expired without a design may be removed at any moment: it is gone for the caller.
_FIND: Final = f"""
SELECT {_COLUMNS} FROM uploads
WHERE upload_id = $1 AND tenant = $2 AND (submit_time IS NOT NULL OR expire_time > now())
"""  # noqa: S608

_CHECKED: Final = "UPDATE uploads SET check_time = now() WHERE upload_id = $1 AND check_time IS NULL"

# The grace is longer than any process remembers an upload, so that none is removed under a submit.
_REMOVE_UNUSED: Final = """
WITH gone AS (
    DELETE FROM uploads
    WHERE upload_id IN (
        SELECT upload_id FROM uploads u
        WHERE submit_time IS NULL AND expire_time < now() - make_interval(secs => $1)
          AND NOT EXISTS (SELECT 1 FROM designs d WHERE d.upload_id = u.upload_id)
        ORDER BY expire_time LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
    RETURNING object_key
), files AS (
    INSERT INTO object_removals (prefix, due_time) SELECT object_key, now() FROM gone ON CONFLICT (prefix) DO NOTHING
)
SELECT count(*) FROM gone
"""


async def create_upload(database: Database, call: CallIdentity, upload: NewUpload) -> UploadRow:
    """Stores an upload, or finds the one this call was first answered with.

    Raises:
        ConflictError: The request id belongs to another call.
        asyncpg.UniqueViolationError: The same call is being answered elsewhere; try again.
    """

    async def work(connection: Connection) -> UploadRow:
        first = await find_answer(connection, call)
        if first is not None and (known := await find_upload(connection, upload.tenant, first.resource_id)):
            return known
        row = await connection.fetchrow(
            _INSERT,
            upload.upload_id,
            upload.tenant,
            upload.object_key,
            upload.filename,
            upload.media_type,
            upload.size_bytes,
            upload.sha256,
            upload.keep_s,
        )
        assert row is not None  # noqa: S101  (INSERT ... RETURNING of one row returns one row)
        if first is None:
            await record_answer(connection, call, upload.upload_id)
        return UploadRow(**row)

    return await database.run_transaction(work)


async def find_upload(database: Connection | Database, tenant: str, upload_id: UUID) -> UploadRow | None:
    """The tenant's upload of that id, unless it has expired unused."""
    row = await database.fetchrow(_FIND, upload_id, tenant)
    return None if row is None else UploadRow(**row)


async def mark_checked(database: Database, upload_id: UUID) -> None:
    """Remembers that the object is there as promised."""
    await database.execute(_CHECKED, upload_id)


async def remove_unused_uploads(connection: Connection, *, grace_s: float, limit: int) -> int:
    """Removes uploads that expired without a design, leaves their objects to be removed, and returns how many."""
    removed: int = await connection.fetchval(_REMOVE_UNUSED, grace_s, limit)
    return removed
