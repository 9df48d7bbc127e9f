"""A design that was just accepted, as the wire says it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from cutline.contract.submits import SubmitWish
from cutline.v1 import design_pb2 as pb


def accepted_design(design_id: UUID, wish: SubmitWish, artwork: pb.Artwork, *, create_time: datetime) -> pb.Design:
    """The first revision of a design."""
    time = Timestamp()
    time.FromDatetime(create_time)
    return pb.Design(
        id=str(design_id),
        tenant=wish.call.tenant,
        title=wish.title,
        labels=wish.labels,
        reference=wish.reference,
        artwork=artwork,
        spec=wish.spec.wire,
        resolved_spec=wish.spec.resolved_wire,
        state=pb.Design.STATE_QUEUED,
        revision=1,
        generation=1,
        create_time=time,
        update_time=time,
    )
