"""The TLS front of a PostgreSQL that speaks none."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from cutline.embedded.certificates import Certificates
from cutline.embedded.ports import LOOPBACK
from cutline.embedded.postgres_tls import PostgresTls
from cutline.embedded.postgres_tls_front import SSL_REQUEST
from cutline.embedded.process import Order
from cutline.embedded.servers import EmbeddedServers

WITHIN_S = 30.0
GSS_REQUEST = struct.pack("!II", 8, 80877104)
LARGE = 5_000_000


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority of these tests."""
    return Certificates.of(tmp_path_factory.mktemp("authority"))


@pytest.fixture(params=[False, True], ids=["", "mutual"])
async def front(
    request: pytest.FixtureRequest, servers: EmbeddedServers, certificates: Certificates, tmp_path: Path
) -> AsyncIterator[PostgresTls]:
    """A front that lets in everybody who trusts it, and one that asks for certificates."""
    running = PostgresTls(
        servers.postgres,
        certificates,
        mutual=request.param,
        ports=servers.ports,
        log_path=tmp_path / "front.log",
        order=Order(),
    )
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
def shown(certificates: Certificates) -> ssl.SSLContext:
    """A client's TLS with its certificate."""
    context = certificates.context()
    context.load_cert_chain(certificates.client.certificate, certificates.client.key)
    return context


async def test_everything_passes_through(front: PostgresTls, shown: ssl.SSLContext) -> None:
    """Large results and arguments arrive whole, and a statement is cancelled from another connection."""
    connection = await asyncpg.connect(front.dsn("postgres"), ssl=shown)
    try:
        sent = await connection.fetchval("SELECT repeat('x', $1)", LARGE)
        assert await connection.fetchval("SELECT length($1::text)", sent) == LARGE
        with pytest.raises(TimeoutError):
            await connection.execute("SELECT pg_sleep(600)", timeout=0.2)
        assert await connection.fetchval("SELECT 1", timeout=WITHIN_S) == 1
    finally:
        await connection.close()


async def test_who_shows_no_certificate(front: PostgresTls, certificates: Certificates) -> None:
    """Is let in, unless certificates are asked for."""
    connecting = asyncpg.connect(front.dsn("postgres"), ssl=certificates.context())
    if not front.mutual:
        await (await connecting).close()
        return
    with pytest.raises((asyncpg.PostgresConnectionError, OSError)):
        await connecting


async def test_who_speaks_plaintext_is_told_why_not(front: PostgresTls) -> None:
    """The refusal has the code of PostgreSQL's own, so that drivers show it as an error of the login."""
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="with TLS only"):
        await asyncpg.connect(front.dsn("postgres"), ssl=False)


async def test_nothing_slips_in_before_the_handshake(front: PostgresTls) -> None:
    """What comes in one piece with the request for TLS, unencrypted, ends the connection unanswered."""
    assert await answer(front, SSL_REQUEST + b"SELECT 1") == b""


async def test_encryption_by_gssapi_is_declined(front: PostgresTls) -> None:
    """Who asks for it first, as libpq may, is offered TLS afterwards."""
    assert await answer(front, GSS_REQUEST, SSL_REQUEST) == b"NS"


async def answer(front: PostgresTls, *requests: bytes) -> bytes:
    """What comes back for plain bytes, each sent after a byte of answer to the one before."""
    reader, writer = await asyncio.open_connection(LOOPBACK, urlsplit(front.dsn()).port)
    received = b""
    try:
        async with asyncio.timeout(WITHIN_S):
            for request in requests:
                writer.write(request)
                received += await reader.read(1)
    finally:
        writer.close()
    return received
