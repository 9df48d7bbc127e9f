"""How the fake server starts, stops and stands beside others."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import httpx
import pytest

from cutline.client import AsyncClient, Client, DesignFailedError, PermissionDeniedError, UnauthenticatedError
from cutline.client.settings import ClientSettings
from cutline.testing import DesignState, FakeServer, Held
from tests.support.polling import eventually

# Packages that only the extras of the distribution bring.
EXTRAS = "aioboto3 aiohttp asyncpg cv2 grpc_health grpc_reflection nats numpy PIL prometheus_client shapely structlog"
BASE_ONLY = f"""
import sys
sys.modules.update(dict.fromkeys({EXTRAS.split()}))
from cutline.client import Client
from cutline.testing import FakeServer
with FakeServer() as server, Client(server.settings) as client:
    design = client.designs.submit(b"<svg/>")
    design.wait()
    print(design.state)
"""
PNG = b"\x89PNG\r\n\x1a\nnot quite a picture"


def test_a_sync_program_gets_a_sticker(server: FakeServer, client: Client) -> None:
    """Submit, wait and result need nothing but the settings of the server."""
    design = client.designs.submit(PNG, width_mm=60, filename="fox.png")
    ended = design.result(timeout_s=30)

    assert design.state == "READY"
    assert ended.geometry.cut_width_mm == 60
    assert [each.id for each in server.designs] == [design.id]
    assert server.artwork(design.id) == PNG


async def test_an_async_program_gets_a_sticker(async_client: AsyncClient) -> None:
    """The same from an event loop, which the server does not block."""
    design = await async_client.designs.submit(PNG, width_mm=60)
    await design.result(timeout_s=30)

    assert design.state == "READY"


def test_several_servers_know_nothing_of_each_other() -> None:
    """Each has its own ports, keys and designs."""
    with FakeServer() as one, FakeServer() as two, Client(one.settings) as client:
        client.designs.submit(PNG)
        assert (len(one.designs), len(two.designs)) == (1, 0)
        stranger = ClientSettings(two.target, two.target, one.settings.api_key)
        with Client(stranger) as lost, pytest.raises(UnauthenticatedError):
            lost.designs.submit(PNG)


def test_tenants_and_scopes_are_those_of_the_key(server: FakeServer, client: Client) -> None:
    """Another tenant sees nothing of a design, and a key that may only read cannot submit."""
    design = client.designs.submit(PNG)
    with Client(server.settings_for("other")) as other:
        assert list(other.designs.list()) == []
    with Client(server.settings_for("fake", scopes=["designs:read"])) as reader:
        assert reader.designs.get(design.id).id == design.id
        with pytest.raises(PermissionDeniedError):
            reader.designs.submit(PNG)
        with pytest.raises(ValueError, match="tenant"):
            server.settings_for("No Tenant")


async def test_nothing_is_left_behind() -> None:
    """When the server has stopped, its threads have ended, its ports are free, and open watches were told to go."""
    before = set(threading.enumerate())
    server = FakeServer(outcome=Held())
    with server:
        async with AsyncClient(server.settings, patience_s=0, max_retries=0) as client:
            design = await client.designs.submit(PNG)
            waiting = asyncio.create_task(design.wait())
            assert await eventually(lambda: server.stream_count == 1)
            server.stop()
            with pytest.raises(Exception, match="SHUTTING_DOWN"):
                await waiting
    host, port = server.target.split(":")
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind((host, int(port)))

    def left() -> list[str]:
        own = (thread.name for thread in set(threading.enumerate()) - before)
        return [name for name in own if "cutline" in name or "_serve" in name]

    assert await eventually(lambda: not left()), left()


async def test_a_restart_keeps_ports_and_state(server: FakeServer, async_client: AsyncClient) -> None:
    """A wait that the restart cut off goes on by itself and ends, after a crash too."""
    server.script(Held(), Held())
    for abruptly in (False, True):
        design = await async_client.designs.submit(PNG, reference=str(abruptly))
        waiting = asyncio.create_task(design.wait(timeout_s=60))
        assert await eventually(lambda: server.stream_count == 1)
        target = server.target
        server.restart(abruptly=abruptly)
        assert server.target == target
        server.finish(design.id)
        await waiting
        assert design.state == "READY"


def test_a_server_starts_once(server: FakeServer) -> None:
    """Starting what runs is refused, stopping what does not is harmless."""
    with pytest.raises(RuntimeError, match="runs already"):
        server.start()
    server.stop()
    server.stop()
    server.start()


def test_a_caller_who_says_nothing_holds_up_nobody() -> None:
    """A connection over which nothing was sent is cut off when the server stops."""
    with FakeServer() as server, Client(server.settings) as client:
        address = httpx.URL(client.designs.submit(PNG).result(timeout_s=30).artifacts[0].url)
        assert address.port is not None
        with socket.create_connection((address.host, address.port)) as silent:
            server.stop()
            assert silent.recv(1) == b""


def test_many_threads_share_a_server(server: FakeServer, client: Client) -> None:
    """Designs submitted at once are all made, and each once."""
    with ThreadPoolExecutor(8) as threads:
        designs = list(threads.map(lambda number: client.designs.submit(PNG, reference=str(number)), range(40)))
        list(threads.map(lambda design: design.wait(timeout_s=30), designs))

    assert len({design.id for design in designs}) == 40
    assert [design.id for design in client.designs.list()] == sorted((each.id for each in server.designs), reverse=True)


def test_the_command_line_reaches_it(server: FakeServer) -> None:
    """The environment it gives is what the command line reads."""
    shown = subprocess.run(
        (sys.executable, "-m", "cutline.cli", "list"),
        env={**server.environment, "PATH": "", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert server.requests_of("ListDesigns")


def test_the_base_install_is_enough() -> None:
    """A sticker is made where none of the packages of the services and the engine can be imported."""
    shown = subprocess.run((sys.executable, "-c", BASE_ONLY), capture_output=True, text=True, check=False)
    assert (shown.returncode, shown.stdout) == (0, "READY\n"), shown.stderr


def test_health_is_served(server: FakeServer) -> None:
    """The health service answers and ends its watches when the server stops."""
    with grpc.insecure_channel(server.target) as channel:
        open_channel: Any = channel  # its types know only methods with messages
        assert open_channel.unary_unary("/grpc.health.v1.Health/Check")(b"") == b"\x08\x01"
        watch = open_channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
        assert next(watch) == b"\x08\x01"
        server.stop()
        assert next(watch) == b"\x08\x02"
        assert list(watch) == []


def test_a_held_design_can_be_cancelled(server: FakeServer, client: Client) -> None:
    """Cancelling ends it, and whoever waits learns that it failed."""
    server.script(Held(DesignState.QUEUED))
    design = client.designs.submit(PNG)
    assert server.design(design.id).revision == 1
    design.cancel()
    with pytest.raises(DesignFailedError):
        design.wait(timeout_s=30)
    assert design.state == "CANCELLED"
