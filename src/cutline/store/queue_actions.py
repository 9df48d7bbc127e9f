"""Redrives and discards as rows: who asked for what, how far it got, and what a repeat is answered with.

An action goes through the dead letters that match in bounded batches, each a transaction that also moves the action on.
A call that is repeated with its request id therefore goes on where the first one was cut off, or is told its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from cutline.domain.calls import request_id_reused
from cutline.store.pool import Connection

_BEGIN: Final = """
INSERT INTO queue_actions (tenant, request_id, method, subject, body_sha256, conditions)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant, request_id) DO NOTHING
"""
_TAKE: Final = """
SELECT body_sha256, done_count, skipped_count, last_id, create_time, finish_time IS NOT NULL AS finished
FROM queue_actions WHERE tenant = $1 AND request_id = $2 FOR UPDATE
"""
_ADVANCE: Final = """
UPDATE queue_actions
SET done_count = $3, skipped_count = $4, last_id = $5, finish_time = CASE WHEN $6 THEN clock_timestamp() END
WHERE tenant = $1 AND request_id = $2
"""


@dataclass(frozen=True, slots=True)
class QueueCall:
    """A redrive or discard: who asked, under which id, for what.

    Attributes:
        tenant: Tenant of the caller's key; request ids are told apart by it.
        subject: Id of the caller's key.
        request_id: The caller's id of this call, or one made for it.
        method: Name of the method.
        body_sha256: SHA-256 over the method and the request without its id.
        conditions: What was asked for, as it is kept.
    """

    tenant: str
    subject: str
    request_id: UUID
    method: str
    body_sha256: bytes
    conditions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ActionState:
    """How far an action is.

    Attributes:
        done: Dead letters dealt with.
        skipped: Dead letters left alone.
        last_id: The last one looked at.
        create_time: When it began: what was given up later is not part of it.
        finished: Whether it has ended.
    """

    done: int
    skipped: int
    last_id: UUID | None
    create_time: datetime
    finished: bool


async def take_action(connection: Connection, call: QueueCall) -> ActionState:
    """Begins the action, or finds it where it was left; holds it until the caller's transaction ends.

    Raises:
        ConflictError: The request id belongs to another call.
    """
    await connection.execute(
        _BEGIN, call.tenant, call.request_id, call.method, call.subject, call.body_sha256, dict(call.conditions)
    )
    row = await connection.fetchrow(_TAKE, call.tenant, call.request_id)
    assert row is not None  # noqa: S101  (inserted above, by this transaction or one before it)
    if row["body_sha256"] != call.body_sha256:
        raise request_id_reused(call.request_id)
    return ActionState(
        row["done_count"], row["skipped_count"], row["last_id"], row["create_time"], finished=row["finished"]
    )


async def advance_action(
    connection: Connection,
    call: QueueCall,
    state: ActionState,
    *,
    done: int,
    skipped: int = 0,
    last_id: UUID | None = None,
    finished: bool,
) -> ActionState:
    """Adds a batch that was dealt with in the caller's transaction, which holds the action; how far it is then."""
    after = replace(
        state,
        done=state.done + done,
        skipped=state.skipped + skipped,
        last_id=last_id or state.last_id,
        finished=finished,
    )
    await connection.execute(
        _ADVANCE, call.tenant, call.request_id, after.done, after.skipped, after.last_id, after.finished
    )
    return after
