"""Removes what nobody needs any more: unused uploads, answers to old request ids, objects without an owner."""

from __future__ import annotations

import asyncio
from typing import Final

from cutline.blobs.store import S3BlobStore
from cutline.domain.errors import UnavailableError
from cutline.runtime.logging import get_logger
from cutline.store.object_removals import finish_removals, take_removals
from cutline.store.pool import Database
from cutline.store.requests import forget_answers
from cutline.store.uploads import remove_unused_uploads

log = get_logger(__name__)

BATCH: Final = 200
UPLOAD_GRACE_S: Final = 900.0
"""Longer than any process remembers an upload that it has checked."""


class Retention:
    """A loop that is safe in many copies: rows are locked while they are dealt with, and skipped by the others."""

    def __init__(self, *, database: Database, blobs: S3BlobStore, interval_s: float, request_keep_s: float) -> None:
        self._database = database
        self._blobs = blobs
        self._interval_s = interval_s
        self._request_keep_s = request_keep_s

    async def run(self) -> None:
        """Removes for ever."""
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.remove_once()
            except UnavailableError as error:
                log.warning("retention.waits", reason=error.reason)

    async def remove_once(self, *, upload_grace_s: float = UPLOAD_GRACE_S) -> None:
        """Removes one batch of each kind."""
        async with self._database.transaction() as connection:
            await remove_unused_uploads(connection, grace_s=upload_grace_s, limit=BATCH)
            await forget_answers(connection, older_than_s=self._request_keep_s)
        async with self._database.transaction() as connection:
            prefixes = await take_removals(connection, limit=BATCH)
            for prefix in prefixes:
                keys = [entry.key async for entry in self._blobs.list_prefix(prefix)]
                if keys:
                    await self._blobs.delete(*keys)
            await finish_removals(connection, prefixes)
