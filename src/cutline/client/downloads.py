"""Files of a design on their way in: fetched, compared with what was promised, and put in place whole."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from cutline.client.errors import DownloadError
from cutline.contract.file_names import artifact_file_name, mockup_file_name
from cutline.v1 import design_pb2
from cutline.v1 import sticker_spec_pb2 as spec_pb

AT_ONCE: Final = 4
GET_TRIES: Final = 3
GET_TIMEOUT_S: Final = 60.0
GET_PAUSE_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a design: what to call it, where it is and what it must be."""

    name: str
    url: str
    size_bytes: int
    sha256: str


def files_of(design: design_pb2.Design) -> list[RemoteFile]:
    """Every artifact and mockup of a design that was read with addresses."""
    return [
        *(
            RemoteFile(artifact_file_name(kind_name(artifact.kind)), artifact.url, artifact.size_bytes, artifact.sha256)
            for artifact in design.artifacts
        ),
        *(
            RemoteFile(mockup_file_name(mockup.scene, mockup.media_type), mockup.url, mockup.size_bytes, mockup.sha256)
            for mockup in design.mockups
        ),
    ]


def kind_name(kind: spec_pb.OutputFormat.ValueType) -> str:
    """An artifact's kind without its prefix, such as PRINT_PDF; a number for a kind of a later release."""
    try:
        return spec_pb.OutputFormat.Name(kind).removeprefix("OUTPUT_FORMAT_")
    except ValueError:
        return f"FORMAT_{kind}"


async def download_files(http: httpx.AsyncClient, files: list[RemoteFile], folder: Path) -> list[Path]:
    """Fetches files into a folder, which is made where it does not exist; files of the same name are replaced.

    Raises:
        DownloadError: A file cannot be fetched, or is not what was promised; the others may be in place.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    turn = asyncio.Semaphore(AT_ONCE)

    async def fetch(file: RemoteFile) -> Path:
        async with turn:
            data = await _get(http, file)
        path = folder / Path(file.name).name
        await asyncio.to_thread(_put_in_place, path, data)
        return path

    try:
        async with asyncio.TaskGroup() as group:
            fetching = [group.create_task(fetch(file)) for file in files]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in fetching]


async def _get(http: httpx.AsyncClient, file: RemoteFile) -> bytes:
    for tries_left in reversed(range(GET_TRIES)):
        try:
            return await _get_once(http, file)
        except DownloadError as error:
            if not (tries_left and error.retryable):
                raise
            await asyncio.sleep(GET_PAUSE_S)
    raise AssertionError


async def _get_once(http: httpx.AsyncClient, file: RemoteFile) -> bytes:
    try:
        answer = await http.get(file.url, timeout=GET_TIMEOUT_S)
    except httpx.TransportError as error:
        message = f"{file.name}: the object store cannot be reached ({type(error).__name__})."
        raise DownloadError(message, retryable=True) from error
    if not answer.is_success:
        message = f"{file.name}: the object store answered HTTP {answer.status_code}."
        raise DownloadError(message, retryable=answer.is_server_error)
    if len(answer.content) != file.size_bytes or hashlib.sha256(answer.content).hexdigest() != file.sha256:
        message = f"{file.name}: the bytes are not those the design names."
        raise DownloadError(message, retryable=True)
    return answer.content


def _put_in_place(path: Path, data: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_bytes(data)
    unfinished.replace(path)
