"""Watchers: the SDK's own, and on the bare stub, which see what the SDK would hide."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Any, Final

import grpc

from bench.watch_faults.hearing import Hearing
from cutline.client import ApiError, AsyncClient, DesignDeletedError, NotFoundError
from cutline.client.states import TERMINAL
from cutline.v1 import status_service_pb2 as pb
from cutline.v1 import status_service_pb2_grpc

Choice = Callable[[], str | None]
"""Gives the id of a design to watch; None where there is nothing more to watch."""

_COME_BACK: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED}
)
"""Ends that are none of what is watched; CANCELLED is what a call gets that arrives as the server closes."""
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 2.0
_OPTIONS: Final = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.service_config", '{"loadBalancingConfig":[{"round_robin":{}}]}'),
    # So small that a reader who stops is felt by the server at once.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 65_536),
)


class Watcher(ABC):
    """Somebody who listens.

    Attributes:
        hearing: What was heard.
        watched: Designs that were watched one by one.
    """

    def __init__(self, hearing: Hearing) -> None:
        self.hearing = hearing
        self.watched: set[str] = set()

    @abstractmethod
    async def watch_design(self, design_id: str) -> None:
        """Watches one design to its end, whatever breaks on the way."""

    @abstractmethod
    async def watch_all(self) -> None:
        """Watches every design, for ever."""

    async def watch_some(self, choose: Choice) -> None:
        """Watches one design after the other."""
        while (design_id := choose()) is not None:
            if design_id not in self.watched:
                self.watched.add(design_id)
                await self.watch_design(design_id)
            await asyncio.sleep(0)


class SdkWatcher(Watcher):
    """As a user of the SDK watches: without a thought for what breaks."""

    def __init__(self, hearing: Hearing, client: AsyncClient) -> None:
        super().__init__(hearing)
        self._designs = client.designs

    async def watch_design(self, design_id: str) -> None:
        """Watches one design to its end; see `AsyncDesigns.watch`."""
        try:
            async with aclosing(self._designs.watch(design_id)) as revisions:
                async for design in revisions:
                    self.hearing.hear(design)
        except (DesignDeletedError, NotFoundError):  # the latter where it went before its first word
            self.hearing.hear_deleted(design_id)
        except ApiError as error:
            self.hearing.refusals.append(f"SDK, design: {error!r}")

    async def watch_all(self) -> None:
        """Watches every design; see `AsyncDesigns.watch_all`."""
        try:
            async with aclosing(self._designs.watch_all()) as messages:
                async for message in messages:
                    if message.HasField("design"):
                        self.hearing.hear(message.design)
                    elif message.HasField("deleted"):
                        self.hearing.hear_deleted(message.deleted.design_id)
        except ApiError as error:
            self.hearing.refusals.append(f"SDK, all: {error!r}")


class BareWatcher(Watcher):
    """Resumes by the letter of the contract and takes down every message.

    Attributes:
        reading: While it is not set nothing is read, so that the server's writes come to a stop.
    """

    def __init__(self, hearing: Hearing, channel: grpc.aio.Channel, metadata: tuple[tuple[str, str], ...]) -> None:
        super().__init__(hearing)
        self._stub: status_service_pb2_grpc.StatusServiceAsyncStub = status_service_pb2_grpc.StatusServiceStub(channel)
        self._metadata = metadata
        self._pause_s = _FIRST_PAUSE_S
        self._opened = False
        self._refused = False
        self.reading = asyncio.Event()
        self.reading.set()

    async def watch_design(self, design_id: str) -> None:
        """Watches one design to its end; resumes by the last revision heard."""
        self._opened = False
        revision, over = 0, False
        while not over:
            request = pb.WatchDesignRequest(design_id=design_id, after_revision=revision)
            async with aclosing(self._stream(self._stub.WatchDesign, request)) as messages:
                async for message in messages:
                    self._take(message)
                    over = over or _ends_watch(message)
                    if message.HasField("design"):
                        revision = message.design.revision
                    elif message.HasField("reconnect") and message.reconnect.after_revision != revision:
                        self._refuse(f"sent back to {message.reconnect.after_revision} instead of {revision}")
            over = over or self._refused

    async def watch_all(self) -> None:
        """Watches every design; resumes by the last token heard."""
        self._opened = False
        token = ""
        while not self._refused:
            request = pb.WatchDesignsRequest(resume_token=token)
            async with aclosing(self._stream(self._stub.WatchDesigns, request)) as messages:
                async for message in messages:
                    self._take(message)
                    token = message.resume_token or token

    def _take(self, message: pb.WatchDesignResponse | pb.WatchDesignsResponse) -> None:
        if message.HasField("design"):
            self.hearing.hear(message.design)
        elif message.HasField("deleted"):
            self.hearing.hear_deleted(message.deleted.design_id)
        else:
            self.hearing.beat(message.WhichOneof("event") or "nothing")

    async def _stream(self, method: Callable[..., Any], request: Any) -> AsyncGenerator[Any, None]:
        """One stream to its end, and a pause where it broke."""
        self.hearing.resumes += self._opened
        self._opened, self._refused = True, False
        call = method(request, metadata=self._metadata)
        last, caught_up = None, False
        try:
            while (message := await self._read(call)) is not grpc.aio.EOF:
                self._pause_s = _FIRST_PAUSE_S
                last = message
                self.hearing.overflows += caught_up and message.HasField("heartbeat")
                caught_up = caught_up or message.HasField("heartbeat")
                yield message
            if last is None or not (last.HasField("reconnect") or _ends_watch(last)):
                self._refuse("a stream ended well with nothing that says why")
        except grpc.aio.AioRpcError as error:
            if error.code() in _COME_BACK:
                await self._pause()
            elif error.code() is grpc.StatusCode.NOT_FOUND and isinstance(request, pb.WatchDesignRequest):
                self._refused = True
                self.hearing.hear_deleted(request.design_id)
            else:
                self._refuse(f"{error.code().name}: {error.details()}")
        finally:
            call.cancel()

    async def _read(self, call: Any) -> Any:
        await self.reading.wait()
        return await call.read()

    def _refuse(self, what: str) -> None:
        self._refused = True
        self.hearing.refusals.append(f"bare: {what}")

    async def _pause(self) -> None:
        self.hearing.words["broken"] += 1
        await asyncio.sleep(random.uniform(0, self._pause_s))  # noqa: S311  (jitter, not a secret)
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)


def _ends_watch(message: pb.WatchDesignResponse | pb.WatchDesignsResponse) -> bool:
    """Whether a watch of one design is over with it."""
    if not isinstance(message, pb.WatchDesignResponse):
        return False
    return message.HasField("deleted") or (message.HasField("design") and message.design.state in TERMINAL)


def bare_channels(targets: Iterable[str], count: int) -> list[grpc.aio.Channel]:
    """Connections that spread their streams over every target in turn."""
    address = f"ipv4:{','.join(targets)}"
    return [grpc.aio.insecure_channel(address, options=_OPTIONS) for _ in range(count)]
