"""A gRPC caller made by hand, which does what no library lets a caller do: reads nothing, or answers no ping."""

from __future__ import annotations

import asyncio
import struct
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import IntEnum

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_INITIAL_WINDOW_SIZE = 4
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4


class Frame(IntEnum):
    """Types of HTTP/2 frames."""

    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8


class RawCaller:
    """One HTTP/2 connection whose frames a test sends and sees.

    Attributes:
        bodies: What came in DATA frames, by stream.
        blocks: Header blocks that came, by stream: headers first, then trailers. They are not decompressed; gRPC sends
            a status as literal text.
        reset: Streams that the server closed with RST_STREAM.
        goaways: Debug data of the GOAWAYs that came.
        closed: Set when the server has closed the connection.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, acks_pings: bool) -> None:
        self.bodies: defaultdict[int, bytes] = defaultdict(bytes)
        self.blocks: defaultdict[int, list[bytes]] = defaultdict(list)
        self.reset: set[int] = set()
        self.goaways: list[bytes] = []
        self.closed = asyncio.Event()
        self._pongs: asyncio.Queue[bytes] = asyncio.Queue()
        self._reader = reader
        self._writer = writer
        self._acks_pings = acks_pings
        self._streams = 0

    def call(self, method: str, request: bytes, metadata: Sequence[tuple[str, str]] = ()) -> int:
        """Begins a call and sends its one request; the number of its stream."""
        number = 2 * self._streams + 1
        self._streams += 1
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", f"/{method}"),
            (":authority", "test"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            *metadata,
        ]
        self._send(Frame.HEADERS, _END_HEADERS, number, b"".join(_literal(*header) for header in headers))
        self._send(Frame.DATA, _END_STREAM, number, b"\0" + struct.pack("!I", len(request)) + request)
        return number

    def make_room(self, stream: int, size_bytes: int) -> None:
        """Lets the server send that much more on a stream and on the connection."""
        for number in (stream, 0):
            self._send(Frame.WINDOW_UPDATE, 0, number, struct.pack("!I", size_bytes))

    async def ping(self) -> None:
        """Pings the server and waits for its answer, or for the end of the connection."""
        self._send(Frame.PING, 0, 0, b"12345678")
        await self._pongs.get()

    async def read(self) -> None:
        """Takes in what the server sends, to the end of the connection."""
        try:
            while True:
                head = await self._reader.readexactly(9)
                body = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
                self._take(head[3], head[4], int.from_bytes(head[5:9], "big"), body)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed.set()
            self._pongs.put_nowait(b"")

    def _take(self, kind: int, flags: int, stream: int, body: bytes) -> None:
        if kind == Frame.DATA:
            self.bodies[stream] += body
        elif kind == Frame.HEADERS:
            self.blocks[stream].append(body)
        elif kind == Frame.RST_STREAM:
            self.reset.add(stream)
        elif kind == Frame.GOAWAY:
            self.goaways.append(body[8:])
        elif kind == Frame.SETTINGS and not flags & _ACK:
            self._send(Frame.SETTINGS, _ACK, 0)
        elif kind == Frame.PING and flags & _ACK:
            self._pongs.put_nowait(body)
        elif kind == Frame.PING and self._acks_pings:
            self._send(Frame.PING, _ACK, 0, body)

    def _send(self, kind: Frame, flags: int, stream: int, body: bytes = b"") -> None:
        self._writer.write(struct.pack("!I", len(body))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + body)


@asynccontextmanager
async def raw_caller(
    port: int, *, window_bytes: int = 65_535, reads: bool = True, acks_pings: bool = True
) -> AsyncIterator[RawCaller]:
    """Connects to a server on loopback.

    Args:
        port: Where it listens.
        window_bytes: How much it may send on a stream before it is told to go on.
        reads: Whether anything is ever read from the socket.
        acks_pings: Whether the server's pings are answered.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    caller = RawCaller(reader, writer, acks_pings=acks_pings)
    writer.write(_PREFACE)
    caller._send(Frame.SETTINGS, 0, 0, struct.pack("!HI", _INITIAL_WINDOW_SIZE, window_bytes))
    reading = asyncio.create_task(caller.read()) if reads else None
    try:
        yield caller
    finally:
        writer.close()
        if reading is not None:
            reading.cancel()
            await asyncio.wait([reading])


def _literal(name: str, value: str) -> bytes:
    """A header field without indexing and without Huffman code."""
    return b"\0" + _string(name) + _string(value)


def _string(text: str) -> bytes:
    data = text.encode()
    rest = len(data) - 127
    if rest < 0:
        return bytes([len(data)]) + data
    length = bytearray([127])
    while rest >= 128:
        length.append(rest % 128 + 128)
        rest //= 128
    length.append(rest)
    return bytes(length) + data
