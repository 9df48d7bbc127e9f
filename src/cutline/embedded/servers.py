"""The servers together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from cutline.embedded.certificates import Certificates
from cutline.embedded.instance import Instance, write_private
from cutline.embedded.nats_cluster import NatsCluster
from cutline.embedded.nats_security import NatsSecurity, NKey
from cutline.embedded.nats_server import NatsServer
from cutline.embedded.ports import LOOPBACK, PortReservation
from cutline.embedded.postgres_server import PostgresServer
from cutline.embedded.postgres_tls import PostgresTls
from cutline.embedded.process import Order
from cutline.embedded.s3_server import ACCESS_KEY, BUCKET, REGION, S3Server
from cutline.embedded.server import Server
from cutline.messaging.permissions import BusUser


class EmbeddedServers:
    """nats-server, PostgreSQL and S3 on free loopback ports: `async with EmbeddedServers(folder) as servers`.

    Attributes:
        nats_cluster: The broker: one node, or several.
        nats: Its only node, or its first.
        postgres: The database server.
        postgres_tls: What speaks TLS for it; None where the servers are open.
        s3: The object store.
        ports: Where all ports of this stack come from.
        certificates: What servers show and clients trust; None where the servers are open.
        mutual: Whether clients need a certificate, too.
    """

    nats: NatsServer

    def __init__(
        self,
        data_dir: Path | Instance,
        *,
        nats_accounts: Sequence[str] = (),
        nats_nodes: int = 1,
        secure: bool = False,
        mutual: bool = False,
    ) -> None:
        """Lock the data and choose the ports; nothing runs yet.

        Args:
            data_dir: A folder for the data, kept between runs; or an instance, which stays the caller's to close.
            nats_accounts: NATS accounts beside the usual one; an open broker's only.
            nats_nodes: Nodes of the broker: 1, or a cluster of at least 3. The data of one is not that of the other.
            secure: Whether all three speak TLS only, and the broker gives each of its users the least that it needs.
            mutual: Whether PostgreSQL asks its clients for certificates; the broker always does where it is secure.

        Raises:
            InstanceBusyError: Another stack uses the folder.
        """
        self._owns_instance = isinstance(data_dir, Path)
        self.instance = Instance.open(data_dir) if isinstance(data_dir, Path) else data_dir
        self.ports = PortReservation()
        instance, ports = self.instance, self.ports
        order = Order(hold_descriptors=(instance.lock_descriptor,))
        self.mutual = mutual
        self.certificates = certificates = Certificates.of(instance.folder) if secure else None
        self.nats_cluster = NatsCluster(
            instance,
            nodes=nats_nodes,
            ports=ports,
            order=order,
            more_accounts=nats_accounts,
            security=self._bus_security(certificates) if certificates else None,
        )
        self.nats = self.nats_cluster.nodes[0]
        self.postgres = PostgresServer(
            instance.folder / "postgres",
            ports=ports,
            password=instance.secret("postgres"),
            log_path=instance.log_path("postgres"),
            order=order,
        )
        self.postgres_tls = (
            PostgresTls(
                self.postgres,
                certificates,
                mutual=mutual,
                ports=ports,
                log_path=instance.log_path("postgres-tls"),
                order=order,
            )
            if certificates
            else None
        )
        self.s3 = S3Server(
            instance.folder / "s3",
            ports=ports,
            secret_key=instance.secret("s3"),
            log_path=instance.log_path("s3"),
            order=order,
            certificates=certificates,
        )

    @property
    def all(self) -> tuple[Server, ...]:
        """Every server."""
        front = (self.postgres_tls,) if self.postgres_tls else ()
        return (*self.nats_cluster.nodes, self.postgres, *front, self.s3)

    @property
    def nats_url(self) -> str:
        """Where NATS is, with credentials unless it is secure; the nodes of a cluster are separated by commas."""
        return self.nats_cluster.url()

    @property
    def postgres_dsn(self) -> str:
        """Where the database is, with credentials."""
        return self.postgres_tls.dsn() if self.postgres_tls else self.postgres.dsn()

    @property
    def s3_endpoint(self) -> str:
        """Where the S3 API is."""
        return self.s3.endpoint

    @property
    def s3_public_endpoint(self) -> str:
        """Where clients find it: by another name where the servers are secure, as in a deployment."""
        return self.s3.endpoint.replace(LOOPBACK, "localhost") if self.certificates else self.s3.endpoint

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
            "CUTLINE_S3_PUBLIC_ENDPOINT": self.s3_public_endpoint,
            "CUTLINE_S3_ACCESS_KEY": self.s3_access_key,
            "CUTLINE_S3_SECRET_KEY": self.s3_secret_key,
            "CUTLINE_S3_BUCKET": self.s3_bucket,
            "CUTLINE_S3_REGION": self.s3_region,
            **(self._tls_environment(self.certificates) if self.certificates else {}),
        }

    def bus_environment(self, user: BusUser) -> dict[str, str]:
        """How one user of a secure broker logs in, its seed in a file as a Secret's is; nothing for an open one."""
        if self.certificates is None:
            return {}
        path = self.instance.folder / "nkeys" / f"{user.value}.nk"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_private(path, NKey.of(self.instance, user.value).seed.encode())
        return {"CUTLINE_NATS_NKEY_SEED_FILE": str(path)}

    def _bus_security(self, certificates: Certificates) -> NatsSecurity:
        return NatsSecurity(
            certificate=certificates.server.certificate,
            key=certificates.server.key,
            ca=certificates.authority,
            users={user: NKey.of(self.instance, user.value).public for user in BusUser},
        )

    def _tls_environment(self, certificates: Certificates) -> dict[str, str]:
        """Whom services trust, and what they show."""
        authority, client = str(certificates.authority), certificates.client
        shown = {
            f"CUTLINE_{server}_CLIENT_{what}_FILE": str(path)
            for server in ("NATS", *(("POSTGRES",) if self.mutual else ()))
            for what, path in (("CERT", client.certificate), ("KEY", client.key))
        }
        return shown | {f"CUTLINE_{server}_CA_FILE": authority for server in ("NATS", "POSTGRES", "S3")}

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
