"""Tokens that callers hand back unread: where a list goes on, and where a watch resumes.

A token carries a digest of what it belongs to, so that one used with another list or by another tenant is refused and
not silently misread. It is no secret and grants nothing: every read is scoped by the caller's tenant anyway.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from cutline.domain.errors import FieldViolation, InvalidInputError, OutOfRangeError, Reason
from cutline.store.design_reads import DesignFilter

_DIGEST_BYTES: Final = 8
_PAGE_KIND: Final = b"\x01"
_RESUME_KIND: Final = b"\x02"
_QUEUE_KIND: Final = b"\x03"


def encode_page_token(last: UUID, *, tenant: str, conditions: DesignFilter) -> str:
    """The token of the page behind design `last` of a filtered list."""
    return _encode(_PAGE_KIND, last.bytes, _list_digest(tenant, conditions))


def decode_page_token(token: str, *, tenant: str, conditions: DesignFilter) -> UUID | None:
    """The last design of the page before; None for the first page.

    Raises:
        InvalidInputError: The token was made for another list, or by nobody.
    """
    if not token:
        return None
    body = _decode(_PAGE_KIND, token, 16, _list_digest(tenant, conditions))
    if body is None:
        raise _page_token_invalid()
    return UUID(bytes=body)


def encode_queue_page_token(last: UUID, *, conditions: object) -> str:
    """The token of the page behind `last` of an operators' list; the type of its conditions tells which list it is."""
    return _encode(_QUEUE_KIND, last.bytes, _digest(repr(conditions)))


def decode_queue_page_token(token: str, *, conditions: object) -> UUID | None:
    """The last entry of the page before; None for the first page.

    Raises:
        InvalidInputError: The token was made for another list, or by nobody.
    """
    if not token:
        return None
    body = _decode(_QUEUE_KIND, token, 16, _digest(repr(conditions)))
    if body is None:
        raise _page_token_invalid()
    return UUID(bytes=body)


def _page_token_invalid() -> InvalidInputError:
    return InvalidInputError(
        Reason.PAGE_TOKEN_INVALID,
        "page_token: it belongs to another list; every other field must be as it was",
        violations=(FieldViolation("page_token", "it belongs to another list", Reason.PAGE_TOKEN_INVALID),),
    )


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """How far a watch over all designs of a tenant has told.

    Attributes:
        xid: Every change of a transaction before this one has been told.
        snapshot_due: The first snapshot was cut off: the unfinished designs are to be told again as well.
    """

    xid: int
    snapshot_due: bool = False


def encode_resume_token(point: ResumePoint, *, tenant: str) -> str:
    """The token of a point in a tenant's history."""
    return _encode(_RESUME_KIND, point.xid.to_bytes(8, "big") + bytes([point.snapshot_due]), _digest(tenant))


def decode_resume_token(token: str, *, tenant: str) -> ResumePoint | None:
    """The point to resume from; None where the watch starts anew.

    Raises:
        OutOfRangeError: The token was made for another tenant, or by nobody.
    """
    if not token:
        return None
    body = _decode(_RESUME_KIND, token, 9, _digest(tenant))
    if body is None:
        raise resume_token_invalid()
    return ResumePoint(int.from_bytes(body[:8], "big"), snapshot_due=bool(body[8]))


def resume_token_invalid() -> OutOfRangeError:
    """The error for a token that names no place in this tenant's history."""
    return OutOfRangeError(
        Reason.RESUME_TOKEN_INVALID, "The resume token is none of this tenant's; start anew without one."
    )


def _encode(kind: bytes, body: bytes, digest: bytes) -> str:
    return base64.urlsafe_b64encode(kind + body + digest).rstrip(b"=").decode()


def _decode(kind: bytes, token: str, body_bytes: int, digest: bytes) -> bytes | None:
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    body = raw[1:-_DIGEST_BYTES]
    return body if raw == kind + body + digest and len(body) == body_bytes else None


def _list_digest(tenant: str, conditions: DesignFilter) -> bytes:
    ordered = replace(
        conditions,
        states=tuple(sorted(set(conditions.states))),
        labels=dict(sorted(conditions.labels.items())),
    )
    values = [getattr(ordered, name) for name in DesignFilter.__dataclass_fields__]
    facts = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return _digest(repr((tenant, facts)))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:_DIGEST_BYTES]
