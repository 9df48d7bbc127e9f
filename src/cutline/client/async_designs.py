"""The tenant's designs, for asyncio; `designs` is its twin for threads."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Unpack

import httpx

from cutline.client import requests
from cutline.client.artwork import Artwork, ArtworkSource
from cutline.client.async_connection import AsyncConnection
from cutline.client.async_design import AsyncDesign
from cutline.client.downloads import download_files_async, files_of
from cutline.client.requests import Spec, Submission
from cutline.client.retries import Deadline
from cutline.client.specs import SpecFields
from cutline.client.states import TERMINAL
from cutline.client.uploads import OnUpload, put_artwork_async
from cutline.client.watching import DesignWatch, OnProgress, TenantWatch
from cutline.v1 import design_pb2, ingest_service_pb2_grpc, job_pb2, status_service_pb2, status_service_pb2_grpc


class AsyncDesigns:
    """The tenant's designs.

    Args:
        ingest: Accepts work.
        status: Tells what happens.
        http: Talks to the object store.
        patience_s: How long a watch asks a service that is away.
    """

    def __init__(
        self, ingest: AsyncConnection, status: AsyncConnection, http: httpx.AsyncClient, *, patience_s: float
    ) -> None:
        self._ingest = ingest
        self._status = status
        self._http = http
        self._patience_s = patience_s
        self._ingest_stub: ingest_service_pb2_grpc.IngestServiceAsyncStub = ingest_service_pb2_grpc.IngestServiceStub(
            ingest.channel
        )
        self._status_stub: status_service_pb2_grpc.StatusServiceAsyncStub = status_service_pb2_grpc.StatusServiceStub(
            status.channel
        )

    async def submit(
        self,
        artwork: Artwork,
        spec: Spec | None = None,
        *,
        filename: str = "",
        media_type: str = "",
        title: str = "",
        labels: Mapping[str, str] | None = None,
        reference: str = "",
        job: job_pb2.JobOptions | None = None,
        request_id: str = "",
        on_upload: OnUpload | None = None,
        **fields: Unpack[SpecFields],
    ) -> AsyncDesign:
        """Uploads artwork and submits a design of it.

        Args:
            artwork: A path, the bytes themselves, or a file object open for reading bytes, which is read from where
                it stands and not closed. Paths and files are sent in blocks and never held whole.
            spec: The sticker wanted; its fields can be given by name instead, such as `width_mm=60`.
            filename: Label of the artwork; empty means the path's last part.
            media_type: Media type of the artwork; empty means that it is told from the bytes.
            title: Label for people; empty means the file name, or its beginning.
            labels: Labels to filter by.
            reference: The caller's own reference.
            job: How to run the work, see `job_options`.
            request_id: UUID of this submit, to repeat it safely after a crash; empty makes one.
            on_upload: Is told bytes sent and bytes in all, after each block; an upload that is tried again begins
                anew. What it raises ends the submit.
            **fields: Fields of the spec.

        Raises:
            ArtworkFileError: The file cannot be read or is no picture that is taken.
            UploadError: The object store did not take the artwork.
            ApiError: A service refused the call.
        """
        submission = Submission(spec, fields, request_id=request_id)
        source = await asyncio.to_thread(ArtworkSource, artwork, filename=filename, media_type=media_type)
        with source, self._ingest.span("submit"):
            upload = await self._ingest.call(self._ingest_stub.CreateUpload, submission.upload(source))
            await put_artwork_async(self._http, upload, source, on_upload=on_upload, pause=self._ingest.pause)
            request = submission.submit(
                upload,
                title=title or source.filename[: requests.TITLE_CHARACTERS],
                labels=labels,
                reference=reference,
                job=job,
            )
            answer = await self._ingest.call(self._ingest_stub.SubmitDesign, request)
        return AsyncDesign(self, answer.design, deduplicated=answer.deduplicated)

    async def get(self, design_id: str, *, timeline: bool = False) -> AsyncDesign:
        """A design as it is now, with signed addresses of its files.

        Raises:
            NotFoundError: The tenant has none of that id.
        """
        return AsyncDesign(self, await self.read(design_id, timeline=timeline))

    async def read(self, design_id: str, *, timeline: bool = False) -> design_pb2.Design:
        """As `get`, but the bare message."""
        return await self._status.call(self._status_stub.GetDesign, requests.get_design(design_id, timeline=timeline))

    def list(
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
            create_time_from: Only those accepted at or after this time; UTC where it names no zone.
            create_time_before: Only those accepted before this time, in the same way.
            page_size: Designs fetched at once; 0 leaves it to the service.

        Raises:
            ValueError: There is no state of such a name.
        """
        request = requests.list_designs(
            states=states,
            failure_reason=failure_reason,
            labels=labels,
            reference=reference,
            text=text,
            create_time_from=create_time_from,
            create_time_before=create_time_before,
            page_size=page_size,
        )
        return self._status.pages(self._status_stub.ListDesigns, request, lambda page: page.designs)

    def watch(self, design_id: str, *, after_revision: int = 0) -> AsyncGenerator[design_pb2.Design, None]:
        """Each newer revision of a design, to the terminal one; revisions only grow.

        It goes on by itself when the connection breaks or the service asks to come back, and gives up when the
        service has stayed away for `patience_s` of the client. Revisions in between may be left out, the last one
        never.

        Args:
            design_id: Which.
            after_revision: The last one known. The terminal one is told even so.

        Raises:
            NotFoundError: The tenant has none of that id.
            DesignDeletedError: It was deleted.
            UnavailableError: The service stayed away.
        """
        watch = DesignWatch(design_id, after_revision=after_revision, patience_s=self._patience_s)
        return self._status.follow(self._status_stub.WatchDesign, watch)

    def watch_all(self, *, resume_token: str = "") -> AsyncGenerator[status_service_pb2.WatchDesignsResponse, None]:
        """Every change of every design, deletions too, for ever; goes on by itself as `watch` does.

        A message holds either `design` or `deleted`, and a `resume_token` for a caller who wants to go on behind it
        after a restart of his own.

        Args:
            resume_token: Token of the last message seen; empty begins with the unfinished designs.

        Raises:
            OutOfRangeError: The token is too old: begin without one, and `list` what was missed.
            UnavailableError: The service stayed away.
        """
        watch = TenantWatch(resume_token=resume_token, patience_s=self._patience_s)
        return self._status.follow(self._status_stub.WatchDesigns, watch)

    async def wait(
        self,
        design_id: str,
        *,
        after_revision: int = 0,
        timeout_s: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> design_pb2.Design:
        """Waits until a design ends, well or not.

        Args:
            design_id: Which.
            after_revision: The last one known.
            timeout_s: The longest wait; None means for ever. A service that is away is asked for `patience_s` of the
                client.
            on_progress: Is told each newer revision, the terminal one too. What it raises ends the wait.

        Raises:
            WaitTimeoutError: It did not end in time.
            DesignDeletedError: It was deleted.
            UnavailableError: The service stayed away.
        """
        watch = DesignWatch(design_id, after_revision=after_revision, patience_s=self._patience_s)
        deadline = Deadline(timeout_s, f"Design {design_id} did not end")
        async with aclosing(self._status.follow(self._status_stub.WatchDesign, watch, deadline=deadline)) as revisions:
            async for design in revisions:
                if on_progress is not None and inspect.isawaitable(waiting := on_progress(design)):
                    await waiting
                if design.state in TERMINAL:
                    return design
        raise AssertionError

    async def cancel(self, design_id: str, *, request_id: str = "") -> design_pb2.Design:
        """Stops a design's unfinished work.

        Raises:
            PreconditionError: It has already ended.
        """
        request = requests.cancel_design(design_id, request_id=request_id)
        return await self._ingest.call(self._ingest_stub.CancelDesign, request)

    async def reprocess(
        self,
        design_id: str,
        spec: Spec | None = None,
        *,
        job: job_pb2.JobOptions | None = None,
        request_id: str = "",
        **fields: Unpack[SpecFields],
    ) -> AsyncDesign:
        """Runs a design again; without a spec, with the one it has."""
        request = requests.reprocess_design(design_id, spec, fields, job=job, request_id=request_id)
        answer = await self._ingest.call(self._ingest_stub.ReprocessDesign, request)
        return AsyncDesign(self, answer.design, deduplicated=answer.deduplicated)

    async def delete(self, design_id: str, *, request_id: str = "") -> None:
        """Deletes a design with its files.

        Raises:
            PreconditionError: Its work is unfinished.
        """
        await self._ingest.call(
            self._ingest_stub.DeleteDesign, requests.delete_design(design_id, request_id=request_id)
        )

    async def download(self, design_id: str, folder: str | PathLike[str]) -> Sequence[Path]:
        """Fetches every file of a design into a folder, each compared with its SHA-256.

        A file is put in its place when it is whole; one of the same name is replaced.

        Raises:
            DownloadError: A file cannot be fetched whole, or the design has none.
            OSError: The folder cannot be written to.
        """
        design = await self.read(design_id)
        return await download_files_async(self._http, files_of(design), Path(folder), pause=self._status.pause)
