"""Removes what has been kept long enough: rows first, with a note of their objects, then the objects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from cutline.blobs.store import S3BlobStore
from cutline.domain.errors import NotFoundError, PreconditionError
from cutline.runtime.logging import get_logger
from cutline.store.expiry import (
    expired_designs,
    forget_queue_actions,
    forget_requests,
    remove_dead_letters,
    remove_ended_jobs,
    remove_superseded,
)
from cutline.store.object_removals import finish_removal, take_removals
from cutline.store.pool import Connection, Database
from cutline.store.tombstones import forget_deleted
from cutline.store.uploads import remove_unused_uploads
from services.ingest.deletion import delete_and_tell
from services.ingest.dispatch import Dispatch
from services.ingest.duty import Duty
from services.ingest.orphan_scan import OrphanScan
from services.ingest.settings import KeepSettings

log = get_logger(__name__)

BATCH: Final = 200
MAX_BATCHES: Final = 50
"""Of one kind in a pass, so that no kind keeps the others waiting for long."""

HOLD_S: Final = 60.0
"""Longest prefixes stay locked while the object store removes what is below one of them."""

Remove = Callable[[Connection], Awaitable[int]]


class Retention:
    """A loop that is safe in many copies: rows are locked while they are dealt with, and skipped by the others.

    Args:
        database: Where rows are.
        blobs: Where objects are.
        dispatch: Tells the watchers of designs that go.
        keep: How long each kind is kept.
        interval_s: Time between two passes.
    """

    def __init__(
        self, *, database: Database, blobs: S3BlobStore, dispatch: Dispatch, keep: KeepSettings, interval_s: float
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._dispatch = dispatch
        self._interval_s = interval_s
        self._orphans = OrphanScan(database=database, blobs=blobs, min_age_s=keep.orphan_s)
        self._kinds: dict[str, Remove] = {
            "uploads": partial(remove_unused_uploads, grace_s=keep.upload_grace_s, limit=BATCH),
            "requests": partial(forget_requests, keep_s=keep.request_s, limit=BATCH),
            "queue_actions": partial(forget_queue_actions, keep_s=keep.request_s, limit=BATCH),
            "jobs": partial(remove_ended_jobs, keep_s=keep.job_s, limit=BATCH),
            "dead_letters": partial(remove_dead_letters, keep_s=keep.dead_letter_s, limit=BATCH),
            "generations": partial(remove_superseded, keep_s=keep.superseded_s, limit=BATCH),
            "tombstones": partial(forget_deleted, keep_s=keep.tombstone_s, limit=BATCH),
        }

    async def run(self) -> None:
        """Removes for ever."""
        duty = Duty("retention")
        while True:
            await asyncio.sleep(self._interval_s)
            await duty.attempt(self.remove_once)

    async def remove_once(self) -> dict[str, int]:
        """Removes what is due of every kind; returns how much that was, by kind."""
        removed = {kind: await self._in_batches(remove) for kind, remove in self._kinds.items()}
        removed["designs"] = await self._remove_designs()
        removed["objects"] = await self._remove_objects()
        removed["orphans"] = await self._orphans.scan_once()
        if any(removed.values()):
            log.info("retention.removed", **removed)
        return removed

    async def _in_batches(self, remove: Remove) -> int:
        total = 0
        for _ in range(MAX_BATCHES):
            number = await self._database.run_transaction(remove)
            total += number
            if number < BATCH:
                break
        return total

    async def _remove_designs(self) -> int:
        removed = 0
        for tenant, design_id in await expired_designs(self._database, limit=BATCH):
            delete = partial(delete_and_tell, dispatch=self._dispatch, tenant=tenant, design_id=design_id)
            try:
                ring = await self._database.run_transaction(delete)
            except (NotFoundError, PreconditionError):
                continue  # deleted or run again since
            await self._dispatch.send([ring])
            removed += 1
        return removed

    async def _remove_objects(self) -> int:
        removed = 0
        async with self._database.transaction(idle_s=HOLD_S) as connection:
            for prefix in await take_removals(connection, limit=BATCH):
                keys = [entry.key async for entry in self._blobs.list_prefix(prefix)]
                await self._blobs.delete(*keys)
                await finish_removal(connection, prefix)
                removed += len(keys)
        return removed
