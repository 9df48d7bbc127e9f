"""Watches of the fake server: resumed, ended, and told of deletions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import grpc
import pytest

from cutline.client import AsyncClient, Client
from cutline.testing import DesignState, FakeServer, Held
from cutline.v1 import design_pb2, status_service_pb2_grpc
from cutline.v1 import status_service_pb2 as pb
from tests.support.polling import eventually

PNG = b"\x89PNG\r\n\x1a\nnot quite a picture"


@pytest.fixture
def quick() -> Iterator[FakeServer]:
    """A fake whose streams are never silent for long."""
    with FakeServer(heartbeat_s=0.01, outcome=Held()) as server:
        yield server


@pytest.fixture
def stub(quick: FakeServer) -> Iterator[status_service_pb2_grpc.StatusServiceStub]:
    """The bare stub of that one."""
    with grpc.insecure_channel(quick.target) as channel:
        yield status_service_pb2_grpc.StatusServiceStub(channel)


def key_of(server: FakeServer) -> tuple[tuple[str, str], ...]:
    """The metadata of a call."""
    return (("authorization", f"Bearer {server.settings.api_key}"),)


def submitted(server: FakeServer, reference: str = "") -> str:
    """A new design; its id."""
    with Client(server.settings) as client:
        return client.designs.submit(PNG, reference=reference).id


def delete(server: FakeServer, design_id: str) -> None:
    """Deletes a design."""
    with Client(server.settings) as client:
        client.designs.delete(design_id)


async def test_a_watch_goes_on_after_it_was_ended(server: FakeServer, async_client: AsyncClient) -> None:
    """Reconnect messages, errors and a restart cost the caller nothing: revisions grow to the last."""
    server.script(Held())
    design = await async_client.designs.submit(PNG)
    revisions: list[int] = []

    async def follow() -> None:
        async for message in design.watch():
            revisions.append(message.revision)  # noqa: PERF401  (looked at while it grows)

    following = asyncio.create_task(follow())
    interrupts: tuple[Callable[[], None], ...] = (
        server.drop_streams,
        lambda: server.drop_streams(error=True),
        server.restart,
    )
    for number, interrupt in enumerate(interrupts, start=1):
        assert await eventually(lambda: server.stream_count == 1)
        interrupt()
        server.advance(design.id, progress=number / 10)
        assert await eventually(lambda: revisions[-1:] == [server.design(design.id).revision])
    server.finish(design.id)
    await following

    assert revisions == sorted(set(revisions))
    assert server.design(design.id).revision == revisions[-1]


def test_a_stream_is_told_where_to_go_on(quick: FakeServer, stub: status_service_pb2_grpc.StatusServiceStub) -> None:
    """The reconnect message names the last revision sent, or that of the request, and the stream ends OK."""
    design_id = submitted(quick)
    for after_revision in (0, 9):
        call = stub.WatchDesign(
            pb.WatchDesignRequest(design_id=design_id, after_revision=after_revision), metadata=key_of(quick)
        )
        first = next(call)
        assert first.HasField("heartbeat") == bool(after_revision)
        quick.drop_streams()
        *_, last = call
        assert last.reconnect.after_revision == (after_revision or first.design.revision)


def test_a_deletion_ends_a_watch_and_is_told_to_those_who_resume(
    quick: FakeServer, stub: status_service_pb2_grpc.StatusServiceStub
) -> None:
    """Who watches all designs learns of it at once or later by the token; the design's own watch is NOT_FOUND."""
    design_id = submitted(quick)
    live = stub.WatchDesigns(pb.WatchDesignsRequest(), metadata=key_of(quick))
    first, beat = next(live), next(live)
    assert (first.design.id, beat.WhichOneof("event")) == (design_id, "heartbeat")
    quick.finish(design_id)
    delete(quick, design_id)

    told: list[str | None] = []
    while not told or told[-1] != "deleted":
        told += [kind for kind in [next(live).WhichOneof("event")] if kind != "heartbeat"]
    live.cancel()
    assert told in (["design", "deleted"], ["deleted"])
    later = stub.WatchDesigns(pb.WatchDesignsRequest(resume_token=beat.resume_token), metadata=key_of(quick))
    assert next(later).deleted.design_id == design_id
    later.cancel()
    anew = stub.WatchDesigns(pb.WatchDesignsRequest(), metadata=key_of(quick))
    assert next(anew).HasField("heartbeat")
    anew.cancel()


def test_a_resumed_watch_misses_nothing(quick: FakeServer, stub: status_service_pb2_grpc.StatusServiceStub) -> None:
    """From any token on, every design that changed since is told as it is now, and no other."""
    still, moving, ending = (submitted(quick, reference) for reference in "abc")
    stream = stub.WatchDesigns(pb.WatchDesignsRequest(), metadata=key_of(quick))
    messages = [next(stream) for _ in range(4)]
    stream.cancel()
    assert {message.design.id for message in messages[:3]} == {still, moving, ending}
    quick.advance(moving, progress=0.5)
    quick.finish(ending)
    new = submitted(quick, "d")

    resumed = stub.WatchDesigns(pb.WatchDesignsRequest(resume_token=messages[3].resume_token), metadata=key_of(quick))
    told = [next(resumed) for _ in range(4)]
    resumed.cancel()
    assert [message.design.id for message in told] == [moving, ending, new, ""]
    assert told[1].design.state == design_pb2.Design.STATE_READY
    assert told[1].design.artifacts[0].url
    assert not told[0].design.artifacts


def test_a_token_of_another_server_is_refused(
    quick: FakeServer, stub: status_service_pb2_grpc.StatusServiceStub
) -> None:
    """A place that this server never reached cannot be resumed from."""
    with FakeServer(outcome=Held()) as other, grpc.insecure_channel(other.target) as channel:
        for reference in "abcd":
            submitted(other, reference)
        stream = status_service_pb2_grpc.StatusServiceStub(channel).WatchDesigns(
            pb.WatchDesignsRequest(), metadata=key_of(other)
        )
        token = [next(stream) for _ in range(5)][-1].resume_token
        stream.cancel()
    with pytest.raises(grpc.RpcError) as refused:
        next(stub.WatchDesigns(pb.WatchDesignsRequest(resume_token=token), metadata=key_of(quick)))
    assert refused.value.code() is grpc.StatusCode.OUT_OF_RANGE


async def test_a_caller_who_leaves_is_forgotten(server: FakeServer, async_client: AsyncClient) -> None:
    """A watch that is cancelled leaves no stream behind."""
    server.script(Held(DesignState.QUEUED))
    design = await async_client.designs.submit(PNG)
    waiting = asyncio.create_task(design.wait())
    assert await eventually(lambda: server.stream_count == 1)
    waiting.cancel()
    await asyncio.wait([waiting])

    assert await eventually(lambda: server.stream_count == 0)
