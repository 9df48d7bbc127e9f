"""What the S3 client does not put up with: a store of another name or authority, with a proxy too, and redirects."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from cutline.blobs.store import S3BlobStore
from cutline.domain.errors import UnavailableError
from cutline.runtime.settings import S3Settings

KEY = "some/key"
Serve = Callable[[web.Request], web.Response]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names no proxy, whatever the shell says."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@asynccontextmanager
async def serving(answer: Serve, leaf: trustme.LeafCert | None = None) -> AsyncIterator[int]:
    """A server that answers everything so, with TLS where it has a certificate; its port."""

    async def handle(request: web.Request) -> web.Response:
        return answer(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    context = None
    if leaf is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(context)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def proxy() -> AsyncIterator[tuple[str, list[str]]]:
    """An HTTP proxy that tunnels: its address, and where it was asked to go."""
    asked: list[str] = []

    async def pump(source: asyncio.StreamReader, drain: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                drain.write(data)
        drain.close()

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split()[1].decode())
        host, _, port = asked[-1].rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    async with await asyncio.start_server(tunnel, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def got(port: int, authority: trustme.CA, folder: Path) -> bytes:
    """What a store on a port gives to a client that trusts one authority."""
    roots = folder / "roots.pem"
    authority.cert_pem.write_to_path(str(roots))
    endpoint = f"https://127.0.0.1:{port}"
    store = S3BlobStore(
        S3Settings(endpoint=endpoint, public_endpoint=endpoint, access_key="a", secret_key="s", ca_path=roots)
    )
    await store.start()
    try:
        return await store.get(KEY)
    finally:
        await store.stop()


def found(_request: web.Request) -> web.Response:
    """An object."""
    return web.Response(body=b"whole")


async def test_a_store_is_trusted_by_its_name(tmp_path: Path) -> None:
    """A certificate of the right authority for another host is no certificate of the store."""
    authority = trustme.CA()
    async with serving(found, authority.issue_cert("127.0.0.1")) as port:
        assert await got(port, authority, tmp_path) == b"whole"
    async with serving(found, authority.issue_cert("other.example")) as port:
        with pytest.raises(UnavailableError):
            await got(port, authority, tmp_path)


async def test_a_store_behind_a_proxy_is_verified_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy tunnels to the store; who answers there with a certificate of another authority is not believed."""
    authority = trustme.CA()
    async with serving(found, authority.issue_cert("127.0.0.1")) as port, proxy() as (address, asked):
        monkeypatch.setenv("HTTPS_PROXY", address)

        assert await got(port, authority, tmp_path) == b"whole"
        assert asked == [f"127.0.0.1:{port}"]
        with pytest.raises(UnavailableError):
            await got(port, trustme.CA(), tmp_path)
        assert len(asked) > 1


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    """Least of all to plain HTTP, where everybody between could read and change what is stored."""
    authority, elsewhere = trustme.CA(), []

    def lure(request: web.Request) -> web.Response:
        elsewhere.append(request.path)
        return web.Response(body=b"forged")

    async with serving(lure) as plain_port:

        def redirect(request: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": f"http://127.0.0.1:{plain_port}{request.path}"})

        async with serving(redirect, authority.issue_cert("127.0.0.1")) as port:
            with pytest.raises(UnavailableError):
                await got(port, authority, tmp_path)

    assert elsewhere == []
