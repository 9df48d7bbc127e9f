"""Repeated calls: what a request_id was answered with (AIP-155)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cutline.domain.calls import CallIdentity, request_id_reused
from cutline.store.pool import Connection

_FIND: Final = """
SELECT body_sha256, resource_id, deduplicated FROM requests WHERE tenant = $1 AND request_id = $2
"""
_RECORD: Final = """
INSERT INTO requests (tenant, request_id, method, body_sha256, resource_id, deduplicated)
VALUES ($1, $2, $3, $4, $5, $6)
"""


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """What the first call of that id was answered with."""

    resource_id: UUID
    deduplicated: bool


async def find_answer(connection: Connection, call: CallIdentity) -> FirstAnswer | None:
    """The first answer given to this call, if it is a repeat.

    Raises:
        ConflictError: The id belongs to another call.
    """
    if call.request_id is None:
        return None
    row = await connection.fetchrow(_FIND, call.tenant, call.request_id)
    if row is None:
        return None
    if row["body_sha256"] != call.body_sha256:
        raise request_id_reused(call.request_id)
    return FirstAnswer(row["resource_id"], row["deduplicated"])


async def record_answer(
    connection: Connection, call: CallIdentity, resource_id: UUID, *, deduplicated: bool = False
) -> None:
    """Remembers the answer in the caller's transaction.

    Raises:
        asyncpg.UniqueViolationError: The same id was answered in the meantime; the transaction must be run again.
    """
    if call.request_id is not None:
        await connection.execute(
            _RECORD, call.tenant, call.request_id, call.method, call.body_sha256, resource_id, deduplicated
        )
