"""A design that was just accepted, as the wire says it: built from what was committed, without reading it back."""

from __future__ import annotations

from datetime import datetime

from cutline.contract.accepted_designs import accepted_design
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
    artwork = row.artwork
    return accepted_design(
        row.design_id,
        wish,
        pb.Artwork(
            upload_id=str(artwork.upload_id),
            filename=artwork.filename,
            media_type=artwork.media_type,
            size_bytes=artwork.size_bytes,
            sha256=sha256_hex,
        ),
        create_time=create_time,
    )
