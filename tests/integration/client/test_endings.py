"""How use of the SDK ends: closed, cancelled, interrupted. Nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading

import pytest

from cutline.client import AsyncClient, Client, ClientClosedError, ClientSettings
from cutline.domain.errors import Reason, UnavailableError
from cutline.v1 import design_pb2
from cutline.v1 import status_service_pb2 as pb
from tests.integration.client.conftest import ScriptedServices
from tests.support.polling import eventually
from tests.support.sdk_clients import sdk_client

QUEUED = pb.WatchDesignResponse(design=design_pb2.Design(id="d", revision=1, state=design_pb2.Design.STATE_QUEUED))

WAITS = """
import sys, threading
from cutline.client import Client, ClientSettings

client = Client(ClientSettings(sys.argv[1], sys.argv[1], "k"))
try:
    client.designs.wait("d", on_progress=lambda design: print("waiting", flush=True))
except KeyboardInterrupt:
    client.close()
    print("interrupted", flush=True)
"""


def threads() -> set[str]:
    """Names of the threads that run, but for those of the event loop's pool."""
    return {thread.name for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}


async def wait_a_little(settings: ClientSettings, kind: str) -> None:
    """Waits for a design that never ends until the first revision was told; then the caller has had enough."""

    class EnoughError(Exception):
        """Leaves the wait."""

    def leave(_: object) -> None:
        raise EnoughError

    async with sdk_client(kind, settings) as client:
        with pytest.raises(EnoughError):
            await client.designs.wait("d", on_progress=leave)


async def test_a_wait_that_is_left_leaves_nothing(services: tuple[ScriptedServices, str], sdk_kind: str) -> None:
    """After an exception in the middle of a wait neither a task nor a thread of it runs on."""
    scripted, target = services
    scripted.script["WatchDesign"] = [[QUEUED, ...]]
    tasks, running = asyncio.all_tasks(), threads()
    await wait_a_little(ClientSettings(target, target, "k"), sdk_kind)
    assert await eventually(lambda: threads() <= running)

    def left() -> list[str]:
        # The server of the test runs in the same loop, and always waits for its next call.
        return [text for task in asyncio.all_tasks() - tasks if "AioServer" not in (text := repr(task))]

    assert await eventually(lambda: not left()), left()


async def test_a_cancelled_wait_leaves_no_task(services: tuple[ScriptedServices, str]) -> None:
    """Cancelling the task that waits ends its stream at the server, and raises CancelledError, no other error."""
    scripted, target = services
    scripted.script["WatchDesign"] = [[QUEUED, ...]]
    begun = asyncio.Event()
    async with AsyncClient(ClientSettings(target, target, "k")) as client:
        waiting = asyncio.create_task(client.designs.wait("d", on_progress=lambda _: begun.set()))
        await begun.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_ctrl_c_ends_a_wait(services: tuple[ScriptedServices, str]) -> None:
    """A program that waits with the client for threads hears SIGINT at once, and ends by itself: no thread holds it."""
    scripted, target = services
    scripted.script["WatchDesign"] = [[QUEUED, ...]]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WAITS, target, stdout=subprocess.PIPE, env=os.environ
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert await process.stdout.readline() == b"waiting\n"
        process.send_signal(signal.SIGINT)
        assert await process.stdout.readline() == b"interrupted\n"
        assert await process.wait() == 0


async def test_closing_ends_what_is_under_way(services: tuple[ScriptedServices, str], sdk_kind: str) -> None:
    """A wait, a call and a pause between two tries each end with ClientClosedError when the client is closed."""
    scripted, target = services
    scripted.script["WatchDesign"] = [[QUEUED, ...]]
    scripted.script["GetDesign"] = [...]
    scripted.script["CancelDesign"] = [UnavailableError(Reason.SHUTTING_DOWN, "Later.", retry_after_s=600)]
    begun = threading.Event()
    async with sdk_client(sdk_kind, ClientSettings(target, target, "k"), timeout_s=3600) as client:
        waiting = asyncio.create_task(client.designs.wait("d", on_progress=lambda _: begun.set()))
        reading = asyncio.create_task(client.designs.read("d"))
        pausing = asyncio.create_task(client.designs.cancel("d"))
        assert await eventually(lambda: begun.is_set() and len(scripted.calls) == 3)
        await client.close()
        for under_way in (waiting, reading, pausing):
            with pytest.raises(ClientClosedError):
                await under_way
        with pytest.raises(ClientClosedError):
            await client.designs.read("d")
        with pytest.raises(ClientClosedError):
            await client.designs.wait("d")


async def test_threads_share_a_client(services: tuple[ScriptedServices, str]) -> None:
    """Sixteen threads with one client get every answer, each its own."""
    scripted, target = services
    scripted.script["GetDesign"] = [lambda request: design_pb2.Design(id=request.design_id)] * 320
    wrong: list[str] = []

    def work(client: Client, number: int) -> None:
        for turn in range(20):
            wanted = f"d-{number}-{turn}"
            if client.designs.read(wanted).id != wanted:
                wrong.append(wanted)

    with Client(ClientSettings(target, target, "k")) as client:
        await asyncio.gather(*(asyncio.to_thread(work, client, number) for number in range(16)))
    assert not wrong
    assert len(scripted.requests("GetDesign")) == 320
