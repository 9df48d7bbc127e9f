"""What kept doorbells take: memory of the broker and disk, for each design that rang within the stream's age.

The stream of doorbells has a subject of its own for each design, and the broker holds what it knows of a subject in
memory. As many designs as `DESIGNS` ring in an empty broker with the declared streams, as often as a design does, and
the growth of the process is divided by them: what its garbage collector has not given back yet is part of it.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Final
from uuid import UUID

import nats
import psutil

from cutline.domain.states import DesignState
from cutline.embedded.bootstrap import bootstrap
from cutline.embedded.servers import EmbeddedServers
from cutline.messaging.tickets import design_ring
from cutline.messaging.topology import Topology
from cutline.store.ids import new_id

DESIGNS: Final = 200_000
_CHUNK: Final = 2_000
_SETTLE_S: Final = 5.0
_DEADLINE_S: Final = 60.0


async def kept_doorbells(rings: int) -> dict[str, float]:
    """Bytes of memory and of disk a design.

    Args:
        rings: Rings of a design.
    """
    with tempfile.TemporaryDirectory(prefix="cutline-bench-") as folder:
        async with EmbeddedServers(Path(folder)) as servers:
            await bootstrap(servers, {})
            broker = psutil.Process(servers.nats.program_id)
            client = await nats.connect(servers.nats_url)
            idle_bytes = broker.memory_info().rss
            topology = Topology()
            ids: list[UUID] = [new_id() for _ in range(DESIGNS)]
            for revision in range(1, rings + 1):
                for begin in range(0, DESIGNS, _CHUNK):
                    for design_id in ids[begin : begin + _CHUNK]:
                        ring = design_ring(
                            design_id=design_id, tenant="bench", revision=revision, state=DesignState.PROCESSING
                        )
                        await client.publish(topology.design_subject("bench", design_id), ring)
                    await client.flush()
            jetstream = client.jetstream()
            async with asyncio.timeout(_DEADLINE_S):
                while True:
                    state = (await jetstream.stream_info(topology.events_stream)).state
                    if state.messages >= DESIGNS * rings:
                        break
                    await asyncio.sleep(0.1)
            await asyncio.sleep(_SETTLE_S)
            grown_bytes = broker.memory_info().rss - idle_bytes
            await client.close()
            return {
                "designs": DESIGNS,
                "rings": rings,
                "memory_bytes": round(grown_bytes / DESIGNS, 1),
                "disk_bytes": round(state.bytes / DESIGNS, 1),
            }
