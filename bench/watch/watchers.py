"""Callers that watch: plain `grpc.aio` stubs without deserialisers, many streams on each of several connections.

Asked by `bench.watch.asking`. A receipt is stamped (CLOCK_MONOTONIC) as its bytes come out of gRPC and is read as a
message only when it is asked for, so that the callers measure the service rather than themselves.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import grpc

from bench.watch.asking import Answer, rest_collector, serve
from cutline.jobs.v1 import ticket_pb2
from cutline.v1 import status_service_pb2 as pb

WATCH_DESIGN: Final = "/cutline.v1.StatusService/WatchDesign"
WATCH_DESIGNS: Final = "/cutline.v1.StatusService/WatchDesigns"
BARE: Final = "/bench.BareDoorbell/Watch"
_DESIGN_TAG: Final = (pb.WatchDesignResponse.DESIGN_FIELD_NUMBER << 3) | 2
_OPENING_AT_A_TIME: Final = 64
_OWN_CONNECTION: Final = ("grpc.use_local_subchannel_pool", 1)

Call = Any
"""A grpc.aio.UnaryStreamCall of bytes."""


@dataclass
class Callers:
    """Everybody who watches from this process.

    Attributes:
        receipts: Number of the watcher, time (ns) and bytes of every message about a design.
        quiet: Messages that are none, as heartbeats.
        ended: Number of the watcher, code and time (ns) of every stream that ended by itself.
    """

    channels: list[grpc.aio.Channel] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    receipts: list[tuple[int, int, bytes]] = field(default_factory=list)
    quiet: int = 0
    ended: list[tuple[int, str, int]] = field(default_factory=list)
    _path: str = ""
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(
        self,
        *,
        target: str,
        key: str,
        path: str,
        requests: Sequence[str],
        per_connection: int,
        options: Mapping[str, int] | None = None,
        reads: int | None = None,
    ) -> dict[str, float]:
        """Opens a watch for each request (hex) and waits for its first message.

        Args:
            target: Address of the server.
            key: API key.
            path: Method.
            requests: What each watcher asks for.
            per_connection: Streams on one connection.
            options: Arguments of the channels.
            reads: How many messages each reads before it stops reading for good; None for all of them.
        """
        self._path = path
        metadata = (("authorization", f"Bearer {key}"),)
        some = asyncio.Semaphore(_OPENING_AT_A_TIME)
        began_s = time.perf_counter()

        async def watch(number: int, call: Call) -> None:
            async with some:
                first = await call.read()
            self._note(number, first)
            self.tasks.append(asyncio.create_task(self._read(number, call, reads)))

        async with asyncio.TaskGroup() as group:
            for number, request in enumerate(requests, start=len(self.calls)):
                if number % per_connection == 0 or not self.channels:
                    arguments = [_OWN_CONNECTION, *(options or {}).items()]
                    self.channels.append(grpc.aio.insecure_channel(target, options=arguments))
                async with some:
                    call = stream_of(self.channels[-1], path)(bytes.fromhex(request), metadata=metadata)
                self.calls.append(call)
                group.create_task(watch(number, call))
                await asyncio.sleep(0)
        rest_collector()
        return {"open": len(self.calls), "took_s": time.perf_counter() - began_s}

    async def token(self, *, target: str, key: str) -> str:
        """The token of a watch of the key's tenant that has caught up: resumed with it, a watch is told what is new."""
        metadata = (("authorization", f"Bearer {key}"),)
        async with grpc.aio.insecure_channel(target) as channel:
            call = stream_of(channel, WATCH_DESIGNS)(b"", metadata=metadata)
            async for body in call:
                message = pb.WatchDesignsResponse.FromString(body)
                if message.HasField("heartbeat"):
                    call.cancel()
                    return message.resume_token
        msg = "the watch of a tenant ended before it had caught up"
        raise RuntimeError(msg)

    async def take(self, *, at_least: int = 0, within_s: float = 0.0) -> dict[str, object]:
        """What came since the last time: at once, or when so many receipts are there or the time is over."""
        deadline_s = time.monotonic() + within_s
        while len(self.receipts) < at_least and time.monotonic() < deadline_s:
            self._came.clear()
            try:
                async with asyncio.timeout(deadline_s - time.monotonic()):
                    await self._came.wait()
            except TimeoutError:
                break
        receipts, self.receipts = self.receipts, []
        quiet, self.quiet = self.quiet, 0
        ended, self.ended = self.ended, []
        read = [(number, at_ns, self._revision(body)) for number, at_ns, body in receipts]
        return {"receipts": read, "quiet": quiet, "ended": ended}

    async def close(self) -> int:
        """Cancels every watch and closes the connections."""
        for call in self.calls:
            call.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for channel in self.channels:
            await channel.close()
        closed = len(self.calls)
        self.__init__()  # type: ignore[misc]  # a fresh start
        return closed

    async def churn(
        self, *, target: str, key: str, path: str, requests: Sequence[str], per_s: float, duration_s: float
    ) -> dict[str, object]:
        """Connects, watches and cancels `per_s` times a second: a connection of its own each time."""
        metadata = (("authorization", f"Bearer {key}"),)
        codes: Counter[str] = Counter()

        async def once(request: bytes) -> None:
            async with grpc.aio.insecure_channel(target, options=[_OWN_CONNECTION]) as channel:
                call = stream_of(channel, path)(request, metadata=metadata)
                try:
                    first = await call.read()
                    codes["told" if first is not grpc.aio.EOF else "ended"] += 1
                except grpc.aio.AioRpcError as error:
                    codes[error.code().name] += 1
                call.cancel()

        began_s = time.perf_counter()
        asked = [bytes.fromhex(request) for request in requests]
        async with asyncio.TaskGroup() as group:
            for turn in range(int(per_s * duration_s)):
                await asyncio.sleep(began_s + turn / per_s - time.perf_counter())
                group.create_task(once(asked[turn % len(asked)]))
        return {"outcomes": dict(codes), "took_s": time.perf_counter() - began_s}

    async def _read(self, number: int, call: Call, reads: int | None) -> None:
        left = reads
        try:
            while left is None or left > 1:
                body = await call.read()
                if body is grpc.aio.EOF:
                    break
                self._note(number, body)
                left = None if left is None else left - 1
            code = await call.code()
        except grpc.aio.AioRpcError as error:
            code = error.code()
        self.ended.append((number, code.name, time.monotonic_ns()))
        self._came.set()

    def _note(self, number: int, body: bytes) -> None:
        if self._path == BARE or body[0] == _DESIGN_TAG:
            self.receipts.append((number, time.monotonic_ns(), body))
            self._came.set()
        else:
            self.quiet += 1

    def _revision(self, body: bytes) -> int:
        if self._path == BARE:
            return ticket_pb2.DesignRing.FromString(body).revision
        return pb.WatchDesignResponse.FromString(body).design.revision


def stream_of(channel: grpc.aio.Channel, path: str) -> Callable[..., Call]:
    """A method that answers a request with a stream, all of it bytes."""
    return channel.unary_stream(path)


@asynccontextmanager
async def calling() -> AsyncIterator[Mapping[str, Answer]]:
    """Nobody watches yet."""
    callers = Callers()
    yield {
        "open": callers.open,
        "token": callers.token,
        "take": callers.take,
        "close": callers.close,
        "churn": callers.churn,
    }


if __name__ == "__main__":
    serve(calling)
