"""What has to be in the servers before the services start: the same commands a deployment runs as jobs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import nats

from cutline.embedded.process import Order, run_to_end
from cutline.embedded.servers import EmbeddedServers
from cutline.messaging.apply import apply_topology
from cutline.messaging.permissions import BusUser
from cutline.messaging.topology_settings import read_topology
from cutline.runtime.environment import EnvReader
from cutline.store.migrations import migrate

_JOBS: Final = {"migrate": "cutline.store.migrations", "topology": "cutline.messaging.apply"}


async def bootstrap(servers: EmbeddedServers, settings: Mapping[str, str]) -> None:
    """Bring the schema and the streams up to this release; the bucket is there already. Doing it again changes nothing.

    Secure servers are prepared by the commands themselves, each with no more rights than its job has.

    Args:
        servers: What to prepare.
        settings: Environment of the services: they compare the streams with what it says of them.

    Raises:
        MigrationError: The data was made by a later release, or a migration was changed after it was applied.
        StartError: A command failed; the message holds what it said.
    """
    if servers.certificates is not None:
        await asyncio.gather(*(_run_job(servers, settings, name, module) for name, module in _JOBS.items()))
        return
    await migrate(servers.postgres_dsn)
    # The broker is this stack's alone; a setting that cannot be used is refused by the services by name.
    replicas = servers.nats_cluster.replicas
    topology = replace(read_topology(EnvReader(settings)), namespace="", replicas=replicas)
    connection = await nats.connect(servers.nats_url.split(","))
    try:
        await apply_topology(connection.jetstream(), topology)
    finally:
        await connection.close()


async def _run_job(servers: EmbeddedServers, settings: Mapping[str, str], name: str, module: str) -> None:
    await run_to_end(
        (sys.executable, "-m", module),
        log_path=servers.instance.log_path(name),
        env={**settings, **servers.environment(), **servers.bus_environment(BusUser.TOPOLOGY)},
        cwd=servers.instance.folder,
        order=Order(hold_descriptors=(servers.instance.lock_descriptor,)),
    )
