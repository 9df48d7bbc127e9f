"""Messages of a watch as bytes, so that a revision is serialised once however many callers watch.

WatchDesignResponse and WatchDesignsResponse number their events alike, and concatenated protobuf messages read as one:
the same bytes serve both, with a resume token appended where there is one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from cutline.contract.designs import SignFile, design_to_wire
from cutline.store.design_reads import DesignRow
from cutline.v1 import status_service_pb2 as pb


def design_message(row: DesignRow, *, sign: SignFile | None = None) -> bytes:
    """A design at a revision that was not sent before; see `design_to_wire`."""
    return pb.WatchDesignResponse(design=design_to_wire(row, sign=sign)).SerializeToString()


def deleted_message(design_id: UUID) -> bytes:
    """A design is gone."""
    return pb.WatchDesignResponse(deleted=pb.DesignDeleted(design_id=str(design_id))).SerializeToString()


def heartbeat_message() -> bytes:
    """Nothing has changed; the stream is alive."""
    message = pb.WatchDesignResponse()
    message.heartbeat.time.FromDatetime(datetime.now(UTC))
    return message.SerializeToString()


def reconnect_message(after_revision: int = 0) -> bytes:
    """The stream has grown old; `after_revision` is where a watch of one design goes on."""
    return pb.WatchDesignResponse(reconnect=pb.Reconnect(after_revision=after_revision)).SerializeToString()


def with_resume_token(message: bytes, token: str) -> bytes:
    """A message of WatchDesigns: any of the above and the token to resume behind it."""
    return message + pb.WatchDesignsResponse(resume_token=token).SerializeToString()
