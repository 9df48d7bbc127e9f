"""What a transaction of a worker leaves to be told afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from cutline.messaging.tickets import design_ring
from cutline.messaging.topology import Topology, ring_msg_id
from cutline.store.ids import new_id
from cutline.store.outbox import OutboxRow


@dataclass(frozen=True, slots=True)
class Committed:
    """A change of a design that is now the truth.

    Attributes:
        tenant: Tenant of the design.
        design_id: Design that changed.
        revision: Its revision after the commit; 0 where the commit changed a job only.
        state: Its state after the commit.
        outbox: Messages written with the commit, to be published now.
    """

    tenant: str
    design_id: UUID
    revision: int
    state: str
    outbox: tuple[OutboxRow, ...] = ()


def terminal_ring(
    topology: Topology, *, tenant: str, design_id: UUID, revision: int, state: str, traceparent: str
) -> OutboxRow:
    """The doorbell of a terminal revision, which must not be lost."""
    return OutboxRow(
        new_id(),
        topology.design_subject(tenant, design_id),
        ring_msg_id(design_id, revision),
        design_ring(design_id=design_id, tenant=tenant, revision=revision, state=state),
        traceparent,
    )
