"""Files on their way to and from the object store."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
import pytest

from cutline.client import ClientClosedError
from cutline.client.artwork import ArtworkSource
from cutline.client.downloads import Arrival, RemoteFile, download_files, download_files_async
from cutline.client.uploads import put_artwork, put_artwork_async
from cutline.v1 import ingest_service_pb2

SVG = b"<svg/>"
NOWHERE = "http://127.0.0.1:1/nothing"
FILE = RemoteFile("cutline.svg", NOWHERE, len(SVG), hashlib.sha256(SVG).hexdigest())


def test_the_same_file_may_arrive_twice_at_once(tmp_path: Path) -> None:
    """Two downloads of a design into one folder do not write into each other, and leave nothing but the file."""
    with Arrival(FILE, tmp_path) as first, Arrival(FILE, tmp_path) as second:
        first.take(SVG[:3])
        second.take(SVG)
        second.finish()
        first.take(SVG[3:])
        first.finish()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"cutline.svg": SVG}


async def test_a_client_that_was_closed_meanwhile_is_told_as_such(tmp_path: Path) -> None:
    """Between two files, or between an upload's promise and its bytes, it is the same error as anywhere else."""
    with httpx.Client() as http:
        pass
    async with httpx.AsyncClient() as http_async:
        pass

    def pause(_: float) -> None:
        raise ClientClosedError

    async def pause_async(_: float) -> None:
        raise ClientClosedError

    upload = ingest_service_pb2.Upload(url=NOWHERE)
    with pytest.raises(ClientClosedError):
        download_files(http, [FILE], tmp_path, pause=pause)
    with pytest.raises(ClientClosedError):
        await download_files_async(http_async, [FILE], tmp_path, pause=pause_async)
    with ArtworkSource(SVG) as artwork:
        with pytest.raises(ClientClosedError):
            put_artwork(http, upload, artwork, on_upload=None, pause=pause)
        with pytest.raises(ClientClosedError):
            await put_artwork_async(http_async, upload, artwork, pause=pause_async)
