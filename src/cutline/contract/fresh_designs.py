"""A design that was just accepted, as the wire says it: built from what was committed, without reading it back."""

from __future__ import annotations

from datetime import datetime

from cutline.contract.designs import timestamp
from cutline.contract.submits import SubmitWish
from cutline.store.submissions import Submission
from cutline.v1 import design_pb2 as pb


def fresh_design_to_wire(wish: SubmitWish, row: Submission, *, sha256_hex: str, create_time: datetime) -> pb.Design:
    """The design as a read would give it a moment after the commit.

    Args:
        wish: What was asked for.
        row: What was stored.
        sha256_hex: Digest of the artwork as text.
        create_time: When it was accepted, by the database's clock.
    """
    time = timestamp(create_time)
    artwork = row.artwork
    return pb.Design(
        id=str(row.design_id),
        tenant=row.call.tenant,
        title=row.title,
        labels=wish.labels,
        reference=row.reference,
        artwork=pb.Artwork(
            upload_id=str(artwork.upload_id),
            filename=artwork.filename,
            media_type=artwork.media_type,
            size_bytes=artwork.size_bytes,
            sha256=sha256_hex,
        ),
        spec=wish.spec.wire,
        resolved_spec=wish.spec.resolved_wire,
        state=pb.Design.STATE_QUEUED,
        revision=1,
        generation=1,
        create_time=time,
        update_time=time,
    )
