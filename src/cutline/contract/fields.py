"""Fields that many requests have, and how one that cannot be used is refused: by its name and limit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NoReturn

from google.protobuf.timestamp_pb2 import Timestamp

from cutline.domain.errors import FieldViolation, InvalidInputError

DEFAULT_PAGE_SIZE: Final = 50
MAX_PAGE_SIZE: Final = 500


def read_page_size(asked: int) -> int:
    """Entries of a page: 0 means the default, too many mean the most.

    Raises:
        InvalidInputError: It is negative.
    """
    if asked < 0:
        refuse("page_size", f"{asked} is not 0 or more", "OUT_OF_RANGE")
    return min(asked or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def read_time(stamp: Timestamp, field: str) -> datetime:
    """A time of a request.

    Raises:
        InvalidInputError: A datetime cannot hold it.
    """
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        refuse(field, "it is not a time between the years 1 and 9999", "OUT_OF_RANGE")


def refuse(field: str, description: str, reason: str = "INVALID") -> NoReturn:
    """Refuses a request for one of its fields.

    Raises:
        InvalidInputError: Always.
    """
    raise InvalidInputError.of_fields(FieldViolation(field, description, reason))
