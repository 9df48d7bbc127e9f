"""Designs: submit them, follow them, fetch what was made of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx

from cutline.client.artwork import put_artwork, read_artwork
from cutline.client.calls import Connection
from cutline.client.downloads import download_files, files_of
from cutline.client.errors import DesignFailedError, WaitTimeoutError
from cutline.client.specs import wire_spec
from cutline.client.watching import TERMINAL, watch_design, watch_designs
from cutline.domain.sticker_spec import StickerSpec
from cutline.v1 import design_pb2, ingest_service_pb2_grpc, job_pb2, status_service_pb2, status_service_pb2_grpc
from cutline.v1 import ingest_service_pb2 as pb
from cutline.v1 import sticker_spec_pb2 as spec_pb

PATIENCE_S: Final = 60.0

Artwork = str | PathLike[str] | bytes


class AsyncDesigns:
    """The tenant's designs.

    Args:
        ingest: Accepts work.
        status: Tells what happens.
        http: Talks to the object store.
    """

    def __init__(self, ingest: Connection, status: Connection, http: httpx.AsyncClient) -> None:
        self._ingest = ingest
        self._status = status
        self._http = http
        self._ingest_stub: ingest_service_pb2_grpc.IngestServiceAsyncStub = ingest_service_pb2_grpc.IngestServiceStub(
            ingest.channel
        )
        self._status_stub: status_service_pb2_grpc.StatusServiceAsyncStub = status_service_pb2_grpc.StatusServiceStub(
            status.channel
        )

    async def submit(
        self,
        artwork: Artwork,
        spec: StickerSpec | spec_pb.StickerSpec | None = None,
        *,
        filename: str = "",
        media_type: str = "",
        title: str = "",
        labels: Mapping[str, str] | None = None,
        reference: str = "",
        job: job_pb2.JobOptions | None = None,
        request_id: str = "",
        **fields: Any,
    ) -> AsyncDesign:
        """Uploads artwork and submits a design of it.

        Args:
            artwork: A path, or the bytes themselves.
            spec: The sticker wanted; its fields can be given by name instead, such as `width_mm=60`.
            filename: Label of the artwork; empty means the path's last part.
            media_type: Media type of the artwork; empty means that it is told from the bytes.
            title: Label for people; empty means the file name.
            labels: Labels to filter by.
            reference: The caller's own reference.
            job: How to run the work.
            request_id: UUID of this submit, to repeat it safely after a crash; empty makes one.
            **fields: Fields of the spec.

        Raises:
            ArtworkFileError: The file cannot be read or is no picture that is taken.
            UploadError: The object store did not take the artwork.
            ApiError: A service refused the call.
        """
        wanted = wire_spec(spec, fields)
        file = await read_artwork(artwork, filename=filename, media_type=media_type)
        async with self._ingest.span("submit"):
            upload = await self._ingest.call(
                self._ingest_stub.CreateUpload,
                pb.CreateUploadRequest(
                    filename=file.filename,
                    media_type=file.media_type,
                    size_bytes=len(file.data),
                    sha256=file.sha256,
                    request_id=str(uuid4()),
                ),
                pb.Upload,
            )
            await put_artwork(self._http, upload.url, upload.headers, file.data)
            answer = await self._ingest.call(
                self._ingest_stub.SubmitDesign,
                pb.SubmitDesignRequest(
                    upload_id=upload.id,
                    spec=wanted,
                    title=title or file.filename,
                    labels=dict(labels or {}),
                    reference=reference,
                    job=job,
                    request_id=request_id or str(uuid4()),
                ),
                pb.SubmitDesignResponse,
            )
        return AsyncDesign(self, answer.design, deduplicated=answer.deduplicated)

    async def get(self, design_id: str, *, timeline: bool = False) -> AsyncDesign:
        """A design as it is now, with signed addresses of its files.

        Raises:
            NotFoundError: The tenant has none of that id.
        """
        return AsyncDesign(self, await self.read(design_id, timeline=timeline))

    async def read(self, design_id: str, *, timeline: bool = False) -> design_pb2.Design:
        """As `get`, but the bare message."""
        view = design_pb2.DESIGN_VIEW_FULL if timeline else design_pb2.DESIGN_VIEW_BASIC
        request = status_service_pb2.GetDesignRequest(design_id=design_id, view=view)
        return await self._status.call(self._status_stub.GetDesign, request, design_pb2.Design)

    async def list(
        self,
        *,
        states: Iterable[str] = (),
        failure_reason: str = "",
        labels: Mapping[str, str] | None = None,
        reference: str = "",
        text: str = "",
        create_time_from: datetime | None = None,
        create_time_before: datetime | None = None,
        page_size: int = 0,
    ) -> AsyncGenerator[design_pb2.Design, None]:
        """Designs, newest first; further pages are fetched as they are needed.

        Args:
            states: Only these, by name, such as READY.
            failure_reason: Only those that failed for this reason.
            labels: Only those with all these labels.
            reference: Only those with this reference.
            text: Only those with this text in title, reference or file name.
            create_time_from: Only those accepted at or after this time.
            create_time_before: Only those accepted before this time.
            page_size: Designs fetched at once; 0 leaves it to the service.

        Raises:
            ValueError: There is no state of such a name.
        """
        request = status_service_pb2.ListDesignsRequest(
            page_size=page_size,
            states=[design_pb2.Design.State.Value(f"STATE_{state}") for state in states],
            failure_reason=failure_reason,
            labels=dict(labels or {}),
            reference=reference,
            text=text,
        )
        if create_time_from is not None:
            request.create_time_from.FromDatetime(create_time_from)
        if create_time_before is not None:
            request.create_time_before.FromDatetime(create_time_before)
        while True:
            page = await self._status.call(
                self._status_stub.ListDesigns, request, status_service_pb2.ListDesignsResponse
            )
            for design in page.designs:
                yield design
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def watch(self, design_id: str, *, after_revision: int = 0) -> AsyncGenerator[design_pb2.Design, None]:
        """Each newer revision of a design, to the terminal one; goes on by itself after a broken connection."""
        return watch_design(self._status, design_id, after_revision=after_revision, patience_s=PATIENCE_S)

    def watch_all(self, *, resume_token: str = "") -> AsyncGenerator[status_service_pb2.WatchDesignsResponse, None]:
        """Every change of every design, for ever; goes on by itself after a broken connection."""
        return watch_designs(self._status, resume_token=resume_token, patience_s=PATIENCE_S)

    async def wait(
        self, design_id: str, *, after_revision: int = 0, timeout_s: float | None = None
    ) -> design_pb2.Design:
        """Waits until a design ends, well or not.

        Raises:
            WaitTimeoutError: It did not end in time.
            DesignDeletedError: It was deleted.
        """
        try:
            async with (
                asyncio.timeout(timeout_s),
                aclosing(self.watch(design_id, after_revision=after_revision)) as revisions,
            ):
                async for design in revisions:
                    if design.state in TERMINAL:
                        return design
        except TimeoutError:
            message = f"Design {design_id} did not end within {timeout_s:g} s."
            raise WaitTimeoutError(message) from None
        raise AssertionError

    async def cancel(self, design_id: str, *, request_id: str = "") -> design_pb2.Design:
        """Stops a design's unfinished work.

        Raises:
            PreconditionError: It has already ended.
        """
        request = pb.CancelDesignRequest(design_id=design_id, request_id=request_id or str(uuid4()))
        return await self._ingest.call(self._ingest_stub.CancelDesign, request, design_pb2.Design)

    async def reprocess(
        self,
        design_id: str,
        spec: StickerSpec | spec_pb.StickerSpec | None = None,
        *,
        job: job_pb2.JobOptions | None = None,
        request_id: str = "",
        **fields: Any,
    ) -> AsyncDesign:
        """Runs a design again; without a spec, with the one it has."""
        request = pb.ReprocessDesignRequest(
            design_id=design_id, spec=wire_spec(spec, fields), job=job, request_id=request_id or str(uuid4())
        )
        answer = await self._ingest.call(self._ingest_stub.ReprocessDesign, request, pb.SubmitDesignResponse)
        return AsyncDesign(self, answer.design, deduplicated=answer.deduplicated)

    async def delete(self, design_id: str, *, request_id: str = "") -> None:
        """Deletes a design with its files.

        Raises:
            PreconditionError: Its work is unfinished.
        """
        request = pb.DeleteDesignRequest(design_id=design_id, request_id=request_id or str(uuid4()))
        await self._ingest.call(self._ingest_stub.DeleteDesign, request, pb.DeleteDesignResponse)

    async def download(self, design_id: str, folder: str | PathLike[str]) -> Sequence[Path]:
        """Fetches every file of a design into a folder, each compared with its SHA-256.

        Raises:
            DownloadError: A file cannot be fetched whole.
        """
        design = await self.read(design_id)
        return await download_files(self._http, files_of(design), Path(folder))


class AsyncDesign:
    """A design at hand.

    Attributes:
        message: The design as it was last told.
        deduplicated: Whether a submit found the same work already under way.
    """

    def __init__(self, designs: AsyncDesigns, message: design_pb2.Design, *, deduplicated: bool = False) -> None:
        self._designs = designs
        self.message = message
        self.deduplicated = deduplicated

    @property
    def id(self) -> str:
        """Its id."""
        return self.message.id

    @property
    def state(self) -> str:
        """Its state by name, such as READY, as last told; a number for a state of a later release."""
        return state_name(self.message.state)

    async def refresh(self, *, timeline: bool = False) -> design_pb2.Design:
        """Reads it again."""
        self.message = await self._designs.read(self.id, timeline=timeline)
        return self.message

    async def watch(self) -> AsyncGenerator[design_pb2.Design, None]:
        """Each revision newer than `message`, which follows; see `AsyncDesigns.watch`."""
        async with aclosing(self._designs.watch(self.id, after_revision=self.message.revision)) as revisions:
            async for design in revisions:
                self.message = design
                yield design

    async def wait(self, *, timeout_s: float | None = None) -> design_pb2.Design:
        """Waits until it is READY.

        Raises:
            DesignFailedError: It ended FAILED or CANCELLED.
            WaitTimeoutError: It did not end in time.
        """
        self.message = await self._designs.wait(self.id, after_revision=self.message.revision, timeout_s=timeout_s)
        if self.message.state != design_pb2.Design.STATE_READY:
            raise DesignFailedError(self.message)
        return self.message

    async def download(self, folder: str | PathLike[str]) -> Sequence[Path]:
        """Fetches its files; see `AsyncDesigns.download`."""
        return await self._designs.download(self.id, folder)

    async def cancel(self) -> design_pb2.Design:
        """Stops its unfinished work; see `AsyncDesigns.cancel`."""
        self.message = await self._designs.cancel(self.id)
        return self.message

    async def reprocess(
        self, spec: StickerSpec | spec_pb.StickerSpec | None = None, **fields: Any
    ) -> design_pb2.Design:
        """Runs it again; see `AsyncDesigns.reprocess`."""
        again = await self._designs.reprocess(self.id, spec, **fields)
        self.message, self.deduplicated = again.message, again.deduplicated
        return self.message

    async def delete(self) -> None:
        """Deletes it; see `AsyncDesigns.delete`."""
        await self._designs.delete(self.id)


def state_name(state: design_pb2.Design.State.ValueType) -> str:
    """A state without its prefix, such as READY; its number for a state of a later release."""
    try:
        return design_pb2.Design.State.Name(state).removeprefix("STATE_")
    except ValueError:
        return str(state)
