"""A client that makes designs one after the other, as a shop's program does: upload, submit, watch to the end."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from uuid import UUID, uuid4

import grpc
import httpx

from bench.costs.mix import Artwork
from cutline.embedded.stack import EmbeddedStack
from cutline.v1 import design_pb2
from cutline.v1 import ingest_service_pb2 as ingest_pb
from cutline.v1 import status_service_pb2 as status_pb
from cutline.v1.ingest_service_pb2_grpc import IngestServiceStub
from cutline.v1.status_service_pb2_grpc import StatusServiceStub


@dataclass(frozen=True, slots=True)
class Made:
    """A design that is READY, and what its watcher was sent: messages and their bytes before gRPC's framing."""

    design_id: UUID
    watch_messages: int
    watch_bytes: int


class Maker:
    """Makes designs of one artwork after the other; each has an upload and a watch of its own."""

    def __init__(self, stack: EmbeddedStack) -> None:
        self._metadata = (("authorization", f"Bearer {stack.api_key}"),)
        self._ingest_channel = grpc.aio.insecure_channel(stack.ingest_target)
        self._status_channel = grpc.aio.insecure_channel(stack.status_target)
        self._ingest = IngestServiceStub(self._ingest_channel)
        self._status = StatusServiceStub(self._status_channel)
        self._http = httpx.AsyncClient(trust_env=False)

    async def make(self, artwork: Artwork, data: bytes) -> Made:
        """Makes one design with every default file and mockup.

        Raises:
            RuntimeError: It did not end READY.
        """
        upload = await self._ingest.CreateUpload(
            ingest_pb.CreateUploadRequest(
                filename="artwork",
                media_type=artwork.media_type,
                size_bytes=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
                request_id=str(uuid4()),
            ),
            metadata=self._metadata,
        )
        (await self._http.put(upload.url, content=data, headers=dict(upload.headers))).raise_for_status()
        request = ingest_pb.SubmitDesignRequest(upload_id=upload.id, title="bench", request_id=str(uuid4()))
        request.reference = uuid4().hex
        request.spec.width_mm = 60
        answer = await self._ingest.SubmitDesign(request, metadata=self._metadata)
        return await self._watch(answer.design.id)

    async def _watch(self, design_id: str) -> Made:
        messages, size_bytes, state = 0, 0, design_pb2.Design.STATE_QUEUED
        watch = self._status.WatchDesign(status_pb.WatchDesignRequest(design_id=design_id), metadata=self._metadata)
        async for message in watch:
            messages, size_bytes = messages + 1, size_bytes + message.ByteSize()
            if message.HasField("design"):
                state = message.design.state
        if state != design_pb2.Design.STATE_READY:
            msg = f"design {design_id} ended {design_pb2.Design.State.Name(state)}"
            raise RuntimeError(msg)
        return Made(UUID(design_id), messages, size_bytes)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()
        await self._ingest_channel.close()
        await self._status_channel.close()
