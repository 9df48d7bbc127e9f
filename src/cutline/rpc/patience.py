"""How long a server waits for callers to read what they asked for.

gRPC takes a message only when the caller has made room for the one before. A caller who stops reading thus holds up its
own stream and nobody else's; it costs one message, its watch and its call until it is cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import grpc

from cutline.domain.errors import Reason, ResourceExhaustedError
from cutline.rpc.handler_task import HandlerTask, let_go
from cutline.telemetry.metrics import Metrics

LONGEST_GOODBYE_S: Final = 5.0
"""How long the last word to a caller who did not read may wait for its coming back."""

DRAIN_S: Final = 0.25
"""The same, and how long a stream's write may wait, while the process is ending."""

RETRY_AFTER_S: Final = 1.0


class Patience:
    """Bounds what callers can hold up; one for all calls of a server.

    Args:
        limit_s: From the moment a caller stopped reading to the end of its call. A sixth of it, at most
            LONGEST_GOODBYE_S, is left for the error: a caller who reads again meanwhile learns why it was cut.
        metrics: Where slow readers are counted.
    """

    def __init__(self, limit_s: float, metrics: Metrics) -> None:
        self._limit_s = limit_s
        self._goodbye_s = min(limit_s / 6, LONGEST_GOODBYE_S)
        self._write_s = limit_s - self._goodbye_s
        self._metrics = metrics
        # Streams whose caller has not taken a message yet, and when they are cut. All have the same time, so the first
        # to begin is the first to be cut, and one timer serves all: a timer for every message would cost much of it.
        self._streams: dict[asyncio.Timeout, float] = {}
        self._alarm: asyncio.TimerHandle | None = None

    async def write_all(self, messages: AsyncIterator[Any], write: Callable[[Any], Awaitable[None]]) -> None:
        """Writes a stream's messages one after the other; cancels the handler where the caller turns out to be gone.

        Raises:
            ResourceExhaustedError: The caller has stopped reading.
        """
        limit = asyncio.timeout(None)
        try:
            async with limit:
                async for message in messages:
                    self._begin(limit)
                    await write(message)
                    self._end(limit)
        except TimeoutError:
            if not limit.expired():
                raise
            self._metrics.slow_readers.add(1)
            raise ResourceExhaustedError(
                Reason.SLOW_READER,
                f"The caller read nothing for {self._write_s:g} s; watch again to resume.",
                retry_after_s=RETRY_AFTER_S,
            ) from None
        except grpc.aio.InternalError:
            # gRPC refuses a message of a call that is over; the news of its end is only on the way here.
            let_go()
            await asyncio.sleep(0)  # where the cancellation arrives
        finally:
            self._streams.pop(limit, None)

    async def say_goodbye(self, abort: Awaitable[None]) -> None:
        """Ends a call with an error, or without one where the caller does not take it."""
        try:
            async with asyncio.timeout(self._goodbye_s):
                await abort
        except (grpc.aio.AbortError, asyncio.CancelledError):
            raise
        except Exception:  # noqa: BLE001  (see below)
            # The time is over. Or the very first message waits: gRPC then takes the headers for unsent, sends them with
            # the error once more, and is refused.
            let_go()
            await asyncio.sleep(0)  # where the cancellation arrives

    def bound_answer(self) -> None:
        """Sees to it that the answer about to be returned by the running handler is read, or its call let go."""
        task = asyncio.current_task()
        if isinstance(task, HandlerTask):
            timer = asyncio.get_running_loop().call_later(self._limit_s, task.let_go)
            task.add_done_callback(lambda _task: timer.cancel())

    def end(self) -> None:
        """Is short with streams from now on: the process is ending."""
        self._write_s = self._goodbye_s = min(DRAIN_S, self._goodbye_s)
        soon = asyncio.get_running_loop().time() + self._write_s
        self._streams = {limit: min(due, soon) for limit, due in self._streams.items()}
        if self._alarm is not None:
            self._alarm.cancel()
            self._cut_those_due()

    def _begin(self, limit: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        self._streams[limit] = due = loop.time() + self._write_s
        if self._alarm is None:
            self._alarm = loop.call_at(due, self._cut_those_due)

    def _end(self, limit: asyncio.Timeout) -> None:
        if self._streams.pop(limit, None) is None:
            limit.reschedule(None)  # it was due, and its message was taken before it was cut

    def _cut_those_due(self) -> None:
        """Cuts the streams whose time is over, and comes back for the next."""
        loop = asyncio.get_running_loop()
        self._alarm = None
        for limit, due in list(self._streams.items()):
            if due > loop.time():
                self._alarm = loop.call_at(due, self._cut_those_due)
                return
            del self._streams[limit]
            limit.reschedule(due)
