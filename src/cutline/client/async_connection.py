"""Calls to one service over grpc.aio; `connection` is its twin for threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import suppress
from typing import TypeVar, cast

import grpc

from cutline.client.channels import Caller, credentials_of, options_of
from cutline.client.errors import ApiError, ClientClosedError
from cutline.client.refusals import api_error
from cutline.client.requests import Page, PageRequest
from cutline.client.retries import Deadline, Tries
from cutline.client.settings import ClientSettings
from cutline.client.watching import NO_END, Watch

_Request = TypeVar("_Request")
_Answer = TypeVar("_Answer")
_Told = TypeVar("_Told")
_PageRequest = TypeVar("_PageRequest", bound=PageRequest)
_Page = TypeVar("_Page", bound=Page)


class AsyncConnection(Caller):
    """One channel to one service.

    Args:
        target: gRPC target.
        settings: Credential and TLS.
        max_retries: Further tries of a call that found the service unavailable or full.
        timeout_s: Time for all tries of a call.

    Raises:
        BadSettingError: A file for TLS cannot be read.
    """

    def __init__(self, target: str, settings: ClientSettings, *, max_retries: int, timeout_s: float) -> None:
        super().__init__(settings)
        self.target = target
        self._max_retries = max_retries
        self._timeout_s = timeout_s
        self._closed = asyncio.Event()
        credentials, options = credentials_of(settings, target), options_of(target)
        self.channel = (
            grpc.aio.insecure_channel(target, options=options)
            if credentials is None
            else grpc.aio.secure_channel(target, credentials, options=options)
        )

    async def close(self) -> None:
        """Closes the channel and ends its streams and pauses."""
        self._closed.set()
        await self.channel.close()

    async def pause(self, pause_s: float) -> None:
        """Waits between two tries.

        Raises:
            ClientClosedError: The client is closed, or was closed meanwhile.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), pause_s)
        self._must_be_open()

    async def call(self, method: grpc.aio.UnaryUnaryMultiCallable[_Request, _Answer], request: _Request) -> _Answer:
        """Makes one call; repeats it while the service is unavailable or full.

        A repeated call carries the same request and so the same request id: it is never done twice.

        Args:
            method: A method of a generated stub on `channel`.
            request: Its request.

        Raises:
            ApiError: The service refused it, or could not be reached in the last try either.
            ClientClosedError: The client is closed.
        """
        tries = Tries(max_retries=self._max_retries, budget_s=self._timeout_s)
        with self.span(type(request).__name__.removesuffix("Request")):
            while True:
                self._must_be_open()
                try:
                    return await method(request, metadata=self.metadata(), timeout=tries.timeout_s())
                except grpc.RpcError as failure:
                    pause_s = tries.pause_s(api_error(failure, self.target))
                except asyncio.CancelledError:
                    self._cancelled()
                    raise
                await self.pause(pause_s)

    async def stream(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[_Request, _Answer],
        request: _Request,
        *,
        timeout_s: float | None = None,
    ) -> AsyncGenerator[_Answer, None]:
        """Reads a stream once, to its end.

        Raises:
            ApiError: It ended with an error.
            ClientClosedError: The client is closed.
        """
        self._must_be_open()
        call = method(request, metadata=self.metadata(), timeout=timeout_s)
        try:
            while (found := await call.read()) is not grpc.aio.EOF:
                yield cast("_Answer", found)  # what is not EOF is a message
        except grpc.RpcError as failure:
            raise api_error(failure, self.target) from failure
        except asyncio.CancelledError:
            self._cancelled()
            raise
        finally:
            call.cancel()

    async def follow(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[_Request, _Answer],
        watch: Watch[_Request, _Answer, _Told],
        *,
        deadline: Deadline = NO_END,
    ) -> AsyncGenerator[_Told, None]:
        """Reads a stream again and again, each time behind what the watch has seen, until the watch has ended.

        Raises:
            ApiError: The service refused it, or stayed away for longer than the watch has patience.
            WaitTimeoutError: The deadline is over.
            ClientClosedError: The client is closed.
        """
        while not watch.ended:
            messages = self.stream(method, watch.request(), timeout_s=deadline.left_s())
            try:
                async for message in messages:
                    told = watch.take(message)
                    if told is not None:
                        yield told
                    if watch.ended:
                        return
                pause_s = watch.pause_s(None)
            except ApiError as error:
                if deadline.ended(error):
                    raise deadline.exceeded() from None
                pause_s = watch.pause_s(error)
            finally:
                await messages.aclose()
            await self.pause(deadline.pause_s(pause_s))

    async def pages(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[_PageRequest, _Page],
        request: _PageRequest,
        entries: Callable[[_Page], Iterable[_Told]],
    ) -> AsyncGenerator[_Told, None]:
        """The entries of a list; further pages are fetched as they are needed.

        Args:
            method: Gives a page.
            request: Asks for the first one.
            entries: Takes them out of a page.
        """
        while True:
            page = await self.call(method, request)
            for entry in entries(page):
                yield entry
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def _must_be_open(self) -> None:
        if self._closed.is_set():
            raise ClientClosedError

    def _cancelled(self) -> None:
        """Tells calls that ended with the channel from those whose task was cancelled."""
        task = asyncio.current_task()
        if self._closed.is_set() and (task is None or not task.cancelling()):
            raise ClientClosedError from None
