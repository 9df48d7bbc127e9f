"""What ingest does for its callers, in values of the contract. The principal's tenant bounds everything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, TypeVar
from uuid import UUID

import asyncpg
from cutline.blobs.keys import design_prefix, upload_key
from cutline.blobs.store import S3BlobStore

from cutline.contract.designs import design_to_wire, timestamp
from cutline.domain.artwork import ArtworkLimits
from cutline.domain.dedup import submit_key
from cutline.domain.errors import Reason, ResourceExhaustedError
from cutline.domain.ids import parse_id
from cutline.domain.states import DesignState
from cutline.messaging.tickets import DELETED
from cutline.runtime.logging import get_logger
from cutline.store.design_changes import LockedDesign, cancel_design, delete_design, design_not_found, lock_design
from cutline.store.design_reads import read_design
from cutline.store.ids import new_id
from cutline.store.outbox import OutboxRow, insert_outbox
from cutline.store.pool import Connection, Database, store_unavailable
from cutline.store.requests import CallIdentity, find_answer, record_answer
from cutline.store.submissions import Repeat, Submission
from cutline.store.uploads import NewUpload, create_upload
from cutline.telemetry.metrics import Metrics
from cutline.telemetry.names import Attribute
from cutline.telemetry.propagation import traceparent_of_current
from cutline.v1 import design_pb2
from cutline.v1 import ingest_service_pb2 as pb
from services.ingest.artwork_check import ArtworkCheck, KnownArtwork
from services.ingest.dispatch import Dispatch
from services.ingest.flusher import Accepted, Flusher
from services.ingest.reading import (
    JobWish,
    SpecWish,
    check_submit,
    check_upload,
    labels_json,
    read_call,
    read_job,
    read_spec,
)
from services.ingest.reprocess import Reprocess

log = get_logger(__name__)

_T = TypeVar("_T")

LATE_WRITES_S: Final = 120.0
"""How long a worker that was stopped just before a delete may still write objects."""
REPEAT_TRIES: Final = 4


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
        limits: ArtworkLimits,
        upload_keep_s: float,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._artwork = artwork
        self._flusher = flusher
        self._reprocess = reprocess
        self._dispatch = dispatch
        self._limits = limits
        self._upload_keep_s = upload_keep_s
        self._metrics = metrics

    async def create_upload(self, tenant: str, request: pb.CreateUploadRequest) -> pb.Upload:
        """Promises an upload and signs its PUT."""
        call = read_call(tenant, "CreateUpload", request)
        check_upload(request, self._limits)
        upload_id = new_id()
        wanted = NewUpload(
            upload_id=upload_id,
            tenant=tenant,
            object_key=upload_key(tenant, upload_id),
            filename=request.filename,
            media_type=request.media_type,
            size_bytes=request.size_bytes,
            sha256=bytes.fromhex(request.sha256),
            keep_s=self._upload_keep_s,
        )
        row = await _until_recorded(lambda: create_upload(self._database, call, wanted))
        signed = self._blobs.presign_put(
            row.object_key, size_bytes=row.size_bytes, media_type=row.media_type, sha256=row.sha256.hex()
        )
        return pb.Upload(
            id=str(row.upload_id),
            url=signed.url,
            headers=signed.headers,
            url_expire_time=timestamp(signed.expire_time),
            expire_time=timestamp(row.expire_time),
        )

    async def submit_design(self, tenant: str, request: pb.SubmitDesignRequest) -> pb.SubmitDesignResponse:
        """Accepts a design, or answers with the one whose work is the same."""
        call = read_call(tenant, "SubmitDesign", request)
        check_submit(request)
        spec = read_spec(request.spec)
        job = read_job(request.job, now=datetime.now(UTC))
        known = await self._artwork.require(tenant, request.upload_id)
        row = _submission(call, request, spec, job, known)
        try:
            answer = await self._flusher.submit(row, first_use=not known.kept)
        except ResourceExhaustedError:
            self._count("refused", row)
            raise
        if isinstance(answer, Accepted):
            known.kept = True
            self._count("created", row)
            return pb.SubmitDesignResponse(design=_fresh_design(request, row, spec, known, answer))
        self._count("deduplicated" if answer.deduplicated else "replayed", row)
        return await self._answer(tenant, answer)

    async def reprocess_design(self, tenant: str, request: pb.ReprocessDesignRequest) -> pb.SubmitDesignResponse:
        """Starts the next generation of a design."""
        call = read_call(tenant, "ReprocessDesign", request)
        design_id = _design_id(request.design_id)
        spec = read_spec(request.spec) if request.HasField("spec") else None
        job = read_job(request.job, now=datetime.now(UTC))
        repeat = await _until_recorded(lambda: self._reprocess.run(call, design_id, spec, job))
        return await self._answer(tenant, repeat)

    async def cancel_design(self, tenant: str, request: pb.CancelDesignRequest) -> design_pb2.Design:
        """Stops a design's unfinished work."""
        call = read_call(tenant, "CancelDesign", request)
        design_id = _design_id(request.design_id)

        async def work(connection: Connection) -> tuple[OutboxRow, LockedDesign] | None:
            if await find_answer(connection, call):
                return None
            design = await lock_design(connection, tenant, design_id)
            revision = await cancel_design(connection, design)
            ring = self._dispatch.terminal_ring(
                tenant=tenant, design_id=design_id, revision=revision, state=DesignState.CANCELLED
            )
            await insert_outbox(connection, [ring])
            await record_answer(connection, call, design_id)
            return ring, design

        done = await _until_recorded(lambda: self._database.run_transaction(work))
        if done is not None:
            ring, design = done
            await self._dispatch.ring_cancel(design_id=design_id, generation=design.generation)
            await self._dispatch.send([ring])
        return await self._read(tenant, design_id)

    async def delete_design(self, tenant: str, request: pb.DeleteDesignRequest) -> pb.DeleteDesignResponse:
        """Deletes a design; its objects go at once where the store answers, else by retention."""
        call = read_call(tenant, "DeleteDesign", request)
        design_id = _design_id(request.design_id)
        prefix = design_prefix(tenant, design_id)

        async def work(connection: Connection) -> OutboxRow | None:
            if await find_answer(connection, call):
                return None
            design = await lock_design(connection, tenant, design_id)
            await delete_design(connection, design, object_prefix=prefix, late_writes_s=LATE_WRITES_S)
            ring = self._dispatch.terminal_ring(
                tenant=tenant, design_id=design_id, revision=design.revision + 1, state=DELETED
            )
            await insert_outbox(connection, [ring])
            await record_answer(connection, call, design_id)
            return ring

        ring = await _until_recorded(lambda: self._database.run_transaction(work))
        if ring is not None:
            await self._dispatch.send([ring])
            await self._remove_objects(prefix)
        return pb.DeleteDesignResponse()

    async def _remove_objects(self, prefix: str) -> None:
        try:
            keys = [entry.key async for entry in self._blobs.list_prefix(prefix)]
            await self._blobs.delete(*keys)
        except Exception:  # the design is gone; retention removes what is left
            log.warning("delete.objects_left", prefix=prefix, exc_info=True)

    async def _answer(self, tenant: str, repeat: Repeat) -> pb.SubmitDesignResponse:
        design = await self._read(tenant, repeat.design_id)
        return pb.SubmitDesignResponse(design=design, deduplicated=repeat.deduplicated)

    async def _read(self, tenant: str, design_id: UUID) -> design_pb2.Design:
        row = await read_design(self._database, tenant, design_id)
        if row is None:
            raise design_not_found(design_id)
        return design_to_wire(row)

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


