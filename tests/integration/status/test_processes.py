"""Several processes of the status service on one port."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import grpc
import httpx
import pytest

from cutline.v1 import status_service_pb2 as pb
from cutline.v1 import status_service_pb2_grpc as pb_grpc
from tests.integration.status.streams import next_of
from tests.support.polling import until

KEY = "a-development-key-of-tests"
CREDENTIAL = (("authorization", f"Bearer {KEY}"),)
WATCHERS = re.compile(r"^cutline_watchers\{[^}]*\} (\d+)", re.MULTILINE)
MOST_CONNECTIONS = 64

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ports are shared on Linux only")


@dataclass(frozen=True)
class StatusProcess:
    """A running status service."""

    process: asyncio.subprocess.Process
    http: str

    async def ready(self) -> bool:
        """Whether it says that it serves; a process that has ended fails the test."""
        assert self.process.returncode is None
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(f"{self.http}/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    async def watchers(self) -> int:
        """Streams that it serves."""
        async with httpx.AsyncClient() as client:
            return sum(map(int, WATCHERS.findall((await client.get(f"{self.http}/metrics")).text)))


@asynccontextmanager
async def status_process(environment: Mapping[str, str], port: int, **settings: str) -> AsyncIterator[StatusProcess]:
    """Runs the service on a port for the length of a `with`."""
    http = f"127.0.0.1:{free_port()}"
    ours = {"CUTLINE_GRPC_LISTEN": f"127.0.0.1:{port}", "CUTLINE_HTTP_LISTEN": http, "CUTLINE_DEV_API_KEY": KEY}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.status", env={**environment, **ours, **settings}, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield StatusProcess(process, f"http://{http}")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


def free_port() -> int:
    """A port that nobody listens on at present."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def test_two_processes_share_a_port_and_both_serve(service_environment: dict[str, str]) -> None:
    """With CUTLINE_GRPC_REUSEPORT connections are spread over the processes; one without it is refused and told why."""
    port = free_port()
    async with AsyncExitStack() as stack:
        shared = {"CUTLINE_GRPC_REUSEPORT": "on"}
        pair = [await stack.enter_async_context(status_process(service_environment, port, **shared)) for _ in range(2)]
        for each in pair:
            await until(each.ready)
        for _ in range(MOST_CONNECTIONS):
            channel = await stack.enter_async_context(
                grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)])
            )
            stub: pb_grpc.StatusServiceAsyncStub = pb_grpc.StatusServiceStub(channel)
            watch = stub.WatchDesigns(pb.WatchDesignsRequest(), metadata=CREDENTIAL)
            assert (await next_of(watch)).HasField("heartbeat")
            if all([await each.watchers() for each in pair]):
                break
        else:
            pytest.fail(f"one process served all of {MOST_CONNECTIONS} connections")
        async with status_process(service_environment, port) as alone:
            assert alone.process.stdout is not None
            said = await asyncio.wait_for(alone.process.stdout.read(), 60)
            assert await alone.process.wait() == 1
        assert b"another process has the port" in said
        assert b"CUTLINE_GRPC_REUSEPORT" in said
