"""The PUT of artwork to the object store: what goes with it, and what its answer means."""

from __future__ import annotations

import asyncio
import inspect
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Final, Protocol

import httpx

from cutline.client.artwork import ArtworkSource
from cutline.client.errors import UploadError
from cutline.client.retries import Backoff

PUT_TRIES: Final = 4
PUT_TIMEOUT_S: Final = 60.0
"""How long the store may be silent; there is no limit to the whole of it."""

OnUpload = Callable[[int, int], object]
"""Is told bytes sent and bytes in all; a try that is repeated begins anew at 0."""


class SignedAddress(Protocol):
    """Where to PUT the bytes."""

    @property
    @abstractmethod
    def url(self) -> str:
        """The signed address."""

    @property
    @abstractmethod
    def headers(self) -> Mapping[str, str]:
        """Headers the PUT must carry exactly."""


class PutTries:
    """The tries of one PUT."""

    def __init__(self) -> None:
        self._left = PUT_TRIES - 1
        self._backoff = Backoff()

    def pause_s(self, error: UploadError) -> float:
        """How long to wait before the next try.

        Raises:
            UploadError: This very error: no further try is left, or could help.
        """
        if not self._left or not error.retryable:
            raise error
        self._left -= 1
        return self._backoff.pause_s()


def put_artwork(
    http: httpx.Client,
    address: SignedAddress,
    source: ArtworkSource,
    *,
    on_upload: OnUpload | None,
    pause: Callable[[float], None],
) -> None:
    """Puts the bytes to their signed address; a store that does not answer well is asked again.

    Raises:
        UploadError: The store refused the bytes, or did not take them in the last try either.
        ArtworkFileError: The bytes cannot be read, or are others than they were.
    """

    def told() -> Iterator[bytes]:
        sent_bytes = 0
        for block in source.blocks_as_digested():
            yield block
            sent_bytes += len(block)
            if on_upload is not None:
                on_upload(sent_bytes, source.size_bytes)

    tries = PutTries()
    while True:
        try:
            headers = _headers(address, source)
            return _judge(http.put(address.url, headers=headers, content=told(), timeout=PUT_TIMEOUT_S))
        except httpx.TransportError as error:
            pause_s = tries.pause_s(_unreachable(address, error))
        except UploadError as error:
            pause_s = tries.pause_s(error)
        except RuntimeError:  # what an HTTP client says that was closed meanwhile, and so does the pause
            pause(0)
            raise
        pause(pause_s)


async def put_artwork_async(
    http: httpx.AsyncClient,
    address: SignedAddress,
    source: ArtworkSource,
    *,
    on_upload: OnUpload | None = None,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """As `put_artwork`; files are read in a thread, and a callback may be a coroutine function."""

    async def told() -> AsyncIterator[bytes]:
        sent_bytes, blocks = 0, source.blocks_as_digested()
        while block := await asyncio.to_thread(next, blocks, b""):
            yield block
            sent_bytes += len(block)
            if on_upload is not None and inspect.isawaitable(waiting := on_upload(sent_bytes, source.size_bytes)):
                await waiting

    tries = PutTries()
    while True:
        try:
            headers = _headers(address, source)
            return _judge(await http.put(address.url, headers=headers, content=told(), timeout=PUT_TIMEOUT_S))
        except httpx.TransportError as error:
            pause_s = tries.pause_s(_unreachable(address, error))
        except UploadError as error:
            pause_s = tries.pause_s(error)
        except RuntimeError:  # as above
            await pause(0)
            raise
        await pause(pause_s)


def _headers(address: SignedAddress, source: ArtworkSource) -> httpx.Headers:
    """The headers that were signed; a signed PUT cannot be chunked, so its length is among them in any case."""
    headers = httpx.Headers({"Content-Length": str(source.size_bytes)})
    headers.update(dict(address.headers))
    return headers


def _judge(answer: httpx.Response) -> None:
    if not answer.is_success:
        message = f"The object store refused the artwork with HTTP {answer.status_code}."
        raise UploadError(message, retryable=answer.is_server_error)


def _unreachable(address: SignedAddress, error: httpx.TransportError) -> UploadError:
    message = f"The object store at {httpx.URL(address.url).host} cannot be reached ({type(error).__name__})."
    raised = UploadError(message, retryable=True)
    raised.__cause__ = error
    return raised
