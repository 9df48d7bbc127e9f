"""Repeated calls: how one is known, and how an id that stands for two is refused (AIP-155)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from cutline.domain.errors import ConflictError, Reason


@dataclass(frozen=True, slots=True)
class CallIdentity:
    """A mutating call: who made it, under which id, and what it asked.

    Attributes:
        tenant: Tenant of the caller.
        request_id: The caller's id of this call; None where it gave none, so that nothing is remembered.
        method: Name of the method.
        body_sha256: SHA-256 over the method and the request without its id.
    """

    tenant: str
    request_id: UUID | None
    method: str
    body_sha256: bytes


def request_id_reused(request_id: UUID | None) -> ConflictError:
    """The error for an id that came before with another body."""
    return ConflictError(
        Reason.REQUEST_ID_REUSED,
        "This request_id was used for another call; take a new one for every new call.",
        metadata={"request_id": str(request_id)},
    )
