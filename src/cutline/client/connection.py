"""Calls to one service over a channel that threads share; `async_connection` is its twin."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

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


class Connection(Caller):
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
        self._closed = threading.Event()
        credentials, options = credentials_of(settings, target), options_of(target)
        self.channel = (
            grpc.insecure_channel(target, options=options)
            if credentials is None
            else grpc.secure_channel(target, credentials, options=options)
        )

    def close(self) -> None:
        """Closes the channel and ends its streams and pauses."""
        self._closed.set()
        self.channel.close()

    def pause(self, pause_s: float) -> None:
        """Waits between two tries.

        Raises:
            ClientClosedError: The client is closed, or was closed meanwhile.
        """
        if self._closed.wait(pause_s):
            raise ClientClosedError

    def call(self, method: grpc.UnaryUnaryMultiCallable[_Request, _Answer], request: _Request) -> _Answer:
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
                try:
                    with self._open():
                        return method(request, metadata=self.metadata(), timeout=tries.timeout_s())
                except grpc.RpcError as failure:
                    pause_s = tries.pause_s(api_error(failure, self.target))
                self.pause(pause_s)

    def stream(
        self,
        method: grpc.UnaryStreamMultiCallable[_Request, _Answer],
        request: _Request,
        *,
        timeout_s: float | None = None,
    ) -> Generator[_Answer, None, None]:
        """Reads a stream once, to its end.

        Raises:
            ApiError: It ended with an error.
            ClientClosedError: The client is closed.
        """
        with self._open():
            call = method(request, metadata=self.metadata(), timeout=timeout_s)
        messages = iter(call)
        try:
            while True:
                with self._open():
                    found = next(messages, None)
                if found is None:
                    return
                yield found
        except grpc.RpcError as failure:
            raise api_error(failure, self.target) from failure
        finally:
            call.cancel()

    def follow(
        self,
        method: grpc.UnaryStreamMultiCallable[_Request, _Answer],
        watch: Watch[_Request, _Answer, _Told],
        *,
        deadline: Deadline = NO_END,
    ) -> Generator[_Told, None, None]:
        """Reads a stream again and again, each time behind what the watch has seen, until the watch has ended.

        Raises:
            ApiError: The service refused it, or stayed away for longer than the watch has patience.
            WaitTimeoutError: The deadline is over.
            ClientClosedError: The client is closed.
        """
        while not watch.ended:
            messages = self.stream(method, watch.request(), timeout_s=deadline.left_s())
            try:
                for message in messages:
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
                messages.close()
            self.pause(deadline.pause_s(pause_s))

    def pages(
        self,
        method: grpc.UnaryUnaryMultiCallable[_PageRequest, _Page],
        request: _PageRequest,
        entries: Callable[[_Page], Iterable[_Told]],
    ) -> Generator[_Told, None, None]:
        """The entries of a list; further pages are fetched as they are needed.

        Args:
            method: Gives a page.
            request: Asks for the first one.
            entries: Takes them out of a page.
        """
        while True:
            page = self.call(method, request)
            yield from entries(page)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    @contextmanager
    def _open(self) -> Iterator[None]:
        """Tells whatever a channel raises that was closed under a call from a failure of the call.

        Raises:
            ClientClosedError: The client is closed.
        """
        if self._closed.is_set():
            raise ClientClosedError
        try:
            yield
        except (grpc.RpcError, ValueError):
            if self._closed.is_set():
                raise ClientClosedError from None
            raise
