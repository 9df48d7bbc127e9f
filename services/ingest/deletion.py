"""Deletes a design for good: by its tenant's call, or because the tenant does not keep designs that long."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from cutline.blobs.keys import design_prefix
from cutline.messaging.tickets import DELETED
from cutline.store.design_changes import delete_design, lock_design
from cutline.store.outbox import OutboxRow, insert_outbox
from cutline.store.pool import Connection
from services.ingest.dispatch import Dispatch

LATE_WRITES_S: Final = 120.0
"""How long a worker that was stopped just before a delete may still write objects."""


async def delete_and_tell(connection: Connection, dispatch: Dispatch, *, tenant: str, design_id: UUID) -> OutboxRow:
    """Deletes a design's rows, leaves its objects to be removed, and writes the ring that tells its watchers.

    Args:
        connection: Within a transaction.
        dispatch: Makes the ring.
        tenant: Tenant of the design.
        design_id: The design.

    Returns:
        The ring, which is in the outbox.

    Raises:
        NotFoundError: The tenant has no such design.
        PreconditionError: It is running.
    """
    design = await lock_design(connection, tenant, design_id)
    await delete_design(connection, design, object_prefix=design_prefix(tenant, design_id), late_writes_s=LATE_WRITES_S)
    ring = dispatch.terminal_ring(tenant=tenant, design_id=design_id, revision=design.revision + 1, state=DELETED)
    await insert_outbox(connection, [ring])
    return ring
