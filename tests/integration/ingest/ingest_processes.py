"""Ingest as production runs it: processes of its own, several beside each other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from cutline.embedded.ports import LOOPBACK, PortReservation
from cutline.embedded.process import Order
from cutline.embedded.service import Service
from cutline.messaging.topology import Topology
from tests.integration.ingest.service import put_topology

GRACE_S = 10.0


@asynccontextmanager
async def ingest_processes(
    folder: Path, environment: Mapping[str, str], *, number: int, topology: Topology
) -> AsyncIterator[list[str]]:
    """So many processes of ingest on one database and broker; their gRPC addresses.

    Args:
        folder: Where their logs go.
        environment: Their settings.
        number: How many.
        topology: Applied to the broker before they start.
    """
    await put_topology(environment["CUTLINE_NATS_URL"], topology)
    ports = PortReservation()
    targets = [f"{LOOPBACK}:{ports.take()}" for _ in range(number)]
    services = [_service(folder, environment, target, ports.take()) for target in targets]
    async with AsyncExitStack() as stack:
        stack.callback(ports.release)
        for service in services:
            stack.push_async_callback(service.stop)
        await asyncio.gather(*(service.start() for service in services))
        yield targets


def _service(folder: Path, environment: Mapping[str, str], target: str, http_port: int) -> Service:
    name = f"ingest-{http_port}"
    own = {"CUTLINE_GRPC_LISTEN": target, "CUTLINE_HTTP_LISTEN": f"{LOOPBACK}:{http_port}"}
    return Service(
        name,
        module="services.ingest",
        http_port=http_port,
        environment={**os.environ, **environment, **own},
        log_path=folder / f"{name}.log",
        order=Order(grace_s=GRACE_S),
    )
