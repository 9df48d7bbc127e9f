"""Between one doorbell and many watchers: reads a design once per change and has it told to all who watch it.

A watch is registered first and its design read after that, so nothing falls between the two. A ring marks a design; one
loop reads all that is marked at once, and what is marked during a read is read again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from itertools import islice
from typing import Final
from uuid import UUID

from cutline.domain.errors import CutlineError, Reason, UnavailableError
from cutline.runtime.logging import get_logger
from cutline.store.design_reads import DesignKey, Queryable, read_designs
from cutline.store.tombstones import read_deleted
from cutline.telemetry.names import Attribute, Span
from cutline.telemetry.setup import Telemetry
from services.status.frames import FrameMaker
from services.status.topics import Topics
from services.status.turns import Turns
from services.status.watches import DesignWatch, TenantWatch

log = get_logger(__name__)

READ_MOST: Final = 200
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0


class ReadCause(StrEnum):
    """Why a design is read for watchers."""

    SNAPSHOT = "snapshot"  # somebody began to watch it
    CHANGE = "change"  # its doorbell rang
    RESYNC = "resync"  # a comparison found it changed
    CATCH_UP = "catch_up"  # a watch over all designs reads by itself


class Hub:
    """Registers watches, hears rings and reads designs; `run` is a loop for the composition root to keep.

    Args:
        database: Where designs are read.
        frames: Makes what is told.
        queue_most: Messages that may wait for one watcher of a tenant before it has to catch up by reading.
        telemetry: Where reads and watchers are noted.

    Attributes:
        topics: The watches, by what they watch.
        turns: Whose turn it is to catch up.
    """

    def __init__(self, database: Queryable, frames: FrameMaker, *, queue_most: int, telemetry: Telemetry) -> None:
        self.topics = Topics(frames, telemetry.metrics)
        self.turns = Turns()
        self._database = database
        self._queue_most = queue_most
        self._tracer = telemetry.tracer
        self._metrics = telemetry.metrics
        self._marked: dict[DesignKey, ReadCause] = {}
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
        self.topics.add_design_watch(key, watch)
        try:
            self.mark([key], ReadCause.SNAPSHOT)
            yield watch
        finally:
            self.topics.remove_design_watch(key, watch)

    @contextmanager
    def watch_tenant(self, tenant: str) -> Iterator[TenantWatch]:
        """Registers a watch of all designs of a tenant; the caller's stream reads its own snapshot.

        Raises:
            UnavailableError: The process is shutting down.
        """
        watch = TenantWatch(self._reads + 1, capacity=self._queue_most)
        self.topics.add_tenant_watch(tenant, watch)
        try:
            yield watch
        finally:
            self.topics.remove_tenant_watch(tenant, watch)

    def ring(self, tenant: str, design_id: UUID, revision: int) -> None:
        """Hears a doorbell; revision 0 means that the design is gone, or that the doorbell does not say.

        A doorbell about nothing new, as a repeated one is, costs no read.
        """
        key = (tenant, design_id)
        if self.topics.is_news(key, revision) if revision else self.topics.watched(key):
            self.mark([key], ReadCause.CHANGE)

    def mark(self, keys: Iterable[DesignKey], cause: ReadCause) -> None:
        """Has designs read at once; one that is marked twice is read once, and counts for the first cause."""
        for key in keys:
            self._marked.setdefault(key, cause)
        if self._marked:
            self._any_marked.set()

    def note_reads(self, cause: ReadCause, rows: int) -> None:
        """Counts designs read."""
        self._metrics.row_reads.add(rows, {Attribute.READ_CAUSE.value: cause.value})

    async def read(self, marked: Mapping[DesignKey, ReadCause]) -> None:
        """Reads designs and has them told."""
        self._reads += 1
        number = self._reads
        with self._tracer.start_as_current_span(Span.WATCH_READ):
            rows = await read_designs(self._database, list(marked))
            missing = [key for key in marked if key not in rows]
            deleted_xids = await read_deleted(self._database, missing) if missing else {}
        for cause, count in Counter(marked.values()).items():
            self.note_reads(cause, count)
        for key, cause in marked.items():
            if (
                self.topics.tell(key, rows.get(key), read=number, deleted_xid=deleted_xids.get(key))
                and cause is not ReadCause.SNAPSHOT
            ):
                self._metrics.changes_told.add(1)
            await asyncio.sleep(0)  # those told may write before the next is serialised

    async def run(self) -> None:
        """Reads what is marked, for ever."""
        pause_s = FIRST_PAUSE_S
        while True:
            await self._any_marked.wait()
            marked = self._take_marked()
            try:
                if marked:
                    await self.read(marked)
                pause_s = FIRST_PAUSE_S
            except Exception as error:  # noqa: BLE001  (the loop outlives whatever the store does)
                self._note_failure(marked, error)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _take_marked(self) -> dict[DesignKey, ReadCause]:
        """The designs marked longest ago; a ring from here on marks them anew."""
        taken = {key: self._marked.pop(key) for key in list(islice(self._marked, READ_MOST))}
        if not self._marked:
            self._any_marked.clear()
        return {key: cause for key, cause in taken.items() if self.topics.watched(key)}

    def _note_failure(self, marked: Mapping[DesignKey, ReadCause], error: Exception) -> None:
        """Marks the designs again; a caller who was told nothing yet is asked to come back."""
        log.warning("status.read_failed", designs=len(marked), exc_info=error)
        refusal = (
            error
            if isinstance(error, CutlineError)
            else UnavailableError(Reason.STORE_UNAVAILABLE, "The store cannot be read; try again.", retry_after_s=1.0)
        )
        for key, cause in marked.items():
            for watch in self.topics.designs.get(key, ()):
                if not watch.answered:
                    watch.fail(refusal)
            self.mark([key], cause)
