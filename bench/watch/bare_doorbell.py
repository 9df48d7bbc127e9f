"""The yardstick: core NATS to a `grpc.aio` stream with nothing between, neither a read nor a check nor a measurement.

Each stream asks for one design by its id and gets the bytes of its rings.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
import nats
from nats.aio.msg import Msg

from bench.watch.asking import Answer, serve
from cutline.embedded.ports import LOOPBACK
from cutline.messaging.topology import Topology

BARE: Final = Topology(namespace="bare")
"""Its rings have subjects of their own, so that it and the service are not heard by each other's watchers."""
HELLO: Final = b""
"""First message of every stream: it is registered."""


@asynccontextmanager
async def serving() -> AsyncIterator[Mapping[str, Answer]]:
    """Hears and serves."""
    waiting: dict[str, set[asyncio.Queue[bytes]]] = {}

    async def heard(message: Msg) -> None:
        for queue in waiting.get(message.subject.rpartition(".")[2], ()):
            queue.put_nowait(message.data)

    async def watch(design_id: bytes, _: Any) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        waiting.setdefault(design_id.decode(), set()).add(queue)
        yield HELLO
        while True:
            yield await queue.get()

    async def where() -> int:
        return port

    connection = await nats.connect(os.environ["CUTLINE_NATS_URL"])
    await connection.subscribe(BARE.all_designs_subject, cb=heard)
    await connection.flush()
    server = grpc.aio.server()
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {"Watch": grpc.unary_stream_rpc_method_handler(watch)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.BareDoorbell", handlers),))
    port = server.add_insecure_port(f"{LOOPBACK}:0")
    await server.start()
    try:
        yield {"where": where}
    finally:
        await server.stop(None)
        await connection.close()


if __name__ == "__main__":
    serve(serving)
