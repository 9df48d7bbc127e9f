"""What has to be in the servers before the services start: the same commands a deployment runs as jobs."""

from __future__ import annotations

import nats

from cutline.embedded.servers import EmbeddedServers
from cutline.messaging.apply import apply_topology
from cutline.messaging.topology import Topology
from cutline.store.migrations import migrate


async def bootstrap(servers: EmbeddedServers) -> None:
    """Bring the schema and the streams up to this release; the bucket is there already. Doing it again changes nothing.

    Raises:
        MigrationError: The data was made by a later release, or a migration was changed after it was applied.
    """
    await migrate(servers.postgres_dsn)
    connection = await nats.connect(servers.nats_url)
    try:
        await apply_topology(connection.jetstream(), Topology())
    finally:
        await connection.close()
