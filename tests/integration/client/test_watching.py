"""Watches that go on by themselves, against services that answer as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from cutline.client import (
    AsyncClient,
    ClientSettings,
    InvalidArgumentError,
    OutOfRangeError,
    ResourceExhaustedError,
    UnavailableError,
    WaitTimeoutError,
)
from cutline.domain.errors import (
    FieldViolation,
    InvalidInputError,
    Reason,
)
from cutline.domain.errors import OutOfRangeError as OutOfRange
from cutline.domain.errors import ResourceExhaustedError as Exhausted
from cutline.domain.errors import UnavailableError as Unavailable
from cutline.v1 import design_pb2
from cutline.v1 import status_service_pb2 as pb
from tests.integration.client.conftest import ScriptedServices
from tests.support.sdk_clients import sdk_client

State = design_pb2.Design
AWAY = Unavailable(Reason.SHUTTING_DOWN, "Going away.", retry_after_s=0.001)
BEAT = pb.WatchDesignResponse(heartbeat=pb.Heartbeat())


def told(revision: int, state: design_pb2.Design.State.ValueType = State.STATE_PROCESSING) -> pb.WatchDesignResponse:
    """A message of a watch."""
    return pb.WatchDesignResponse(design=design_pb2.Design(id="d", revision=revision, state=state))


def reconnect(after_revision: int) -> pb.WatchDesignResponse:
    """The last message of a stream that has grown old."""
    return pb.WatchDesignResponse(reconnect=pb.Reconnect(after_revision=after_revision))


def changed(revision: int, token: str, *, design_id: str = "d") -> pb.WatchDesignsResponse:
    """A message of a watch of everything."""
    return pb.WatchDesignsResponse(design=design_pb2.Design(id=design_id, revision=revision), resume_token=token)


@pytest.fixture
async def impatient(services: tuple[ScriptedServices, str], sdk_kind: str) -> AsyncIterator[AsyncClient]:
    """A client that does not ask a service again that is away."""
    settings = ClientSettings(services[1], services[1], "ck_test")
    async with sdk_client(sdk_kind, settings, patience_s=0) as client:
        yield client


@pytest.mark.parametrize(
    "ends",
    [
        pytest.param([reconnect(2)], id="the stream grew old"),
        pytest.param([], id="it ends OK without an end"),
        pytest.param([AWAY], id="the server shuts down"),
        pytest.param([grpc.StatusCode.UNAVAILABLE], id="the connection breaks"),
        pytest.param([grpc.StatusCode.INTERNAL], id="a proxy resets the stream"),
        pytest.param([grpc.StatusCode.CANCELLED], id="a proxy cancels it"),
        pytest.param([Exhausted(Reason.SLOW_READER, "Too slow.", retry_after_s=0.001)], id="it read too slowly"),
    ],
)
async def test_a_watch_goes_on_behind_what_it_saw(
    client: AsyncClient, scripted: ScriptedServices, ends: list[Any]
) -> None:
    """However a stream ends too early, the next one begins behind the last revision, and the caller notices nothing."""
    scripted.script["WatchDesign"] = [
        [told(1), BEAT, told(2), *ends],
        [told(2), told(1), told(3), told(3), told(5, State.STATE_READY)],
    ]
    assert [design.revision async for design in client.designs.watch("d")] == [1, 2, 3, 5]
    assert [request.after_revision for request in scripted.requests("WatchDesign")] == [0, 2]


async def test_too_many_streams_wait_their_turn(client: AsyncClient, scripted: ScriptedServices) -> None:
    """Over the cap of streams a watch is opened again after the delay that the server names."""
    full = Exhausted(Reason.STREAM_LIMIT, "Too many.", retry_after_s=0.05)
    scripted.script["WatchDesign"] = [full, full, [told(1, State.STATE_READY)]]
    begin_s = asyncio.get_running_loop().time()
    assert (await client.designs.wait("d")).revision == 1
    assert asyncio.get_running_loop().time() - begin_s >= 0.1


async def test_a_terminal_revision_that_is_known_is_told_once_more(
    client: AsyncClient, scripted: ScriptedServices
) -> None:
    """Who watches a design from its last revision on hears how it ended."""
    scripted.script["WatchDesign"] = [[told(7, State.STATE_FAILED)]]
    assert [design.revision async for design in client.designs.watch("d", after_revision=7)] == [7]


@pytest.mark.parametrize("script", [[[AWAY]] * 2, [grpc.StatusCode.UNAVAILABLE] * 2, [[], []]])
async def test_patience_ends(impatient: AsyncClient, scripted: ScriptedServices, script: list[Any]) -> None:
    """A service that stays away for longer than the client has patience is UnavailableError, however it is away."""
    scripted.script["WatchDesign"] = script
    with pytest.raises(UnavailableError):
        await impatient.designs.wait("d")


async def test_patience_with_full_streams_ends(impatient: AsyncClient, scripted: ScriptedServices) -> None:
    """A cap that stays reached is told as what it is, with its delay."""
    scripted.script["WatchDesign"] = [Exhausted(Reason.STREAM_LIMIT, "Too many.", retry_after_s=5)]
    with pytest.raises(ResourceExhaustedError, match=r"STREAM_LIMIT: Too many\. \(in 5 s\)"):
        await impatient.designs.wait("d")


async def test_what_can_never_work_is_not_tried_again(client: AsyncClient, scripted: ScriptedServices) -> None:
    """A watch that is refused for its request ends at once."""
    scripted.script["WatchDesign"] = [InvalidInputError.of_fields(FieldViolation("design_id", "it is no UUID"))]
    with pytest.raises(InvalidArgumentError, match="design_id: it is no UUID"):
        await client.designs.wait("d")
    assert len(scripted.requests("WatchDesign")) == 1


async def test_a_timeout_holds_over_every_stream(client: AsyncClient, scripted: ScriptedServices) -> None:
    """A wait ends in time in the middle of a stream, and while it waits to open the next one."""
    scripted.script["WatchDesign"] = [[told(1), AWAY], [told(2), ...]]
    with pytest.raises(WaitTimeoutError, match=r"Design d did not end within 0\.3 s"):
        await client.designs.wait("d", timeout_s=0.3)
    long_away = Unavailable(Reason.SHUTTING_DOWN, "Going away.", retry_after_s=30)
    scripted.script["WatchDesign"] = [long_away, [told(1, State.STATE_READY)]]
    with pytest.raises(TimeoutError):
        await client.designs.wait("d", timeout_s=0.1)


async def test_progress_is_told_and_what_it_raises_ends_the_wait(
    client: AsyncClient, scripted: ScriptedServices
) -> None:
    """Each revision reaches the callback once, and its own TimeoutError is not taken for the end of the wait."""
    scripted.script["WatchDesign"] = [[told(1), told(2, State.STATE_READY)], [told(1), ...]]
    seen: list[int] = []
    await client.designs.wait("d", on_progress=lambda design: seen.append(design.revision))
    assert seen == [1, 2]

    def fail(_: object) -> None:
        message = "the caller's own"
        raise TimeoutError(message)

    with pytest.raises(TimeoutError, match="the caller's own"):
        await client.designs.wait("d", timeout_s=30, on_progress=fail)


async def test_a_handle_keeps_what_a_wait_was_told(client: AsyncClient, scripted: ScriptedServices) -> None:
    """However a wait ends, the handle shows the design as it was last told, and goes on behind that."""
    scripted.script["GetDesign"] = [design_pb2.Design(id="d", revision=1)]
    scripted.script["WatchDesign"] = [[told(2), told(3), ...], [told(4, State.STATE_READY)]]
    design = await client.designs.get("d")

    def leave(now: design_pb2.Design) -> None:
        if now.revision == 3:
            raise KeyError(now.revision)

    with pytest.raises(KeyError):
        await design.wait(on_progress=leave)
    assert (design.message.revision, design.state) == (3, "PROCESSING")
    await design.wait()
    assert scripted.requests("WatchDesign")[-1].after_revision == 3


async def test_a_coroutine_function_may_be_told_progress(
    services: tuple[ScriptedServices, str],
) -> None:
    """With asyncio the callback is awaited before the next revision is told."""
    scripted, target = services
    scripted.script["WatchDesign"] = [[told(1), told(2, State.STATE_READY)]]
    seen: list[int] = []

    async def note(design: design_pb2.Design) -> None:
        await asyncio.sleep(0)
        seen.append(design.revision)

    async with AsyncClient(ClientSettings(target, target, "ck_test")) as client:
        await client.designs.wait("d", on_progress=note)
    assert seen == [1, 2]


async def test_a_watch_of_everything_goes_on_by_its_token(client: AsyncClient, scripted: ScriptedServices) -> None:
    """The token of whatever came last is sent again, deletes are told once, and nothing is told twice."""
    gone = pb.WatchDesignsResponse(deleted=pb.DesignDeleted(design_id="d"), resume_token="t3")
    old = pb.WatchDesignsResponse(reconnect=pb.Reconnect(), resume_token="t4")
    scripted.script["WatchDesigns"] = [
        [changed(1, "t1"), changed(2, "t2"), gone, old],
        [gone, changed(1, "t5", design_id="e"), grpc.StatusCode.UNAVAILABLE],
        [changed(2, "t6", design_id="e"), ...],
    ]
    seen = []
    changes = client.designs.watch_all(resume_token="t0")
    async for message in changes:
        seen.append((message.design.id or message.deleted.design_id, message.design.revision))
        if len(seen) == 5:
            break
    await changes.aclose()
    assert seen == [("d", 1), ("d", 2), ("d", 0), ("e", 1), ("e", 2)]
    assert [request.resume_token for request in scripted.requests("WatchDesigns")] == ["t0", "t4", "t5"]


async def test_a_token_that_is_too_old_is_told(client: AsyncClient, scripted: ScriptedServices) -> None:
    """What cannot be resumed from is OutOfRangeError: only the caller knows what it has missed."""
    scripted.script["WatchDesigns"] = [OutOfRange(Reason.RESUME_TOKEN_INVALID, "Too old.")]
    with pytest.raises(OutOfRangeError, match="RESUME_TOKEN_INVALID"):
        _ = [message async for message in client.designs.watch_all(resume_token="t0")]
