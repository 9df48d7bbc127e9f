"""What a watch over all designs of a tenant reads by itself, page by page."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final
from uuid import UUID

from cutline.store.design_reads import DesignRow, Queryable, list_changed, list_unfinished
from cutline.store.tombstones import Tombstone, list_deleted
from services.status.change_pages import ChangeT, ReadPage, pages_since
from services.status.hub import Hub, ReadCause
from services.status.watches import TenantWatch

PAGE_MOST: Final = 100


class TenantPages:
    """Reads one tenant's designs.

    Args:
        database: Where they are.
        hub: Counts them, and says whose turn it is.
        tenant: Whose designs.
        watch: For whom; nothing is read any more once it failed.
    """

    def __init__(self, database: Queryable, hub: Hub, tenant: str, watch: TenantWatch) -> None:
        self._database = database
        self._hub = hub
        self._tenant = tenant
        self._watch = watch

    async def unfinished(self) -> AsyncGenerator[DesignRow, None]:
        """The QUEUED and PROCESSING designs by id."""
        after = None
        while True:
            async with self._turn():
                page = await list_unfinished(self._database, self._tenant, after=after, limit=PAGE_MOST)
            self._hub.note_reads(ReadCause.CATCH_UP, len(page))
            for row in page:
                yield row
            if len(page) < PAGE_MOST:
                return
            after = page[-1].design_id

    async def changed(self, since_xid: int) -> AsyncGenerator[DesignRow, None]:
        """The designs that changed from a transaction on."""
        read = self._in_turn(partial(list_changed, self._database, self._tenant))
        async for page in pages_since(read, since_xid, limit=PAGE_MOST):
            self._hub.note_reads(ReadCause.CATCH_UP, len(page))
            for row in page:
                yield row

    async def deleted(self, since_xid: int) -> AsyncGenerator[Tombstone, None]:
        """The designs that were deleted from a transaction on."""
        read = self._in_turn(partial(list_deleted, self._database, self._tenant))
        async for page in pages_since(read, since_xid, limit=PAGE_MOST):
            for tombstone in page:
                yield tombstone

    def _in_turn(self, read: ReadPage[ChangeT]) -> ReadPage[ChangeT]:
        async def page(*, since_xid: int, after: UUID | None, limit: int) -> Sequence[ChangeT]:
            async with self._turn():
                return await read(since_xid=since_xid, after=after, limit=limit)

        return page

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Waits until a page may be read.

        Raises:
            CutlineError: The watch was failed meanwhile.
        """
        async with self._hub.turns.of(self._tenant):
            self._watch.check()
            yield
