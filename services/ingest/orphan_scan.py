"""Goes through the object store, a page a pass, and removes objects that no row names.

They come from attempts that were fenced out or died between their writes and their commit, and from writes that came
after a delete. An object is left alone while it is young, for its row may follow, and while its design has work.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from cutline.blobs.keys import ArtifactKey, UploadKey, read_key
from cutline.blobs.store import S3BlobStore
from cutline.runtime.logging import get_logger
from cutline.store.orphans import move_scan, nameless_artifacts, nameless_uploads, take_scan
from cutline.store.pool import Database

log = get_logger(__name__)

PAGE: Final = 1000
HOLD_S: Final = 60.0
"""Longest the place and the designs of a page stay locked while the object store is asked."""


class OrphanScan:
    """One of many copies looks at a time: the place reached is a row, which it holds.

    Args:
        database: Where the rows are that name objects.
        blobs: Where the objects are.
        min_age_s: Age below which an object is left alone; longer than any attempt may take.
    """

    def __init__(self, *, database: Database, blobs: S3BlobStore, min_age_s: float) -> None:
        self._database = database
        self._blobs = blobs
        self._min_age = timedelta(seconds=min_age_s)

    async def scan_once(self) -> int:
        """Looks through the next page and returns how many objects it removed.

        Raises:
            UnavailableError: The database or the object store cannot be reached.
        """
        async with self._database.transaction(idle_s=HOLD_S) as connection:
            place = await take_scan(connection)
            if place is None:
                return 0
            after_key, now = place
            page = await self._blobs.list_after(after_key, limit=PAGE)
            old = [read_key(entry.key) for entry in page if entry.modified_time <= now - self._min_age]
            uploads = [key for key in old if isinstance(key, UploadKey)]
            artifacts = [key for key in old if isinstance(key, ArtifactKey)]
            nameless = await nameless_uploads(connection, uploads) + await nameless_artifacts(connection, artifacts)
            await self._blobs.delete(*nameless)
            await move_scan(connection, page[-1].key if len(page) == PAGE else "")
        if nameless:
            log.info("orphans.removed", objects=len(nameless), example=nameless[0])
        return len(nameless)
