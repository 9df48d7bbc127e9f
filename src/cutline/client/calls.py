"""Calls to the services: credential, trace, deadline, and another try where that can help."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Final, TypeVar

import grpc
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from cutline.client.errors import ApiError, ResourceExhaustedError, UnavailableError, api_error
from cutline.client.proxies import channel_options
from cutline.client.settings import ClientSettings
from cutline.telemetry.propagation import inject

_T = TypeVar("_T")

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
# The services allow pings every 10 s; a silent connection is noticed after 40 s.
KEEPALIVE_MS: Final = 30_000
KEEPALIVE_TIMEOUT_MS: Final = 10_000
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ("grpc.keepalive_permit_without_calls", 0),
    # Tries are made here, where the deadline and the server's wishes are known; two layers would multiply.
    ("grpc.enable_retries", 0),
)


class Backoff:
    """Pauses between tries: exponential with full jitter, never shorter than the server asks for."""

    def __init__(self) -> None:
        self._ceiling_s = FIRST_PAUSE_S

    def pause_s(self, error: ApiError) -> float:
        """How long to wait before the next try."""
        jittered_s = random.uniform(0, self._ceiling_s)  # noqa: S311  (jitter, not a secret)
        self._ceiling_s = min(2 * self._ceiling_s, LONGEST_PAUSE_S)
        return (error.retry_after_s or 0.0) + jittered_s

    def reset(self) -> None:
        """Begins anew after a success."""
        self._ceiling_s = FIRST_PAUSE_S


def _may_pass(error: ApiError) -> bool:
    """Whether another try can help: a cap says when; a message that is too large is exhausting without a word of it."""
    full = isinstance(error, ResourceExhaustedError) and error.retry_after_s is not None
    return full or isinstance(error, UnavailableError)


class Connection:
    """One channel to one service.

    Args:
        target: gRPC target.
        settings: Credential and TLS.
        max_retries: Further tries of a call that found the service unavailable or full.
        timeout_s: Deadline of each try.
    """

    def __init__(self, target: str, settings: ClientSettings, *, max_retries: int, timeout_s: float) -> None:
        self.target = target
        self._max_retries = max_retries
        self._timeout_s = timeout_s
        self._metadata = {
            "authorization": f"Bearer {settings.api_key}",
            "x-client-version": f"cutline-python/{version('cutline')}",
        }
        options = (*_OPTIONS, *channel_options(target))
        self.channel = (
            grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options=options)
            if settings.tls
            else grpc.aio.insecure_channel(target, options=options)
        )
        self._tracer = trace.get_tracer("cutline.client")

    async def close(self) -> None:
        """Closes the channel and ends its streams."""
        await self.channel.close()

    async def call(self, method: Callable[..., Any], request: Any, answer: type[_T]) -> _T:
        """Makes one call; repeats it while the service is unavailable or full.

        A repeated call carries the same request and so the same request id: it is never done twice.

        Args:
            method: A method of a generated stub on `channel`.
            request: Its request.
            answer: Type of its answer.

        Raises:
            ApiError: The service refused it, or could not be reached in the last try either.
        """
        backoff, tries_left = Backoff(), self._max_retries
        async with self.span(type(request).__name__.removesuffix("Request")):
            while True:
                try:
                    found = await method(request, metadata=self.metadata(), timeout=self._timeout_s)
                except grpc.aio.AioRpcError as failure:
                    error = api_error(failure)
                    if not tries_left or not _may_pass(error):
                        raise error from failure
                    tries_left -= 1
                    await asyncio.sleep(backoff.pause_s(error))
                else:
                    assert isinstance(found, answer)  # noqa: S101  (what the stub promises)
                    return found

    async def stream(self, method: Callable[..., Any], request: Any, message: type[_T]) -> AsyncGenerator[_T, None]:
        """Reads a stream once, to its end.

        Raises:
            ApiError: It ended with an error.
        """
        call = method(request, metadata=self.metadata())
        try:
            while (found := await call.read()) is not grpc.aio.EOF:
                assert isinstance(found, message)  # noqa: S101  (what the stub promises)
                yield found
        except grpc.aio.AioRpcError as failure:
            raise api_error(failure) from failure
        finally:
            call.cancel()

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata of a call: who calls, with what, in which trace."""
        pairs = dict(self._metadata)
        inject(pairs)
        return tuple(pairs.items())

    @asynccontextmanager
    async def span(self, name: str) -> AsyncIterator[None]:
        """A client span around one thing the caller asked for."""
        with self._tracer.start_as_current_span(
            f"cutline.{name}", kind=SpanKind.CLIENT, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except ApiError as error:
                span.set_attribute("error.type", error.reason or error.code.name)
                span.set_status(Status(StatusCode.ERROR))
                raise
