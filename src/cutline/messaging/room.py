"""Who may work beside whom: most jobs together, one that keeps crashing by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Room:
    """Holds any number of jobs, or a single one that wants to be alone."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._inside = 0
        self._wishes = 0
        self._taken = False

    @asynccontextmanager
    async def entered(self, *, alone: bool) -> AsyncIterator[None]:
        """Waits for a place; one who wants to be alone waits for the others to leave, and nobody enters meanwhile."""
        if alone:
            self._wishes += 1
            try:
                await self._until(lambda: self._inside == 0)
                self._taken = True
            finally:
                self._wishes -= 1
                self._changed.set()  # where the wish was given up, others may enter
        else:
            await self._until(lambda: not self._taken and not self._wishes)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._taken = self._taken and self._inside > 0
            self._changed.set()

    async def _until(self, fact: Callable[[], bool]) -> None:
        """Waits for a fact; whoever finds it true goes on at once, so that nothing comes between."""
        while not fact():
            self._changed.clear()
            await self._changed.wait()
