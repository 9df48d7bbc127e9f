"""New ids."""

from __future__ import annotations

from uuid import UUID

from uuid_utils import compat


def new_id() -> UUID:
    """A UUIDv7: ids sort by age, and rows of one time lie together in their index."""
    return compat.uuid7()
