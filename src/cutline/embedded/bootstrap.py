"""What has to be in the servers before the services start: the same commands a deployment runs as jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import nats

from cutline.embedded.servers import EmbeddedServers
from cutline.messaging.apply import apply_topology
from cutline.messaging.topology_settings import read_topology
from cutline.runtime.environment import EnvReader
from cutline.store.migrations import migrate


async def bootstrap(servers: EmbeddedServers, settings: Mapping[str, str]) -> None:
    """Bring the schema and the streams up to this release; the bucket is there already. Doing it again changes nothing.

    Args:
        servers: What to prepare.
        settings: Environment of the services: they compare the streams with what it says of them.

    Raises:
        MigrationError: The data was made by a later release, or a migration was changed after it was applied.
    """
    await migrate(servers.postgres_dsn)
    # The broker is this stack's alone and one node; a setting that cannot be used is refused by the services by name.
    topology = replace(read_topology(EnvReader(settings)), namespace="", replicas=1)
    connection = await nats.connect(servers.nats_url)
    try:
        await apply_topology(connection.jetstream(), topology)
    finally:
        await connection.close()
