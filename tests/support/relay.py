"""A TCP relay that remembers what clients said, can swallow what a server answers, and cut its connections."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from types import TracebackType
from typing import Self


class Relay:
    """Stands between a client and a server: `async with Relay(target) as relay`.

    Args:
        target: The server's address, `host:port`.
        tls: What it speaks TLS with, in front of a server that speaks none.

    Attributes:
        target: Its own address.
        mute: Whether what the server answers is lost on its way.
        asked: What clients said, connection by connection.
    """

    def __init__(self, target: str, *, tls: ssl.SSLContext | None = None) -> None:
        self.target = ""
        self.asked: list[bytearray] = []
        self._tls = tls
        self.mute = False
        self._host, _, self._port = target.rpartition(":")
        self._open: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Breaks every connection."""
        for writer in self._open:
            writer.transport.abort()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.target = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    async def _serve(self, asked: asyncio.StreamReader, answering: asyncio.StreamWriter) -> None:
        answered, asking = await asyncio.open_connection(self._host, int(self._port))
        self._open |= {answering, asking}
        said = bytearray()
        self.asked.append(said)
        with suppress(OSError):
            await asyncio.gather(self._pass(asked, asking, said=said), self._pass(answered, answering))
        self._open -= {answering, asking}
        for writer in (answering, asking):
            writer.transport.abort()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, said: bytearray | None = None
    ) -> None:
        """Passes on what one end says; `said` is what the client has said so far, and None for the server."""
        while data := await reader.read(65536):
            if said is not None:
                said += data
            if said is not None or not self.mute:
                writer.write(data)
                await writer.drain()
        raise ConnectionResetError
