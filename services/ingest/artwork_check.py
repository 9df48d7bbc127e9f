"""Sees that the artwork of a submit is there as promised: one HEAD an upload, remembered."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from opentelemetry.trace import Tracer

from cutline.blobs.store import S3BlobStore
from cutline.domain.artwork import MEDIA_TYPES, ArtworkLimits
from cutline.domain.errors import Reason
from cutline.domain.ids import parse_id
from cutline.domain.refusals import artwork_missing, artwork_refused, upload_not_found
from cutline.store.pool import Database
from cutline.store.submissions import SubmittedArtwork
from cutline.store.uploads import UploadRow, find_upload, mark_checked
from cutline.telemetry.names import Span

REMEMBERED_UPLOADS: Final = 10_000
REMEMBER_S: Final = 300.0
"""Shorter than the grace after which retention removes an upload, so that none is submitted after it is gone."""


@dataclass(slots=True)
class KnownArtwork:
    """Artwork that was seen in the store.

    Attributes:
        sha256_hex: The digest as text.
        kept: Whether a design of this process already keeps the upload from being removed.
        until_s: When to look again, on the monotonic clock.
    """

    artwork: SubmittedArtwork
    sha256_hex: str
    until_s: float
    kept: bool = False


class ArtworkCheck:
    """Knows which uploads may be submitted."""

    def __init__(self, database: Database, blobs: S3BlobStore, limits: ArtworkLimits, tracer: Tracer) -> None:
        self._database = database
        self._blobs = blobs
        self._limits = limits
        self._tracer = tracer
        self._known: OrderedDict[tuple[str, str], KnownArtwork] = OrderedDict()
        self._looking: dict[tuple[str, str], asyncio.Task[KnownArtwork]] = {}

    async def require(self, tenant: str, upload_id: str) -> KnownArtwork:
        """The artwork of a tenant's upload, once it is seen to be what was promised.

        Raises:
            NotFoundError: The tenant has no such upload.
            PreconditionError: Nothing was PUT.
            InvalidInputError: What was PUT is something else, or more than is accepted.
            UnavailableError: The database or the object store cannot be reached.
        """
        key = (tenant, upload_id)
        known = self._known.get(key)
        if known is not None and known.until_s > time.monotonic():
            return known
        looking = self._looking.get(key)
        if looking is None:
            looking = asyncio.create_task(self._look(tenant, upload_id))
            self._looking[key] = looking
            looking.add_done_callback(lambda _: self._looking.pop(key, None))
        # Shielded: the caller that asked first may go away while others wait for the same answer.
        return await asyncio.shield(looking)

    async def _look(self, tenant: str, upload_id: str) -> KnownArtwork:
        identifier = parse_id(upload_id, kind="upload", reason=Reason.UPLOAD_NOT_FOUND)
        row = await find_upload(self._database, tenant, identifier)
        if row is None:
            raise upload_not_found(identifier)
        if not row.checked:
            with self._tracer.start_as_current_span(Span.HEAD_UPLOAD):
                await self._check(row)
            await mark_checked(self._database, identifier)
        known = KnownArtwork(_artwork(row), row.sha256.hex(), time.monotonic() + REMEMBER_S)
        self._known[tenant, upload_id] = known
        if len(self._known) > REMEMBERED_UPLOADS:
            self._known.popitem(last=False)
        return known

    async def _check(self, row: UploadRow) -> None:
        head = await self._blobs.head(row.object_key)
        if head is None:
            raise artwork_missing(row.upload_id)
        if head.size_bytes > self._limits.max_bytes:
            text = f"{head.size_bytes} bytes are more than {self._limits.max_bytes}"
            raise artwork_refused(Reason.ARTWORK_TOO_LARGE, row.upload_id, text)
        if row.media_type not in MEDIA_TYPES:
            text = f"{row.media_type} is not supported"
            raise artwork_refused(Reason.ARTWORK_TYPE_UNSUPPORTED, row.upload_id, text)
        differences = {
            "size": (head.size_bytes, row.size_bytes),
            "type": (head.media_type, row.media_type),
            # The store signs for the digest; not every store tells it afterwards.
            "SHA-256": (head.sha256 or row.sha256.hex(), row.sha256.hex()),
        }
        for name, (found, promised) in differences.items():
            if found != promised:
                text = f"its {name} is {found}, {promised} was promised"
                raise artwork_refused(Reason.ARTWORK_MISMATCH, row.upload_id, text)


def _artwork(row: UploadRow) -> SubmittedArtwork:
    return SubmittedArtwork(
        upload_id=row.upload_id,
        object_key=row.object_key,
        filename=row.filename,
        media_type=row.media_type,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
    )
