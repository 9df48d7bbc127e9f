"""Speaks TLS for a PostgreSQL that cannot: the one of the wheel is built without OpenSSL.

A stand-alone program, started by file path and importing the standard library only: `python -I -S
postgres_tls_front.py FRONT` where FRONT is the JSON of `Front`. Whoever connects asks for TLS as PostgreSQL's protocol
says (SSLRequest), makes the handshake here, and is then joined to PostgreSQL; cancel requests come the same way.
Whoever begins without TLS is told so and cut off.

A deployment has no such program: its PostgreSQL speaks TLS itself.
"""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import struct
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Final, cast

_REQUEST: Final = struct.Struct("!II")
"""Length and code of what a connection begins with."""
_SSL: Final = 80877103
_GSS: Final = 80877104
_CANCEL: Final = 80877102
SSL_REQUEST: Final = _REQUEST.pack(_REQUEST.size, _SSL)
"""How a connection asks for TLS."""
_BEGIN_WITHIN_S: Final = 10.0
_ONLY_TLS: Final = b"this server takes connections with TLS only (sslmode=verify-full)"


@dataclass(frozen=True, slots=True)
class Front:
    """What the program is told.

    Attributes:
        host: Where both listen.
        port: Where it listens.
        postgres_port: Where PostgreSQL is.
        certificate: PEM file with the certificate to show and its chain.
        key: PEM file with its key.
        client_authority: PEM file with the authority that clients need a certificate of; empty asks for none.
    """

    host: str
    port: int
    postgres_port: int
    certificate: str
    key: str
    client_authority: str = ""

    def context(self) -> ssl.SSLContext:
        """What the handshakes are made with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        if self.client_authority:
            context.load_verify_locations(self.client_authority)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class _End(asyncio.Protocol):
    """One end of a joined pair: what arrives goes to the other, no faster than that one takes it.

    Attributes:
        gone: Done when the connection is over.
    """

    def __init__(self) -> None:
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._other: asyncio.Transport | None = None
        self._early: list[bytes] = []

    def join(self, other: asyncio.Transport) -> None:
        """Names the other end and gives it what has come already."""
        self._other = other
        other.writelines(self._early)
        self._early.clear()

    def data_received(self, data: bytes) -> None:
        """Passes it on."""
        if self._other is None:
            self._early.append(data)
        else:
            self._other.write(data)

    def pause_writing(self) -> None:
        """Stops the other end, whose words pile up here."""
        if self._other is not None:
            self._other.pause_reading()

    def resume_writing(self) -> None:
        """Lets it go on."""
        if self._other is not None and not self._other.is_closing():
            self._other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio's signature)
        """Ends the other end, too, once it has all that came."""
        if self._other is not None:
            self._other.close()
        if not self.gone.done():
            self.gone.set_result(None)


class _Greeting(asyncio.Protocol):
    """Reads what a connection begins with, and answers until it asks for TLS.

    Attributes:
        transport: The connection.
    """

    transport: asyncio.Transport

    def __init__(self, begin: Callable[[_Greeting], Coroutine[None, None, None]]) -> None:
        self._begin = begin
        self._seen = b""
        self._wanted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def wants_tls(self) -> bool:
        """Whether the connection goes on with a handshake; it is answered where it does not.

        Raises:
            TimeoutError: It said nothing for too long.
        """
        async with asyncio.timeout(_BEGIN_WITHIN_S):
            return await self._wanted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins to take the connection."""
        self.transport = cast("asyncio.Transport", transport)
        self._task = asyncio.get_running_loop().create_task(self._begin(self))

    def data_received(self, data: bytes) -> None:
        """Reads until it is clear what is wanted."""
        self._seen += data
        if self._wanted.done() or len(self._seen) < _REQUEST.size:
            return
        _, code = _REQUEST.unpack_from(self._seen)
        alone = len(self._seen) == _REQUEST.size
        if code == _GSS and alone:
            self._seen = b""
            self.transport.write(b"N")
        elif code == _SSL and alone:
            # Nothing may come before the answer: what an attacker slipped in would else pass for encrypted.
            self.transport.pause_reading()
            self.transport.write(b"S")
            self._wanted.set_result(True)
        else:
            if code not in (_SSL, _GSS, _CANCEL):
                self.transport.write(_refusal())
            self._wanted.set_result(False)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio's signature)
        """Nobody wants anything any more."""
        if not self._wanted.done():
            self._wanted.set_result(False)


def _refusal() -> bytes:
    """PostgreSQL's ErrorResponse, with the code it has itself for a connection that pg_hba.conf refuses."""
    fields = b"SFATAL\0VFATAL\0C28000\0M" + _ONLY_TLS + b"\0\0"
    return b"E" + struct.pack("!I", 4 + len(fields)) + fields


async def _serve(front: Front) -> None:
    """Serves until SIGTERM or SIGINT; what is open is cut off then, as PostgreSQL does in a fast shutdown."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    context = front.context()
    server = await loop.create_server(
        lambda: _Greeting(lambda greeting: _take(greeting, context, front)), front.host, front.port
    )
    await stopping.wait()
    server.close()


async def _take(greeting: _Greeting, context: ssl.SSLContext, front: Front) -> None:
    """One connection from its beginning to its end."""
    loop = asyncio.get_running_loop()
    caller, postgres = _End(), _End()
    ends: list[asyncio.Transport] = [greeting.transport]
    try:
        if not await greeting.wants_tls():
            return
        secured = await loop.start_tls(
            greeting.transport, caller, context, server_side=True, ssl_handshake_timeout=_BEGIN_WITHIN_S
        )
        assert secured is not None  # noqa: S101  (only for a transport that is closing already, which then failed)
        ends[0] = secured
        plain, _ = await loop.create_connection(lambda: postgres, front.host, front.postgres_port)
        ends.append(plain)
        postgres.join(secured)
        caller.join(plain)
        await asyncio.wait({caller.gone, postgres.gone}, return_when=asyncio.FIRST_COMPLETED)
    except OSError as error:  # a handshake that fails or takes too long is one, too
        sys.stderr.write(f"a connection was not made: {type(error).__name__} {error}\n")
    finally:
        for end in ends:
            end.close()


if __name__ == "__main__":
    asyncio.run(_serve(Front(**json.loads(sys.argv[1]))))
