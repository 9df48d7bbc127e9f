"""Files of a design on their way in: fetched, compared with what was promised, and put in place whole."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

from cutline.client.errors import DownloadError
from cutline.client.retries import Backoff
from cutline.client.states import state_name
from cutline.contract.file_names import artifact_file_name, mockup_file_name
from cutline.v1 import design_pb2
from cutline.v1 import sticker_spec_pb2 as spec_pb

AT_ONCE: Final = 4
GET_TRIES: Final = 4
GET_TIMEOUT_S: Final = 60.0
"""How long the store may be silent; there is no limit to the whole of a file."""
BLOCK_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a design: what to call it, where it is and what it must be."""

    name: str
    url: str
    size_bytes: int
    sha256: str


def files_of(design: design_pb2.Design) -> list[RemoteFile]:
    """Every artifact and mockup of a design that was read with addresses.

    Raises:
        DownloadError: It has none yet, or none any more.
    """
    files = [
        *(
            RemoteFile(artifact_file_name(kind_name(artifact.kind)), artifact.url, artifact.size_bytes, artifact.sha256)
            for artifact in design.artifacts
        ),
        *(
            RemoteFile(mockup_file_name(mockup.scene, mockup.media_type), mockup.url, mockup.size_bytes, mockup.sha256)
            for mockup in design.mockups
        ),
    ]
    if not files:
        message = f"Design {design.id} is {state_name(design.state)} and has no files."
        raise DownloadError(message, retryable=False)
    return files


def kind_name(kind: spec_pb.OutputFormat.ValueType) -> str:
    """An artifact's kind without its prefix, such as PRINT_PDF; a number for a kind of a later release."""
    try:
        return spec_pb.OutputFormat.Name(kind).removeprefix("OUTPUT_FORMAT_")
    except ValueError:
        return f"FORMAT_{kind}"


class Arrival:
    """A file that arrives beside its place, and is moved there once it is whole and right; a context manager.

    Args:
        file: What must arrive.
        folder: Where; a file of the same name is replaced.
    """

    def __init__(self, file: RemoteFile, folder: Path) -> None:
        self._promised = file
        self._path = folder / Path(file.name).name
        # A name of its own: the same file may be on its way here twice, from two threads or programs.
        self._unfinished = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}.part")
        self._digest = hashlib.sha256()
        self._size_bytes = 0

    def __enter__(self) -> Self:
        self._file = self._unfinished.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._unfinished.unlink(missing_ok=True)

    def judge(self, answer: httpx.Response) -> None:
        """Looks whether the store gives the file at all.

        Raises:
            DownloadError: It does not.
        """
        if not answer.is_success:
            message = f"{self._promised.name}: the object store answered HTTP {answer.status_code}."
            raise DownloadError(message, retryable=answer.is_server_error)

    def take(self, block: bytes) -> None:
        """Takes the next bytes.

        Raises:
            DownloadError: There are more than were promised.
        """
        self._size_bytes += len(block)
        if self._size_bytes > self._promised.size_bytes:
            raise self._wrong_bytes()
        self._digest.update(block)
        self._file.write(block)

    def finish(self) -> Path:
        """Puts the file in its place.

        Raises:
            DownloadError: Its bytes are not those that were promised.
        """
        if (self._size_bytes, self._digest.hexdigest()) != (self._promised.size_bytes, self._promised.sha256):
            raise self._wrong_bytes()
        self._file.close()
        return self._unfinished.replace(self._path)

    def _wrong_bytes(self) -> DownloadError:
        return DownloadError(f"{self._promised.name}: the bytes are not those the design names.", retryable=True)


class GetTries:
    """The tries of fetching one file."""

    def __init__(self, file: RemoteFile) -> None:
        self._file = file
        self._left = GET_TRIES - 1
        self._backoff = Backoff()

    def pause_s(self, error: DownloadError | httpx.TransportError) -> float:
        """How long to wait before the next try.

        Raises:
            DownloadError: No further try is left, or could help.
        """
        if isinstance(error, httpx.TransportError):
            message = f"{self._file.name}: the object store cannot be reached ({type(error).__name__})."
            error = DownloadError(message, retryable=True)
        if not self._left or not error.retryable:
            raise error
        self._left -= 1
        return self._backoff.pause_s()


def download_files(
    http: httpx.Client, files: list[RemoteFile], folder: Path, *, pause: Callable[[float], None]
) -> list[Path]:
    """Fetches files into a folder, which is made where it does not exist; files of the same name are replaced.

    Raises:
        DownloadError: A file cannot be fetched, or is not what was promised; the others may be in place.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [_fetch(http, file, folder, pause) for file in files]


def _fetch(http: httpx.Client, file: RemoteFile, folder: Path, pause: Callable[[float], None]) -> Path:
    tries = GetTries(file)
    while True:
        try:
            with Arrival(file, folder) as arrival, http.stream("GET", file.url, timeout=GET_TIMEOUT_S) as answer:
                arrival.judge(answer)
                for block in answer.iter_bytes(BLOCK_BYTES):
                    arrival.take(block)
                return arrival.finish()
        except (DownloadError, httpx.TransportError) as error:
            pause_s = tries.pause_s(error)
        except RuntimeError:  # what an HTTP client says that was closed meanwhile, and so does the pause
            pause(0)
            raise
        pause(pause_s)


async def download_files_async(
    http: httpx.AsyncClient, files: list[RemoteFile], folder: Path, *, pause: Callable[[float], Awaitable[None]]
) -> list[Path]:
    """As `download_files`, a few at a time; what touches the disk runs in threads."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    turn = asyncio.Semaphore(AT_ONCE)

    async def fetch(file: RemoteFile) -> Path:
        async with turn:
            return await _fetch_async(http, file, folder, pause)

    try:
        async with asyncio.TaskGroup() as group:
            fetching = [group.create_task(fetch(file)) for file in files]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in fetching]


async def _fetch_async(
    http: httpx.AsyncClient, file: RemoteFile, folder: Path, pause: Callable[[float], Awaitable[None]]
) -> Path:
    tries = GetTries(file)
    while True:
        try:
            with Arrival(file, folder) as arrival:
                async with http.stream("GET", file.url, timeout=GET_TIMEOUT_S) as answer:
                    arrival.judge(answer)
                    async for block in answer.aiter_bytes(BLOCK_BYTES):
                        await asyncio.to_thread(arrival.take, block)
                return await asyncio.to_thread(arrival.finish)
        except (DownloadError, httpx.TransportError) as error:
            pause_s = tries.pause_s(error)
        except RuntimeError:  # as above
            await pause(0)
            raise
        await pause(pause_s)
