"""What a watch over all designs of a tenant reads by itself, page by page."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from cutline.store.design_reads import DesignRow, Queryable, list_changed, list_unfinished
from cutline.store.tombstones import Tombstone, list_deleted
from services.status.hub import Hub, ReadCause

PAGE_MOST: Final = 100


class TenantPages:
    """Reads one tenant's designs.

    Args:
        database: Where they are.
        hub: Counts them.
        tenant: Whose designs.
    """

    def __init__(self, database: Queryable, hub: Hub, tenant: str) -> None:
        self._database = database
        self._hub = hub
        self._tenant = tenant

    async def unfinished(self) -> AsyncGenerator[DesignRow, None]:
        """The QUEUED and PROCESSING designs by id."""
        after = None
        while True:
            page = await list_unfinished(self._database, self._tenant, after=after, limit=PAGE_MOST)
            self._hub.note_reads([ReadCause.CATCH_UP] * len(page))
            for row in page:
                yield row
            if len(page) < PAGE_MOST:
                return
            after = page[-1].design_id

    async def changed(self, since_xid: int) -> AsyncGenerator[DesignRow, None]:
        """The designs that changed from a transaction on."""
        after = None
        while True:
            page = await list_changed(self._database, self._tenant, since_xid=since_xid, after=after, limit=PAGE_MOST)
            self._hub.note_reads([ReadCause.CATCH_UP] * len(page))
            for row in page:
                yield row
            if len(page) < PAGE_MOST:
                return
            since_xid, after = page[-1].change_xid, page[-1].design_id

    async def deleted(self, since_xid: int) -> AsyncGenerator[Tombstone, None]:
        """The designs that were deleted from a transaction on."""
        after = None
        while True:
            page = await list_deleted(self._database, self._tenant, since_xid=since_xid, after=after, limit=PAGE_MOST)
            for tombstone in page:
                yield tombstone
            if len(page) < PAGE_MOST:
                return
            since_xid, after = page[-1].change_xid, page[-1].design_id
