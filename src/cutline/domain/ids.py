"""Ids: UUIDv7 in their 36-character text form, so that they sort by age and index well."""

from __future__ import annotations

from uuid import UUID

from cutline.domain.errors import FieldViolation, InvalidInputError, NotFoundError, Reason


def parse_request_id(text: str) -> UUID | None:
    """A request id from the wire; empty means the caller gave none.

    Raises:
        InvalidInputError: It is not a UUID.
    """
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise InvalidInputError.of_fields(FieldViolation("request_id", f"{text[:40]!r} is not a UUID")) from None


def parse_id(text: str, *, kind: str, reason: Reason) -> UUID:
    """The id of a thing from the wire; one that is no UUID names nothing.

    Raises:
        NotFoundError: It is not a UUID.
    """
    try:
        return UUID(text)
    except ValueError:
        raise NotFoundError(reason, f"There is no {kind} {text[:40]!r}.", metadata={f"{kind}_id": text[:40]}) from None
