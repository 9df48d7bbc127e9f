"""The copy of a message that names no job: all that is left of it, on the stream of dead letters."""

from __future__ import annotations

from cutline.domain.errors import Reason
from cutline.domain.states import Stage
from cutline.jobs.v1 import ticket_pb2
from cutline.messaging.publisher import OutgoingMessage
from cutline.messaging.topology import Topology
from cutline.store.ids import new_id


def unreadable_copy(topology: Topology, *, stage: Stage, tenant: str, sequence: int) -> OutgoingMessage:
    """The copy of a message, which the stream of dead letters keeps.

    Args:
        topology: Names its subject.
        stage: Stage whose queue it lay in.
        tenant: As its subject says.
        sequence: Where it lay in the stream of jobs; names the copy, so that there is one.
    """
    copy = ticket_pb2.DeadLetterCopy(
        dead_letter_id=str(new_id()),
        ticket=ticket_pb2.JobTicket(tenant=tenant),
        stage=stage.value,
        reason=Reason.MESSAGE_UNREADABLE,
        message=f"Message {sequence} of the job stream names no job.",
    )
    return OutgoingMessage(topology.unreadable_subject(stage), f"dead:unreadable:{sequence}", copy.SerializeToString())
