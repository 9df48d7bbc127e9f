"""Sends messages right after the commit that wrote them to the outbox, and removes those the broker has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from cutline.domain.states import DesignState, Stage
from cutline.messaging.publisher import OutgoingMessage, Publisher
from cutline.messaging.tickets import DELETED, cancel_ring, design_ring, job_ticket
from cutline.messaging.topology import Topology, job_msg_id, ring_msg_id
from cutline.store.ids import new_id
from cutline.store.outbox import OutboxRow, delete_outbox
from cutline.store.pool import Database
from cutline.store.release import ReleasedJob

ACK_WAIT_S: Final = 0.1


class Dispatch:
    """Publishes what a transaction has just written; what is not acked in time is left to the relay."""

    def __init__(self, database: Database, publisher: Publisher, topology: Topology) -> None:
        self._database = database
        self._publisher = publisher
        self._topology = topology

    def ticket(self, job: ReleasedJob) -> OutboxRow:
        """The message that hands a job's newest publication to the workers."""
        return OutboxRow(
            outbox_id=new_id(),
            subject=self._topology.job_subject(job.stage, job.lane, job.tenant),
            msg_id=job_msg_id(job.job_id, job.publication),
            payload=job_ticket(
                job_id=job.job_id,
                publication=job.publication,
                tenant=job.tenant,
                design_id=job.design_id,
                generation=job.generation,
            ),
            traceparent=job.traceparent,
        )

    def terminal_ring(self, *, tenant: str, design_id: UUID, revision: int, state: str) -> OutboxRow:
        """The doorbell of a change that no watcher may miss.

        Args:
            tenant: Tenant of the design.
            design_id: The design.
            revision: Which change this is.
            state: State after it; DELETED for a design that is gone, whose ring tells revision 0.
        """
        return OutboxRow(
            outbox_id=new_id(),
            subject=self._topology.design_subject(tenant, design_id),
            msg_id=ring_msg_id(design_id, revision),
            payload=design_ring(
                design_id=design_id, tenant=tenant, revision=0 if state == DELETED else revision, state=state
            ),
        )

    async def send(self, rows: Sequence[OutboxRow], *, timeout_s: float = ACK_WAIT_S) -> None:
        """Publishes rows that are committed and removes the acked ones; never fails."""
        if not rows or not self._publisher.answering:
            return
        messages = [OutgoingMessage(row.subject, row.msg_id, row.payload, row.traceparent) for row in rows]
        acked = await self._publisher.publish(messages, timeout_s=timeout_s)
        await delete_outbox(self._database.pool, [row.outbox_id for row, has in zip(rows, acked, strict=True) if has])

    async def ring(self, *, tenant: str, design_id: UUID, revision: int, state: DesignState) -> None:
        """Rings a design's doorbell, best effort."""
        await self._publisher.ring(
            self._topology.design_subject(tenant, design_id),
            design_ring(design_id=design_id, tenant=tenant, revision=revision, state=state),
        )

    async def tell_waiting(self) -> None:
        """Tells the release loop, wherever it runs, that a job was stored that is due, best effort."""
        await self._publisher.ring(self._topology.release_subject, b"")

    async def ring_cancel(self, *, design_id: UUID, generation: int) -> None:
        """Asks the workers of every stage to stop a design's generations up to this one, best effort."""
        for stage in Stage:
            await self._publisher.ring(
                self._topology.cancel_subject(stage), cancel_ring(design_id=design_id, generation=generation)
            )
