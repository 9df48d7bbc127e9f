"""The servers together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from cutline.embedded.instance import Instance
from cutline.embedded.nats_cluster import NatsCluster
from cutline.embedded.nats_server import NatsServer
from cutline.embedded.ports import PortReservation
from cutline.embedded.postgres_server import PostgresServer
from cutline.embedded.process import Order
from cutline.embedded.s3_server import ACCESS_KEY, BUCKET, REGION, S3Server
from cutline.embedded.server import Server


class EmbeddedServers:
    """nats-server, PostgreSQL and S3 on free loopback ports: `async with EmbeddedServers(folder) as servers`.

    Attributes:
        nats_cluster: The broker: one node, or several.
        nats: Its only node, or its first.
        postgres: The database server.
        s3: The object store.
        ports: Where all ports of this stack come from.
    """

    nats: NatsServer

    def __init__(self, data_dir: Path | Instance, *, nats_accounts: Sequence[str] = (), nats_nodes: int = 1) -> None:
        """Lock the data and choose the ports; nothing runs yet.

        Args:
            data_dir: A folder for the data, kept between runs; or an instance, which stays the caller's to close.
            nats_accounts: NATS accounts beside the usual one.
            nats_nodes: Nodes of the broker: 1, or a cluster of at least 3. The data of one is not that of the other.

        Raises:
            InstanceBusyError: Another stack uses the folder.
        """
        self._owns_instance = isinstance(data_dir, Path)
        self.instance = Instance.open(data_dir) if isinstance(data_dir, Path) else data_dir
        self.ports = PortReservation()
        instance, ports = self.instance, self.ports
        order = Order(hold_descriptors=(instance.lock_descriptor,))
        self.nats_cluster = NatsCluster(
            instance, nodes=nats_nodes, ports=ports, order=order, more_accounts=nats_accounts
        )
        self.nats = self.nats_cluster.nodes[0]
        self.postgres = PostgresServer(
            instance.folder / "postgres",
            ports=ports,
            password=instance.secret("postgres"),
            log_path=instance.log_path("postgres"),
            order=order,
        )
        self.s3 = S3Server(
            instance.folder / "s3",
            ports=ports,
            secret_key=instance.secret("s3"),
            log_path=instance.log_path("s3"),
            order=order,
        )

    @property
    def all(self) -> tuple[Server, ...]:
        """Every server."""
        return (*self.nats_cluster.nodes, self.postgres, self.s3)

    @property
    def nats_url(self) -> str:
        """Where NATS is, with credentials; the nodes of a cluster are separated by commas."""
        return self.nats_cluster.url()

    @property
    def postgres_dsn(self) -> str:
        """Where the database is, with credentials."""
        return self.postgres.dsn()

    @property
    def s3_endpoint(self) -> str:
        """Where the S3 API is."""
        return self.s3.endpoint

    @property
    def s3_access_key(self) -> str:
        """The access key id."""
        return ACCESS_KEY

    @property
    def s3_secret_key(self) -> str:
        """The secret key."""
        return self.instance.secret("s3")

    @property
    def s3_bucket(self) -> str:
        """The bucket, which exists."""
        return BUCKET

    @property
    def s3_region(self) -> str:
        """The region to sign for."""
        return REGION

    def environment(self) -> dict[str, str]:
        """The addresses as the settings that services read."""
        return {
            "CUTLINE_NATS_URL": self.nats_url,
            "CUTLINE_NATS_REPLICAS": str(self.nats_cluster.replicas),
            "CUTLINE_POSTGRES_DSN": self.postgres_dsn,
            "CUTLINE_S3_ENDPOINT": self.s3_endpoint,
            "CUTLINE_S3_PUBLIC_ENDPOINT": self.s3_endpoint,
            "CUTLINE_S3_ACCESS_KEY": self.s3_access_key,
            "CUTLINE_S3_SECRET_KEY": self.s3_secret_key,
            "CUTLINE_S3_BUCKET": self.s3_bucket,
            "CUTLINE_S3_REGION": self.s3_region,
        }

    async def start(self) -> None:
        """Start all at once and wait until they serve.

        Raises:
            StartError: One did not come up; the others are stopped by then.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for server in self.all:
                    group.create_task(server.start())
        except BaseExceptionGroup as failures:
            await self.stop()
            raise failures.exceptions[0] from None
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop all and wait until they are gone; the data stays."""
        await asyncio.gather(*(server.stop() for server in self.all))
        self.ports.release()
        if self._owns_instance:
            self.instance.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
