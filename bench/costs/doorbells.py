"""What kept doorbells take: memory of the broker and disk, for each design that rang within the stream's age.

The stream of doorbells has a subject of its own for each design, and the broker holds what it knows of a subject in
memory. As many designs as `DESIGNS` ring in an empty broker with the declared streams, as often as a design does, and
the growth of the process is divided by them. That is measured twice: with Go's collector as it is by default, which
lets the process grow to about twice of what is alive, and with one that collects all the time (GOMEMLIMIT).
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import nats
import psutil
from nats.aio.client import Client

from cutline.domain.states import DesignState
from cutline.embedded import wheels
from cutline.embedded.ports import LOOPBACK, PortReservation
from cutline.embedded.process import LeashedProcess, Order, bare_environment
from cutline.messaging.apply import apply_topology
from cutline.messaging.tickets import design_ring
from cutline.messaging.topology import Topology
from cutline.store.ids import new_id

DESIGNS: Final = 100_000
_TIGHT: Final = {"GOMEMLIMIT": "16MiB"}
_TENANT: Final = "bench"
_CHUNK: Final = 2_000
_SETTLE_S: Final = 5.0
_DEADLINE_S: Final = 300.0


async def kept_doorbells(rings: int) -> dict[str, float]:
    """Bytes of memory and of disk a design.

    Args:
        rings: Rings of a design.
    """
    memory_bytes, disk_bytes = await _ring({}, rings)
    live_bytes, _ = await _ring(_TIGHT, rings)
    return {
        "designs": DESIGNS,
        "rings": rings,
        "memory_bytes": round(memory_bytes, 1),
        "live_memory_bytes": round(live_bytes, 1),
        "disk_bytes": round(disk_bytes, 1),
    }


async def _ring(environment: dict[str, str], rings: int) -> tuple[float, float]:
    """Has every design ring; memory and disk of each."""
    topology, ids = Topology(), [new_id() for _ in range(DESIGNS)]
    async with _broker(environment) as (process, client):
        jetstream = client.jetstream()
        await apply_topology(jetstream, topology)
        idle_bytes = process.memory_info().rss
        for revision in range(1, rings + 1):
            for begin in range(0, DESIGNS, _CHUNK):
                for design_id in ids[begin : begin + _CHUNK]:
                    ring = design_ring(
                        design_id=design_id, tenant=_TENANT, revision=revision, state=DesignState.PROCESSING
                    )
                    await client.publish(topology.design_subject(_TENANT, design_id), ring)
                await client.flush()
        async with asyncio.timeout(_DEADLINE_S):
            while True:
                state = (await jetstream.stream_info(topology.events_stream)).state
                if state.messages >= DESIGNS * rings:
                    break
                await asyncio.sleep(0.1)
        await asyncio.sleep(_SETTLE_S)
        return (process.memory_info().rss - idle_bytes) / DESIGNS, state.bytes / DESIGNS


@asynccontextmanager
async def _broker(environment: dict[str, str]) -> AsyncIterator[tuple[psutil.Process, Client]]:
    """A broker of its own with an empty store, and a connection to it."""
    ports = PortReservation()
    port = ports.take()
    with tempfile.TemporaryDirectory(prefix="cutline-bench-") as folder:
        config = Path(folder) / "nats.conf"
        config.write_text(json.dumps({"listen": f"{LOOPBACK}:{port}", "jetstream": {"store_dir": f"{folder}/store"}}))
        server = await LeashedProcess.start(
            (wheels.nats_server(), "--config", config),
            log_path=Path(folder) / "nats.log",
            env=bare_environment() | environment,
            cwd=Path(folder),
            order=Order(),
        )
        try:
            client = await nats.connect(
                f"nats://{LOOPBACK}:{port}", max_reconnect_attempts=-1, reconnect_time_wait=0.1, error_cb=_not_yet
            )
            yield psutil.Process(server.program_id), client
            await client.close()
        finally:
            await server.stop()
            ports.release()


async def _not_yet(_error: Exception) -> None:
    """The server does not listen yet; the client tries again."""