def _design_id(text: str) -> UUID:
    return parse_id(text, kind="design", reason=Reason.DESIGN_NOT_FOUND)


def _submission(
    call: CallIdentity, request: pb.SubmitDesignRequest, spec: SpecWish, job: JobWish, known: KnownArtwork
) -> Submission:
    return Submission(
        call=call,
        design_id=new_id(),
        job_id=new_id(),
        outbox_id=new_id(),
        title=request.title,
        labels_json=labels_json(request),
        reference=request.reference,
        artwork=known.artwork,
        spec_json=spec.spec_json,
        resolved_spec_json=spec.resolved_spec_json,
        dedup_key=submit_key(
            tenant=call.tenant,
            artwork_sha256=known.sha256_hex,
            spec=spec.resolved,
            reference=request.reference,
            not_before_time=job.not_before_time,
        ),
        lane=job.lane,
        max_attempts=job.max_attempts,
        not_before_time=job.not_before_time,
        traceparent=traceparent_of_current(),
    )


def _fresh_design(
    request: pb.SubmitDesignRequest, row: Submission, spec: SpecWish, known: KnownArtwork, accepted: Accepted
) -> design_pb2.Design:
    """The design as it was committed a moment ago, without reading it back."""
    create_time = timestamp(accepted.create_time)
    artwork = row.artwork
    return design_pb2.Design(
        id=str(row.design_id),
        tenant=row.call.tenant,
        title=row.title,
        labels=request.labels,
        reference=row.reference,
        artwork=design_pb2.Artwork(
            upload_id=str(artwork.upload_id),
            filename=artwork.filename,
            media_type=artwork.media_type,
            size_bytes=artwork.size_bytes,
            sha256=known.sha256_hex,
        ),
        spec=spec.wire,
        resolved_spec=spec.resolved_wire,
        state=design_pb2.Design.STATE_QUEUED,
        revision=1,
        generation=1,
        create_time=create_time,
        update_time=create_time,
    )
