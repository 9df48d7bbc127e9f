"""Between one doorbell and many watchers: reads a design once per change and has it told to all who watch it.

A watch is registered first and its design read after that, so nothing falls between the two. A ring marks a design; one
loop reads all that is marked at once, and what is marked during a read is read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from cutline.domain.errors import CutlineError, Reason, UnavailableError
from cutline.runtime.logging import get_logger
from cutline.store.design_reads import DesignKey, Queryable, read_designs
from cutline.telemetry.names import Span
from cutline.telemetry.setup import Telemetry
from services.status.frames import FrameMaker
from services.status.topics import Topics
from services.status.watches import DesignWatch, TenantWatch

log = get_logger(__name__)

READ_MOST: Final = 200
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0


class Hub:
    """Registers watches, hears rings and reads designs; `run` is a loop for the composition root to keep.

    Args:
        database: Where designs are read.
        frames: Makes what is told.
        queue_most: Messages that may wait for one watcher of a tenant before it has to catch up by reading.
        telemetry: Where reads and watchers are noted.
    """

    def __init__(self, database: Queryable, frames: FrameMaker, *, queue_most: int, telemetry: Telemetry) -> None:
        self.topics = Topics(frames, telemetry.metrics)
        self._database = database
        self._queue_most = queue_most
        self._tracer = telemetry.tracer
        self._marked: dict[DesignKey, None] = {}
        self._any_marked = asyncio.Event()
        self._reads = 0

    @contextmanager
    def watch_design(self, tenant: str, design_id: UUID, *, after_revision: int) -> Iterator[DesignWatch]:
        """Registers a watch of one design and has the design read.

        Raises:
            UnavailableError: The process is shutting down.
        """
        key = (tenant, design_id)
        watch = DesignWatch(self._reads + 1, after_revision=after_revision)
        with self.topics.with_design_watch(key, watch):
            self.mark([key])
            yield watch

    @contextmanager
    def watch_tenant(self, tenant: str) -> Iterator[TenantWatch]:
        """Registers a watch of all designs of a tenant; the caller's stream reads its own snapshot.

        Raises:
            UnavailableError: The process is shutting down.
        """
        watch = TenantWatch(self._reads + 1, capacity=self._queue_most)
        with self.topics.with_tenant_watch(tenant, watch):
            yield watch

    def ring(self, tenant: str, design_id: UUID, revision: int) -> None:
        """Hears a doorbell; revision 0 means that the design is gone, or that the doorbell does not say.

        A doorbell about nothing new, as a repeated one is, costs no read.
        """
        key = (tenant, design_id)
        if self.topics.is_news(key, revision) if revision else self.topics.watched(key):
            self.mark([key])

    def mark(self, keys: Iterable[DesignKey]) -> None:
        """Has designs read at once."""
        self._marked.update(dict.fromkeys(keys))
        if self._marked:
            self._any_marked.set()

    async def read(self, keys: Sequence[DesignKey]) -> None:
        """Reads designs and has them told."""
        self._reads += 1
        number = self._reads
        with self._tracer.start_as_current_span(Span.WATCH_READ):
            rows = await read_designs(self._database, keys)
        for key in keys:
            self.topics.tell(key, rows.get(key), read=number)
            await asyncio.sleep(0)  # those told may write before the next is serialised

    async def run(self) -> None:
        """Reads what is marked, for ever."""
        pause_s = FIRST_PAUSE_S
        while True:
            await self._any_marked.wait()
            keys = self._take_marked()
            try:
                if keys:
                    await self.read(keys)
                pause_s = FIRST_PAUSE_S
            except Exception as error:  # noqa: BLE001  (the loop outlives whatever the store does)
                self._note_failure(keys, error)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _take_marked(self) -> list[DesignKey]:
        """The designs marked longest ago; a ring from here on marks them anew."""
        keys = list(self._marked)[:READ_MOST]
        for key in keys:
            del self._marked[key]
        if not self._marked:
            self._any_marked.clear()
        return [key for key in keys if self.topics.watched(key)]

    def _note_failure(self, keys: Sequence[DesignKey], error: Exception) -> None:
        """Marks the designs again; a caller who was told nothing yet is asked to come back."""
        log.warning("status.read_failed", designs=len(keys), exc_info=error)
        refusal = (
            error
            if isinstance(error, CutlineError)
            else UnavailableError(Reason.STORE_UNAVAILABLE, "The store cannot be read; try again.", retry_after_s=1.0)
        )
        for key in keys:
            for watch in self.topics.designs.get(key, ()):
                if not watch.answered:
                    watch.fail(refusal)
        self.mark(keys)
