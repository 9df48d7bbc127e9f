"""Uploads and downloads past an object store that does not behave."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from cutline.client import AsyncClient, ClientSettings, DownloadError, UploadError
from cutline.v1 import design_pb2, ingest_service_pb2
from cutline.v1 import sticker_spec_pb2 as spec_pb
from tests.integration.client.conftest import ScriptedServices
from tests.support.sdk_clients import sdk_client

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8000


@dataclass
class Store:
    """An object store that does as it is told, once for each thing it is told, and then well.

    Attributes:
        url: Where it is.
        troubles: What to do: answer this HTTP status, or break the connection in the middle (0).
        puts: Size, SHA-256 and framing of every body that arrived whole.
        content: What it gives.
    """

    url: str = ""
    troubles: list[int] = field(default_factory=list)
    puts: list[tuple[int, str, str]] = field(default_factory=list)
    content: bytes = b"<svg/>"

    async def put(self, request: web.Request) -> web.StreamResponse:
        """Takes a body in pieces and keeps none of it."""
        trouble = self.troubles.pop(0) if self.troubles else 200
        digest, size_bytes = hashlib.sha256(), 0
        async for piece in request.content.iter_any():
            digest.update(piece)
            size_bytes += len(piece)
            if trouble == 0:
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
        self.puts.append((size_bytes, digest.hexdigest(), request.headers.get("Transfer-Encoding", "plain")))
        return web.Response(status=trouble)

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Gives the content, or half of it."""
        trouble = self.troubles.pop(0) if self.troubles else 200
        if trouble == 0:
            answer = web.StreamResponse(headers={"Content-Length": str(len(self.content))})
            await answer.prepare(request)
            await answer.write(self.content[: len(self.content) // 2])
            assert request.transport is not None
            request.transport.abort()
            return answer
        return web.Response(status=trouble, body=self.content)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    """A store on loopback."""
    store = Store()
    application = web.Application(client_max_size=10**9)
    application.router.add_put("/put", store.put)
    application.router.add_get("/get", store.get)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    store.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield store
    await runner.cleanup()


@pytest.fixture
def submits(services: tuple[ScriptedServices, str], sdk_kind: str, store: Store) -> Callable[..., Awaitable[None]]:
    """Submits artwork with one of the clients."""
    scripted, target = services
    scripted.script["CreateUpload"] = [ingest_service_pb2.Upload(id="u", url=f"{store.url}/put")]
    scripted.script["SubmitDesign"] = [ingest_service_pb2.SubmitDesignResponse(design=design_pb2.Design(id="d"))]

    async def submit(artwork: Any, **options: Any) -> None:
        async with sdk_client(sdk_kind, ClientSettings(target, target, "k")) as client:
            await client.designs.submit(artwork, **options)

    return submit


@pytest.mark.parametrize("troubles", [[503], [0], [500, 0, 502]])
async def test_an_upload_that_fails_begins_anew(
    submits: Callable[..., Awaitable[None]], store: Store, troubles: list[int]
) -> None:
    """After an error of the store and after a broken connection the whole of a file object is sent again."""
    store.troubles = list(troubles)
    sent: list[int] = []
    await submits(BytesIO(PNG), on_upload=lambda sent_bytes, _: sent.append(sent_bytes))
    assert store.puts[-1] == (len(PNG), hashlib.sha256(PNG).hexdigest(), "plain")
    assert sent.count(sent[0]) == len(troubles) + 1
    assert sent[-1] == len(PNG)


async def test_a_store_that_stays_away_is_told(submits: Callable[..., Awaitable[None]], store: Store) -> None:
    """After the last try the store's own answer is raised, and may be tried another time."""
    store.troubles = [503] * 9
    with pytest.raises(UploadError, match="HTTP 503") as caught:
        await submits(PNG)
    assert caught.value.retryable
    assert len(store.puts) == 4


async def test_what_the_progress_raises_ends_the_submit(
    submits: Callable[..., Awaitable[None]], services: tuple[ScriptedServices, str]
) -> None:
    """A caller who has had enough leaves from the callback, and no design is made."""

    def leave(sent_bytes: int, total_bytes: int) -> None:
        raise KeyError(sent_bytes, total_bytes)

    with pytest.raises(KeyError):
        await submits(PNG, on_upload=leave)
    assert not services[0].requests("SubmitDesign")


async def test_a_large_file_is_never_held(
    submits: Callable[..., Awaitable[None]], store: Store, tmp_path: Path
) -> None:
    """The upload of 48 MB takes a small part of that in memory, server and all."""
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.write(PNG[:8])
        file.truncate(48_000_000)
    tracemalloc.start()
    try:
        await submits(path)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert store.puts[-1][0] == 48_000_000
    assert peak_bytes < 12_000_000


async def download(client: AsyncClient, scripted: ScriptedServices, store: Store, folder: Path, *, sha256: str) -> None:
    """Fetches a design of one file."""
    design = design_pb2.Design(id="d")
    design.artifacts.add(
        kind=spec_pb.OUTPUT_FORMAT_CUT_LINE_SVG,
        url=f"{store.url}/get",
        size_bytes=len(store.content),
        sha256=sha256,
    )
    scripted.script["GetDesign"] = [design]
    await client.designs.download("d", folder)


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("troubles", [[503], [0], [500, 0, 502]])
async def test_a_download_that_fails_begins_anew(
    client: AsyncClient, scripted: ScriptedServices, store: Store, tmp_path: Path, troubles: list[int]
) -> None:
    """After an error of the store and after half a file the whole is fetched, and nothing else lies beside it."""
    store.troubles, store.content = list(troubles), PNG
    await download(client, scripted, store, tmp_path, sha256=hashlib.sha256(PNG).hexdigest())
    assert files_in(tmp_path) == {"cutline.svg": PNG}


async def test_wrong_bytes_never_take_the_place_of_a_file(
    client: AsyncClient, scripted: ScriptedServices, store: Store, tmp_path: Path
) -> None:
    """Where the bytes stay wrong, the file that was there stays too."""
    (tmp_path / "cutline.svg").write_bytes(b"before")
    with pytest.raises(DownloadError, match="not those the design names"):
        await download(client, scripted, store, tmp_path, sha256="0" * 64)
    assert files_in(tmp_path) == {"cutline.svg": b"before"}
