"""How a slot and its child process talk over their socket.

A frame is a count of parts, the length of each part, then the parts. The first part is a small pickled tuple that says
what the frame is; the others are raw bytes, so that pixels are never pickled. Both ends are this program.
"""

from __future__ import annotations

import asyncio
import pickle
import select
import socket
import struct
from collections.abc import Sequence
from typing import Any, Final

_COUNT: Final = struct.Struct("!I")

# What the parent says.
HELLO: Final = "hello"
RUN: Final = "run"
CANCEL: Final = "cancel"
# What the child says.
READY: Final = "ready"
STEP: Final = "step"
RESULT: Final = "result"
ERROR: Final = "error"


class ClosedError(Exception):
    """The other end is gone."""


def encode(head: tuple[Any, ...], buffers: Sequence[bytes] = ()) -> list[bytes]:
    """The pieces of a frame, in the order in which they are sent."""
    parts = [pickle.dumps(head, protocol=5), *buffers]
    lengths = struct.pack(f"!{len(parts)}Q", *(len(part) for part in parts))
    return [_COUNT.pack(len(parts)) + lengths, *parts]


class LoopEnd:
    """The parent's end, on its event loop: one copy a byte, and frames of megabytes pass in a few reads."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)  # noqa: FBT003  (its only form)
        self._socket = sock
        self._loop = asyncio.get_running_loop()
        self._sending = asyncio.Lock()

    async def send(self, head: tuple[Any, ...], buffers: Sequence[bytes] = ()) -> None:
        """Sends a frame.

        Raises:
            ClosedError: The other end is gone.
        """
        async with self._sending:
            try:
                for piece in encode(head, buffers):
                    await self._loop.sock_sendall(self._socket, piece)
            except ConnectionError as error:
                raise ClosedError from error

    async def receive(self) -> tuple[tuple[Any, ...], list[bytes]]:
        """Waits for the next frame: head and buffers.

        Raises:
            ClosedError: The other end is gone.
        """
        (count,) = _COUNT.unpack(await self._exactly(_COUNT.size))
        lengths = struct.unpack(f"!{count}Q", await self._exactly(8 * count))
        parts = [await self._exactly(length) for length in lengths]
        return pickle.loads(parts[0]), parts[1:]  # noqa: S301  (the other end is our own process)

    def close(self) -> None:
        """Closes the socket; nobody may be sending or receiving."""
        self._socket.close()

    async def _exactly(self, length: int) -> bytes:
        data = bytearray(length)
        view, filled = memoryview(data), 0
        while filled < length:
            try:
                got = await self._loop.sock_recv_into(self._socket, view[filled:])
            except ConnectionError as error:
                raise ClosedError from error
            if not got:
                raise ClosedError
            filled += got
        return bytes(data)


class BlockingEnd:
    """The child's end: one thread, nothing to do while it waits."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def send(self, head: tuple[Any, ...], buffers: Sequence[bytes] = ()) -> None:
        """Sends a frame."""
        for piece in encode(head, buffers):
            self._socket.sendall(piece)

    def receive(self) -> tuple[tuple[Any, ...], list[bytes]]:
        """Waits for the next frame: head and buffers.

        Raises:
            ClosedError: The other end is gone.
        """
        (count,) = _COUNT.unpack(self._exactly(_COUNT.size))
        lengths = struct.unpack(f"!{count}Q", self._exactly(8 * count))
        parts = [self._exactly(length) for length in lengths]
        return pickle.loads(parts[0]), parts[1:]  # noqa: S301  (the other end is our own process)

    def waiting(self) -> bool:
        """Whether something has come, be it the end."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def _exactly(self, length: int) -> bytes:
        data = bytearray(length)
        view, filled = memoryview(data), 0
        while filled < length:
            got = self._socket.recv_into(view[filled:])
            if not got:
                raise ClosedError
            filled += got
        return bytes(data)
