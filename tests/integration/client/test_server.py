"""What a program does with the SDK, with both clients, against the real services and the fake server."""

from __future__ import annotations

import asyncio
import dataclasses
import io
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image, ImageDraw

from cutline.client import (
    AsyncClient,
    ConflictError,
    DesignFailedError,
    DownloadError,
    InvalidArgumentError,
    NotFoundError,
    PreconditionError,
    UnauthenticatedError,
    WaitTimeoutError,
)
from cutline.domain.outputs import FILE_NAMES
from cutline.v1 import design_pb2, status_service_pb2
from tests.integration.client.servers import SdkServer
from tests.support.polling import until
from tests.support.relay import Relay
from tests.support.sdk_clients import sdk_client

LONGEST_S = 90.0


def disc() -> bytes:
    """A small disc on white as PNG, of a colour that no other has."""
    picture = Image.new("RGB", (240, 240), "white")
    ImageDraw.Draw(picture).ellipse((40, 40, 200, 200), fill=f"#{uuid4().hex[:6]}")
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


class Pipe:
    """A file object that can be read once."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int = -1, /) -> bytes:
        """Gives the next bytes."""
        return self._file.read(size)


GIVEN: dict[str, Callable[[Path], Any]] = {
    "path": lambda path: path,
    "bytes": lambda path: path.read_bytes(),
    "file": lambda path: io.BytesIO(path.read_bytes()),
    "pipe": lambda path: Pipe(path.read_bytes()),
}


@pytest.mark.parametrize("given", GIVEN)
async def test_a_sticker_in_five_lines(sdk: AsyncClient, tmp_path: Path, given: str) -> None:
    """However artwork is given, it is uploaded with its progress told, made, waited for and fetched whole."""
    path = tmp_path / "fox.png"
    path.write_bytes(disc())
    sent: list[tuple[int, int]] = []
    revisions: list[int] = []

    design = await sdk.designs.submit(
        GIVEN[given](path),
        width_mm=40,
        mockup_scenes=[],
        title="Fox",
        labels={"order": "7"},
        on_upload=lambda sent_bytes, total_bytes: sent.append((sent_bytes, total_bytes)),
    )
    ready = await design.wait(timeout_s=LONGEST_S, on_progress=lambda message: revisions.append(message.revision))
    files = await design.download(tmp_path / "out")

    size_bytes = path.stat().st_size
    assert sent[-1] == (size_bytes, size_bytes)
    assert (ready.title, dict(ready.labels), design.state) == ("Fox", {"order": "7"}, "READY")
    assert all(before < after for before, after in pairwise(revisions))
    assert revisions[-1] == ready.revision
    assert {file.name for file in files} == set(FILE_NAMES.values())
    assert all(file.stat().st_size for file in files)
    assert (await design.result()).artifacts[0].url


async def test_the_life_of_a_design_in_a_handle(sdk: AsyncClient, server: SdkServer, tmp_path: Path) -> None:
    """A handle follows its design through cancel, new run, end and delete, and says each time what is wrong."""
    await server.hold()
    design = await sdk.designs.submit(disc(), width_mm=40, mockup_scenes=[])
    assert design.state == "QUEUED"
    with pytest.raises(WaitTimeoutError, match=rf"{design.id} did not end within 0\.2 s"):
        await design.wait(timeout_s=0.2)
    with pytest.raises(DownloadError, match="QUEUED and has no files"):
        await design.download(tmp_path)
    with pytest.raises(PreconditionError, match="DESIGN_RUNNING"):
        await design.delete()
    assert (await design.cancel()).state == design_pb2.Design.STATE_CANCELLED
    with pytest.raises(DesignFailedError, match="CANCELLED"):
        await design.wait()
    with pytest.raises(PreconditionError, match="DESIGN_TERMINAL"):
        await design.cancel()

    before = design.message.revision
    assert (await design.reprocess(width_mm=50)).revision > before
    await server.finish(design.id)
    assert [revision.state async for revision in design.watch()][-1] == design_pb2.Design.STATE_READY
    assert (await design.refresh(timeline=True)).generation == 2
    assert len(design.message.timeline) > 3
    assert (await sdk.designs.get(design.id)).message.resolved_spec.width_mm == 50

    await design.delete()
    with pytest.raises(NotFoundError, match="DESIGN_NOT_FOUND"):
        await design.refresh()


async def test_a_list_is_one_sequence_however_many_pages_it_has(sdk: AsyncClient, server: SdkServer) -> None:
    """Five designs in pages of two come newest first, each once."""
    await server.hold()
    reference = uuid4().hex
    submitted = [
        (await sdk.designs.submit(disc(), reference=reference, title=f"Fox {number}")).id for number in range(5)
    ]
    found = [design.id async for design in sdk.designs.list(reference=reference, states=["QUEUED"], page_size=2)]
    assert found == submitted[::-1]
    for design_id in submitted:
        await sdk.designs.cancel(design_id)


async def test_who_waits_for_no_design_hears_at_once(sdk: AsyncClient) -> None:
    """A watch of an id that the tenant has not is refused, and not tried again."""
    with pytest.raises(NotFoundError, match="DESIGN_NOT_FOUND"):
        await sdk.designs.wait(str(uuid4()))


async def next_of(changes: Any, *, design_id: str, deleted: bool = False) -> status_service_pb2.WatchDesignsResponse:
    """The next message about a design."""
    async for message in changes:
        found: status_service_pb2.WatchDesignsResponse = message
        if deleted and found.deleted.design_id == design_id:
            return found
        if not deleted and found.design.id == design_id:
            return found
    raise AssertionError


async def test_a_watch_of_everything_tells_changes_and_deletes(sdk: AsyncClient, server: SdkServer) -> None:
    """A new design, its end and its delete arrive in one stream, and one begun by a token tells what came behind it."""
    await server.hold()
    first = await sdk.designs.submit(disc())
    changes = sdk.designs.watch_all()
    token = (await next_of(changes, design_id=first.id)).resume_token
    second = await sdk.designs.submit(disc())
    await next_of(changes, design_id=second.id)
    await sdk.designs.cancel(first.id)
    await next_of(changes, design_id=first.id)
    await sdk.designs.delete(first.id)
    await next_of(changes, design_id=first.id, deleted=True)
    await changes.aclose()

    later = sdk.designs.watch_all(resume_token=token)
    assert (await next_of(later, design_id=second.id)).design.revision == second.message.revision
    await later.aclose()
    await second.cancel()


async def test_a_wait_outlives_the_server(sdk: AsyncClient, server: SdkServer) -> None:
    """A status service that is killed in the middle of a wait and started again still gives the result to who waits."""
    await server.hold()
    design = await sdk.designs.submit(disc(), width_mm=40, mockup_scenes=[])
    waiting = asyncio.create_task(design.result(timeout_s=LONGEST_S))
    revisions: list[int] = []
    told = asyncio.Event()
    watching = asyncio.create_task(collect(sdk, design.id, revisions, told))
    await told.wait()
    await server.crash()
    await server.finish(design.id)
    ready = await waiting
    assert ready.state == design_pb2.Design.STATE_READY
    assert all(artifact.url for artifact in ready.artifacts)
    await watching
    assert revisions[0] == 1
    assert all(before < after for before, after in pairwise(revisions))


async def collect(sdk: AsyncClient, design_id: str, revisions: list[int], told: asyncio.Event) -> None:
    """Notes every revision that a watch tells."""
    async for design in sdk.designs.watch(design_id):
        revisions.append(design.revision)
        told.set()


async def test_an_answer_lost_on_its_way_makes_no_second_design(sdk_kind: str, server: SdkServer) -> None:
    """A server that goes away after it committed is asked again with the same id, and answers with the same design."""
    await server.hold()
    reference = uuid4().hex
    async with (
        Relay(server.settings.ingest_target) as relay,
        sdk_client(sdk_kind, server.settings) as observer,
        sdk_client(sdk_kind, dataclasses.replace(server.settings, ingest_target=relay.target)) as sdk,
    ):

        def lose_what_follows(sent_bytes: int, total_bytes: int) -> None:
            relay.mute = sent_bytes == total_bytes

        async def committed() -> list[str]:
            return [design.id async for design in observer.designs.list(reference=reference)]

        submitting = asyncio.create_task(sdk.designs.submit(disc(), reference=reference, on_upload=lose_what_follows))
        await until(committed)
        relay.mute = False
        relay.cut()
        design = await submitting
        assert await committed() == [design.id]
        assert not design.deduplicated
        await design.cancel()


async def test_a_submit_repeated_after_a_crash_is_the_same_submit(sdk: AsyncClient, server: SdkServer) -> None:
    """With the id of the first a second submit of the same artwork gives the same design; another one is refused."""
    await server.hold()
    artwork, request_id = disc(), str(uuid4())
    first = await sdk.designs.submit(artwork, width_mm=40, request_id=request_id)
    await first.cancel()
    again = await sdk.designs.submit(artwork, width_mm=40, request_id=request_id)
    assert again.id == first.id
    with pytest.raises(ConflictError, match="REQUEST_ID_REUSED"):
        await sdk.designs.submit(artwork, width_mm=41, request_id=request_id)


async def test_a_refusal_names_every_field_in_one_line(sdk: AsyncClient) -> None:
    """What is wrong with a spec is told by field, with the ids that find the call in the logs."""
    with pytest.raises(InvalidArgumentError) as caught:
        await sdk.designs.submit(disc(), width_mm=2, border_mm=99)
    error = caught.value
    assert {at.field for at in error.violations} >= {"spec.width_mm"}
    assert error.reason == "INVALID_ARGUMENT"
    assert str(error).startswith("INVALID_ARGUMENT: spec.width_mm: ")
    assert "\n" not in str(error)
    assert error.request_id


async def test_a_wrong_key_is_told_apart(sdk_kind: str, server: SdkServer) -> None:
    """A credential that nobody gave out is UnauthenticatedError; one of a callable is asked for each time."""
    given: list[str] = []

    def token() -> str:
        given.append("ck_none_such")
        return given[-1]

    settings = dataclasses.replace(server.settings, token=token)
    async with sdk_client(sdk_kind, settings) as stranger:
        for _ in range(2):
            with pytest.raises(UnauthenticatedError, match="UNAUTHENTICATED"):
                await stranger.designs.get(str(uuid4()))
    assert len(given) == 2
