"""A gate before a server: bytes pass, or nobody is there, or nothing is answered."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from cutline.embedded.ports import LOOPBACK, PortReservation

_CHUNK_BYTES = 65_536


class TcpGate:
    """`async with TcpGate(port) as gate`: reaches the server at `port` through `gate.port`.

    The port stays the gate's while it is shut, so that clients find it again when it opens.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._ports = PortReservation()
        self.port = self._ports.take()
        self._connections: set[asyncio.Task[None]] = set()
        self._passing = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def shut(self) -> None:
        """Cuts what is open and refuses every new connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    def hang(self) -> None:
        """Takes connections and bytes and passes nothing on, as a server that is stopped."""
        self._passing.clear()

    async def open(self) -> None:
        """Lets connections and bytes pass again."""
        self._passing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, LOOPBACK, self.port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._join(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)
        connection.add_done_callback(lambda _: writer.transport.abort())

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_writer: asyncio.StreamWriter | None = None
        try:
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
        finally:
            if far_writer is not None:
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
        self._ports.release()
