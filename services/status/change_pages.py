"""Reads what changed from a transaction on, page by page."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Sequence
from typing import Protocol, TypeVar
from uuid import UUID


class Change(Protocol):
    """What pages are ordered by: the transaction, then the design."""

    @property
    def design_id(self) -> UUID:
        """What changed."""

    @property
    def change_xid(self) -> int:
        """Transaction of the change."""


ChangeT = TypeVar("ChangeT", bound=Change)
ChangeT_co = TypeVar("ChangeT_co", bound=Change, covariant=True)


class ReadPage(Protocol[ChangeT_co]):
    """Reads at most `limit` changes from a transaction on, behind a design of that transaction if one is named."""

    def __call__(self, *, since_xid: int, after: UUID | None, limit: int) -> Awaitable[Sequence[ChangeT_co]]:
        """The page."""


async def pages_since(
    read: ReadPage[ChangeT], since_xid: int, *, limit: int
) -> AsyncGenerator[Sequence[ChangeT], None]:
    """Every page, the last one with fewer changes than the limit."""
    after = None
    while True:
        page = await read(since_xid=since_xid, after=after, limit=limit)
        yield page
        if len(page) < limit:
            return
        since_xid, after = page[-1].change_xid, page[-1].design_id
