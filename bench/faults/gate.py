"""A gate before a server: bytes pass, or nobody is there, or nothing is answered, or only errors are."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

from cutline.embedded.ports import LOOPBACK

_CHUNK_BYTES: Final = 65_536
_REFUSAL: Final = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Gate:
    """`async with Gate(server_url, port) as gate`: the server is reached through `gate.url`.

    The port stays the caller's while the gate is shut, so that clients find it again when it opens.

    Attributes:
        url: The server's own with the gate's port.
    """

    def __init__(self, server_url: str, port: int) -> None:
        server = urlsplit(server_url)
        self.url = urlunsplit(server._replace(netloc=f"{server.netloc.rpartition(':')[0]}:{port}"))
        self._server_port = server.port
        self._port = port
        self._refusing = False
        self._passing = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Lets connections and bytes pass again."""
        self._refusing = False
        self._passing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, LOOPBACK, self._port)

    async def shut(self) -> None:
        """Cuts what is open and takes no new connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.cut()

    async def cut(self) -> None:
        """Cuts what is open."""
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    def hang(self) -> None:
        """Takes connections and bytes and passes nothing on, as a server that is stopped."""
        self._passing.clear()

    async def refuse(self) -> None:
        """Cuts what is open and answers every request over HTTP with 503."""
        self._refusing = True
        await self.cut()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)
        connection.add_done_callback(lambda _: writer.transport.abort())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):  # either end may go at any time
            if self._refusing:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(_REFUSAL)
                await writer.drain()
            else:
                await self._join(reader, writer)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self._server_port)
        ways = [
            asyncio.create_task(self._pass(reader, far_writer)),
            asyncio.create_task(self._pass(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
            far_writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                await self._passing.wait()
                writer.write(data)
                await writer.drain()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shut()
