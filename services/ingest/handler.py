"""What ingest does for its callers. The tenant of the call bounds everything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, TypeVar
from uuid import UUID

import asyncpg

from cutline.blobs.keys import design_prefix, upload_key
from cutline.blobs.store import S3BlobStore, SignedPut
from cutline.contract.submits import JobWish, SpecWish, SubmitWish, UploadWish
from cutline.domain.calls import CallIdentity
from cutline.domain.dedup import submit_key
from cutline.domain.errors import NotFoundError, PreconditionError, ResourceExhaustedError
from cutline.domain.refusals import design_not_found
from cutline.domain.states import DesignState
from cutline.runtime.logging import get_logger
from cutline.store.design_changes import LockedDesign, cancel_design, lock_design
from cutline.store.design_reads import DesignRow, read_design
from cutline.store.ids import new_id
from cutline.store.outbox import OutboxRow, insert_outbox
from cutline.store.pool import Connection, Database, store_unavailable
from cutline.store.requests import find_answer, record_answer
from cutline.store.submissions import Submission
from cutline.store.uploads import NewUpload, UploadRow, create_upload
from cutline.telemetry.metrics import Metrics
from cutline.telemetry.names import Attribute
from cutline.telemetry.propagation import traceparent_of_current
from services.ingest.artwork_check import ArtworkCheck, KnownArtwork
from services.ingest.deletion import delete_and_tell
from services.ingest.dispatch import Dispatch
from services.ingest.flusher import Accepted, Flusher
from services.ingest.reprocess import Reprocess

log = get_logger(__name__)

_T = TypeVar("_T")

REPEAT_TRIES: Final = 4


@dataclass(frozen=True, slots=True)
class PromisedUpload:
    """An upload and where to PUT it."""

    row: UploadRow
    signed: SignedPut


@dataclass(frozen=True, slots=True)
class FreshDesign:
    """A design that was just accepted."""

    row: Submission
    sha256_hex: str
    create_time: datetime


@dataclass(frozen=True, slots=True)
class KnownDesign:
    """A design that was there before, or runs again."""

    row: DesignRow
    deduplicated: bool


class IngestHandler:
    """Serves the calls of IngestService."""

    def __init__(
        self,
        *,
        database: Database,
        blobs: S3BlobStore,
        artwork: ArtworkCheck,
        flusher: Flusher,
        reprocess: Reprocess,
        dispatch: Dispatch,
        upload_keep_s: float,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._artwork = artwork
        self._flusher = flusher
        self._reprocess = reprocess
        self._dispatch = dispatch
        self._upload_keep_s = upload_keep_s
        self._metrics = metrics

    async def create_upload(self, wish: UploadWish) -> PromisedUpload:
        """Promises an upload and signs its PUT."""
        upload_id = new_id()
        wanted = NewUpload(
            upload_id=upload_id,
            tenant=wish.call.tenant,
            object_key=upload_key(wish.call.tenant, upload_id),
            filename=wish.filename,
            media_type=wish.media_type,
            size_bytes=wish.size_bytes,
            sha256=wish.sha256,
            keep_s=self._upload_keep_s,
        )
        row = await _until_recorded(lambda: create_upload(self._database, wish.call, wanted))
        signed = self._blobs.presign_put(
            row.object_key, size_bytes=row.size_bytes, media_type=row.media_type, sha256=row.sha256.hex()
        )
        return PromisedUpload(row, signed)

    async def submit_design(self, wish: SubmitWish) -> FreshDesign | KnownDesign:
        """Accepts a design, or finds the one whose work is the same."""
        tenant = wish.call.tenant
        known = await self._artwork.require(tenant, wish.upload_id)
        row = _submission(wish, known)
        try:
            answer = await self._flusher.submit(row, first_use=not known.kept)
        except ResourceExhaustedError:
            self._count("refused", row)
            raise
        if isinstance(answer, Accepted):
            known.kept = True
            self._count("created", row)
            return FreshDesign(row, known.sha256_hex, answer.create_time)
        self._count("deduplicated" if answer.deduplicated else "replayed", row)
        return KnownDesign(await self._read(tenant, answer.design_id), answer.deduplicated)

    async def reprocess_design(
        self, call: CallIdentity, design_id: UUID, spec: SpecWish | None, job: JobWish
    ) -> KnownDesign:
        """Starts the next generation of a design; without a spec it keeps the one it has."""
        repeat = await _until_recorded(lambda: self._reprocess.run(call, design_id, spec, job))
        return KnownDesign(await self._read(call.tenant, repeat.design_id), repeat.deduplicated)

    async def cancel_design(self, call: CallIdentity, design_id: UUID) -> DesignRow:
        """Stops a design's unfinished work."""
        tenant = call.tenant

        async def cancel(connection: Connection) -> tuple[OutboxRow, LockedDesign]:
            design = await lock_design(connection, tenant, design_id)
            revision = await cancel_design(connection, design)
            ring = self._dispatch.terminal_ring(
                tenant=tenant, design_id=design_id, revision=revision, state=DesignState.CANCELLED
            )
            await insert_outbox(connection, [ring])
            return ring, design

        done = await self._once(call, design_id, cancel)
        if done is not None:
            ring, design = done
            await self._dispatch.ring_cancel(design_id=design_id, generation=design.generation)
            await self._dispatch.send([ring])
        return await self._read(tenant, design_id)

    async def delete_design(self, call: CallIdentity, design_id: UUID) -> None:
        """Deletes a design; its objects go at once where the store answers, else by retention."""
        tenant = call.tenant
        delete = partial(delete_and_tell, dispatch=self._dispatch, tenant=tenant, design_id=design_id)
        ring = await self._once(call, design_id, delete)
        if ring is not None:
            await self._dispatch.send([ring])
            await self._remove_objects(design_prefix(tenant, design_id))

    async def _once(
        self, call: CallIdentity, design_id: UUID, change: Callable[[Connection], Awaitable[_T]]
    ) -> _T | None:
        """Changes a design in one transaction; None where this call has been answered before."""

        async def work(connection: Connection) -> _T | None:
            if await find_answer(connection, call):
                return None
            try:
                done = await change(connection)
            except (NotFoundError, PreconditionError):
                # The same call, made twice at once: while this one waited for the design the other did it.
                if await find_answer(connection, call):
                    return None
                raise
            await record_answer(connection, call, design_id)
            return done

        return await _until_recorded(lambda: self._database.run_transaction(work))

    async def _remove_objects(self, prefix: str) -> None:
        try:
            keys = [entry.key async for entry in self._blobs.list_prefix(prefix)]
            await self._blobs.delete(*keys)
        except Exception:  # the design is gone; retention removes what is left
            log.warning("delete.objects_left", prefix=prefix, exc_info=True)

    async def _read(self, tenant: str, design_id: UUID) -> DesignRow:
        row = await read_design(self._database, tenant, design_id)
        if row is None:
            raise design_not_found(design_id)
        return row

    def _count(self, outcome: str, row: Submission) -> None:
        self._metrics.submits.add(1, {Attribute.OUTCOME: outcome, Attribute.LANE: row.lane.value})


async def _until_recorded(call: Callable[[], Awaitable[_T]]) -> _T:
    """Runs a call again when the same request id was recorded meanwhile: then it finds the first answer."""
    for _ in range(REPEAT_TRIES):
        try:
            return await call()
        except asyncpg.UniqueViolationError:
            continue
    raise store_unavailable()


def _submission(wish: SubmitWish, known: KnownArtwork) -> Submission:
    spec, job = wish.spec, wish.job
    return Submission(
        call=wish.call,
        design_id=new_id(),
        job_id=new_id(),
        outbox_id=new_id(),
        title=wish.title,
        labels_json=wish.labels_json,
        reference=wish.reference,
        artwork=known.artwork,
        spec_json=spec.spec_json,
        resolved_spec_json=spec.resolved_spec_json,
        dedup_key=submit_key(
            tenant=wish.call.tenant,
            artwork_sha256=known.sha256_hex,
            spec=spec.resolved,
            reference=wish.reference,
            not_before_time=job.not_before_time,
        ),
        lane=job.lane,
        max_attempts=job.max_attempts,
        not_before_time=job.not_before_time,
        traceparent=traceparent_of_current(),
    )
