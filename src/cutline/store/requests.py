"""Repeated calls: what a request_id was answered with (AIP-155)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cutline.domain.errors import ConflictError, Reason
from cutline.store.pool import Connection

_FIND: Final = """
SELECT body_sha256, resource_id, deduplicated FROM requests WHERE tenant = $1 AND request_id = $2
"""
_RECORD: Final = """
INSERT INTO requests (tenant, request_id, method, body_sha256, resource_id, deduplicated)
VALUES ($1, $2, $3, $4, $5, $6)
"""


@dataclass(frozen=True, slots=True)
class CallIdentity:
    """A mutating call: who made it, under which id, and what it asked.

    Attributes:
        tenant: Tenant of the caller.
        request_id: The caller's id of this call; None where it gave none, so that nothing is remembered.
        method: Name of the method.
        body_sha256: SHA-256 over the method and the request without its id.
    """

    tenant: str
    request_id: UUID | None
    method: str
    body_sha256: bytes


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """What the first call of that id was answered with."""

    resource_id: UUID
    deduplicated: bool


def request_id_reused(request_id: UUID | None) -> ConflictError:
    """The error for an id that came before with another body."""
    return ConflictError(
        Reason.REQUEST_ID_REUSED,
        "This request_id was used for another call; take a new one for every new call.",
        metadata={"request_id": str(request_id)},
    )


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
