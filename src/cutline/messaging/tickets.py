"""What travels on the bus, as bytes."""

from __future__ import annotations

from uuid import UUID

from google.protobuf.message import DecodeError

from cutline.jobs.v1 import ticket_pb2 as pb

DELETED = "DELETED"
"""State in the ring of a design that is gone."""


def job_ticket(*, job_id: UUID, publication: int, tenant: str, design_id: UUID, generation: int) -> bytes:
    """A ticket that says: look at this job."""
    return pb.JobTicket(
        job_id=str(job_id), publication=publication, tenant=tenant, design_id=str(design_id), generation=generation
    ).SerializeToString()


def read_ticket(payload: bytes) -> pb.JobTicket | None:
    """The ticket in a message; None where it cannot be read or names no job."""
    try:
        ticket = pb.JobTicket.FromString(payload)
        UUID(ticket.job_id)
        UUID(ticket.design_id)
    except (DecodeError, ValueError):
        return None
    return ticket


def design_ring(*, design_id: UUID, tenant: str, revision: int, state: str) -> bytes:
    """A doorbell: the design changed."""
    return pb.DesignRing(design_id=str(design_id), tenant=tenant, revision=revision, state=state).SerializeToString()


def read_ring_revision(payload: bytes) -> int:
    """The revision a doorbell speaks of; 0 where the design is gone or the doorbell cannot be read."""
    try:
        return pb.DesignRing.FromString(payload).revision
    except DecodeError:
        return 0


def read_ring_state(payload: bytes) -> str:
    """The state a doorbell tells; empty where it cannot be read."""
    try:
        return pb.DesignRing.FromString(payload).state
    except DecodeError:
        return ""


def cancel_ring(*, design_id: UUID, generation: int) -> bytes:
    """Asks workers to stop the design's generations up to this one."""
    return pb.CancelRing(design_id=str(design_id), generation=generation).SerializeToString()
