"""Whose turn it is to read, among the watches that catch up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

READ_AT_ONCE: Final = 4
"""Pages that may be read at the same time: fewer than the database has connections by default, which all share."""


class Turns:
    """Lets catch-ups read page by page in turn, each tenant one page at a time.

    A thousand watches of one tenant may come back at once with tokens of last year. They wait for each other then, and
    neither for the connections that rings, snapshots and other calls are read with, nor before other tenants.
    """

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(READ_AT_ONCE)
        self._tenants: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, tenant: str) -> AsyncIterator[None]:
        """Waits for a tenant's turn, which lasts as long as the context."""
        lock = self._tenants.get(tenant)
        if lock is None:
            self._tenants[tenant] = lock = asyncio.Lock()
        async with lock, self._places:
            yield
