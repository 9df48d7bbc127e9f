"""What nobody needs any more goes, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from cutline.blobs.keys import upload_key
from cutline.blobs.store import S3BlobStore
from cutline.domain.calls import CallIdentity
from cutline.store.ids import new_id
from cutline.store.uploads import NewUpload, UploadRow, create_upload
from services.ingest.retention import Retention
from services.ingest.settings import DAY_S, KeepSettings
from tests.integration.ingest.parts import Bench

if TYPE_CHECKING:
    from cutline.store.submissions import Submission


@pytest.fixture
def retention(bench: Bench, blobs: S3BlobStore) -> Retention:
    """Retention that forgets requests after a day and keeps no expired upload any longer."""
    keep = KeepSettings(request_s=DAY_S, upload_grace_s=0)
    return Retention(database=bench.database, blobs=blobs, dispatch=bench.dispatch, keep=keep, interval_s=60)


async def stored_upload(bench: Bench, blobs: S3BlobStore, tenant: str) -> UploadRow:
    """An upload whose bytes are in the store and whose time is up."""
    upload_id = new_id()
    wanted = NewUpload(
        upload_id=upload_id,
        tenant=tenant,
        object_key=upload_key(tenant, upload_id),
        filename="a.png",
        media_type="image/png",
        size_bytes=1,
        sha256=bytes(32),
        keep_s=-60,
    )
    row = await create_upload(bench.database, CallIdentity(tenant, None, "CreateUpload", b""), wanted)
    await blobs.put(row.object_key, b"x", media_type="image/png")
    return row


async def test_an_unused_upload_goes_with_its_object(
    bench: Bench, blobs: S3BlobStore, retention: Retention, tenant: str
) -> None:
    """After its time and the grace, not before."""
    row = await stored_upload(bench, blobs, tenant)

    patient = Retention(
        database=bench.database, blobs=blobs, dispatch=bench.dispatch, keep=KeepSettings(), interval_s=60
    )
    await patient.remove_once()
    assert await blobs.head(row.object_key)

    await retention.remove_once()
    assert await blobs.head(row.object_key) is None
    assert await bench.database.fetchval("SELECT count(*) FROM uploads") == 0
    assert await bench.database.fetchval("SELECT count(*) FROM object_removals") == 0


async def test_an_upload_that_a_design_uses_stays(
    bench: Bench, blobs: S3BlobStore, retention: Retention, tenant: str, make: Callable[..., Submission]
) -> None:
    """Whether or not its first submit was noted."""
    row = await stored_upload(bench, blobs, tenant)
    await bench.submit(make(tenant))
    await bench.database.execute("UPDATE designs SET upload_id = $1", row.upload_id)

    await retention.remove_once()

    assert await blobs.head(row.object_key)


async def test_old_answers_are_forgotten_and_recent_ones_kept(
    bench: Bench, retention: Retention, tenant: str, make: Callable[..., Submission]
) -> None:
    """A request id is remembered for the time that is set."""
    old, recent = (make(tenant, reference=name, request_id=uuid4()) for name in ("old", "recent"))
    for row in (old, recent):
        await bench.submit(row)
    await bench.database.execute(
        "UPDATE requests SET create_time = now() - interval '2 days' WHERE request_id = $1", old.call.request_id
    )

    await retention.remove_once()

    assert await bench.database.fetchval("SELECT request_id FROM requests") == recent.call.request_id
