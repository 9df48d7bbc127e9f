"""A proxy of the environment does not stand between a client and what runs on its own machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest
from aiohttp import web

from cutline.client import ClientSettings
from cutline.client.channels import http_client
from cutline.client.proxies import channel_options, shared_host

NOBODY_LISTENS = "http://127.0.0.1:9"


@pytest.fixture
async def web_address() -> AsyncIterator[str]:
    """A web server that answers 404 to everything."""
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


@pytest.mark.parametrize("proxy", [NOBODY_LISTENS, "socks5://127.0.0.1:9"])
async def test_http_on_this_machine_needs_no_proxy(
    web_address: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uploads and downloads reach a store on the loopback address whatever proxy the environment names."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with http_client(httpx.AsyncClient, ClientSettings("localhost", "localhost", "k")) as client:
        assert (await client.get(web_address)).status_code == 404


async def test_calls_on_this_machine_need_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel to a loopback target reaches the server, which knows no such method."""
    monkeypatch.setenv("http_proxy", NOBODY_LISTENS)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    server = grpc.aio.server()
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        async with grpc.aio.insecure_channel(target, options=channel_options(target)) as channel:
            call: Any = channel.unary_unary("/none/Such")
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call(b"", timeout=10)
    finally:
        await server.stop(None)

    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("target", "here"),
    [
        ("127.0.0.1:7001", True),
        ("dns:///localhost:7001", True),
        ("ipv4:127.0.0.1:7001", True),
        ("[::1]:7001", True),
        ("localhost", True),
        ("ingest.example:443", False),
        ("dns:///ingest.example:443", False),
    ],
)
def test_only_targets_on_this_machine_go_past_the_proxy(target: str, here: bool) -> None:
    """Other machines are reached as the environment says."""
    assert bool(channel_options(target)) is here


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("ipv4:127.0.0.1:7001,127.0.0.1:7002", "127.0.0.1"),
        ("ipv6:[::1]:7001,[::1]:7002", "::1"),
        ("ipv4:10.0.0.1:443,10.0.0.2:443", ""),
        ("127.0.0.1:7001", ""),
        ("dns:///ingest.example:443", ""),
    ],
)
def test_several_addresses_are_verified_by_the_host_they_share(target: str, host: str) -> None:
    """A certificate names a host, never a list of addresses."""
    assert shared_host(target) == host
