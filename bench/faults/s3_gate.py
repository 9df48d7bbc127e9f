"""A gate before the object store: bytes pass, or it answers 503, or it answers nothing."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

_CHUNK_BYTES: Final = 65_536
_REFUSAL: Final = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Mood(StrEnum):
    """What happens to a connection."""

    OPEN = "open"
    """Bytes pass both ways."""
    ERRORS = "errors"
    """Every request is answered 503; what was open is cut."""
    SILENCE = "silence"
    """Requests are taken and never answered; what was open stands still."""


class S3Gate:
    """`async with S3Gate(store_endpoint, listen) as gate`.

    Args:
        store_endpoint: URL of the object store.
        listen: Host and port of the gate.
    """

    def __init__(self, store_endpoint: str, listen: tuple[str, int]) -> None:
        store = urlsplit(store_endpoint)
        self._store = (store.hostname, store.port)
        self._listen = listen
        self._mood = Mood.OPEN
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def endpoint(self) -> str:
        """The address to give to services."""
        return f"http://{self._listen[0]}:{self._listen[1]}"

    def set(self, mood: Mood) -> None:
        """Changes what happens to connections, those that are open included."""
        self._mood = mood
        self._changed.set()
        self._changed = asyncio.Event()
        if mood is not Mood.SILENCE:  # who was kept waiting is cut off: the answer would be to a question of long ago
            for connection in self._connections:
                connection.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._answer(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)
        await asyncio.wait([connection])
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Either end may go at any time, and the gate cuts on purpose.
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            if self._mood is Mood.ERRORS:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(_REFUSAL)
                await writer.drain()
            else:
                await self._pass(reader, writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        store_reader, store_writer = await asyncio.open_connection(*self._store)
        try:
            ways = [self._pump(reader, store_writer), self._pump(store_reader, writer)]
            pumps = [asyncio.create_task(way) for way in ways]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            store_writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            while self._mood is Mood.SILENCE:
                await self._changed.wait()
            writer.write(chunk)
            await writer.drain()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, *self._listen)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*self._connections, return_exceptions=True)
