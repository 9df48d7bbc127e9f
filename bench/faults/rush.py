"""Submits at a fixed rate through every ingest process, each answer timed from when it was due.

One upload serves them all, for a caller's own reference makes each submit another design. Nothing is tried twice: a
refusal counts. The bytes are ready-made, so that the client measures the service rather than itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Final, Self
from uuid import UUID, uuid4

import grpc
import httpx

from bench.faults.farm import Farm
from bench.faults.orders import Order
from bench.percentiles import Percentiles
from cutline.client.artwork import ArtworkSource
from cutline.client.specs import wire_spec
from cutline.client.uploads import put_artwork_async
from cutline.v1 import ingest_service_pb2 as pb

TIMEOUT_S: Final = 30.0
_SERVICE: Final = "/cutline.v1.IngestService/"

_Call = Callable[..., Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one submit.

    Attributes:
        due_s: When it was due, in seconds since the epoch.
        took_s: From then to its answer.
        design_id: What was accepted; None where it was refused.
        refusal: Why it was refused; empty where it was not.
    """

    due_s: float
    took_s: float
    design_id: UUID | None
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """Figures of some answers; times in milliseconds."""

    submits: int
    refused: int
    p50_ms: float
    p99_ms: float
    longest_ms: float

    @classmethod
    def of(cls, answers: Sequence[Answer]) -> Answers:
        """The figures of at least one answer."""
        refused = sum(answer.design_id is None for answer in answers)
        return cls(len(answers), refused, *Percentiles.of((1000 * answer.took_s for answer in answers), digits=1))


class Rush:
    """`async with Rush(farm, per_s) as rush, rush.going()`: submits until the inner block ends.

    Attributes:
        answers: What was answered so far, in the order of the answers.
    """

    def __init__(self, farm: Farm, per_s: float) -> None:
        self._per_s = per_s
        self._channels = [grpc.aio.insecure_channel(target) for target in farm.targets["ingest"]]
        self._metadata = (("authorization", f"Bearer {farm.api_key}"),)
        self._body = b""
        self._numbers = count(1)
        self.answers: list[Answer] = []

    @property
    def accepted(self) -> frozenset[UUID]:
        """Designs that were answered."""
        return frozenset(answer.design_id for answer in self.answers if answer.design_id is not None)

    def between(self, begin_s: float, end_s: float) -> list[Answer]:
        """Answers of submits that were due in a span of time."""
        return [answer for answer in self.answers if begin_s <= answer.due_s < end_s]

    async def _upload(self) -> str:
        data = Order(0).encode()
        request = pb.CreateUploadRequest(
            filename="order.png", media_type="image/png", size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest()
        )
        create: _Call = self._channels[0].unary_unary(f"{_SERVICE}CreateUpload")
        upload = pb.Upload.FromString(await create(request.SerializeToString(), metadata=self._metadata))
        async with httpx.AsyncClient(trust_env=False) as http:
            await put_artwork_async(http, upload, ArtworkSource(data, media_type="image/png"))
        return upload.id

    async def _submit(self, due_s: float) -> None:
        number = next(self._numbers)
        own = pb.SubmitDesignRequest(reference=str(number), request_id=str(uuid4()))
        call: _Call = self._channels[number % len(self._channels)].unary_unary(f"{_SERVICE}SubmitDesign")
        try:
            # A concatenation of messages is their merge.
            answer = await call(self._body + own.SerializeToString(), metadata=self._metadata, timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            self.answers.append(Answer(due_s, time.time() - due_s, None, f"{error.code().name}: {error.details()}"))
            return
        design_id = UUID(pb.SubmitDesignResponse.FromString(answer).design.id)
        self.answers.append(Answer(due_s, time.time() - due_s, design_id))

    @asynccontextmanager
    async def going(self) -> AsyncIterator[None]:
        """Submits until the block ends, then waits for the last answers."""
        over = asyncio.Event()
        run = asyncio.create_task(self._run(over), name="rush")
        try:
            yield
        finally:
            over.set()
            await run

    async def _run(self, over: asyncio.Event) -> None:
        start_s = time.time()
        async with asyncio.TaskGroup() as submits:
            for number in count():
                due_s = start_s + number / self._per_s
                await asyncio.sleep(due_s - time.time())
                if over.is_set():
                    return
                submits.create_task(self._submit(due_s))

    async def __aenter__(self) -> Self:
        request = pb.SubmitDesignRequest(
            upload_id=await self._upload(), spec=wire_spec(None, {"width_mm": 60, "mockup_scenes": ()}), title="rush"
        )
        self._body = request.SerializeToString()
        # The first submits of an upload have its artwork checked, in each process by itself.
        for _ in self._channels:
            await self._submit(time.time())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for channel in self._channels:
            await channel.close()
