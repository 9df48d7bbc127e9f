"""The TLS front of PostgreSQL, supervised like the server behind it."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Final

from cutline.embedded.certificates import Certificates
from cutline.embedded.ports import LOOPBACK, PortReservation
from cutline.embedded.postgres_server import DATABASE, PostgresServer
from cutline.embedded.postgres_tls_front import SSL_REQUEST, Front
from cutline.embedded.process import LeashedProcess, Order, bare_environment
from cutline.embedded.server import Server

_PROGRAM: Final = Path(__file__).with_name("postgres_tls_front.py")


class PostgresTls(Server):
    """`postgres_tls_front.py` before a PostgreSQL without OpenSSL; programs of the stack know this address alone.

    Attributes:
        mutual: Whether clients need a certificate of the same authority.
    """

    def __init__(
        self,
        postgres: PostgresServer,
        certificates: Certificates,
        *,
        mutual: bool,
        ports: PortReservation,
        log_path: Path,
        order: Order,
    ) -> None:
        """A front that is not started yet.

        Args:
            postgres: What stands behind it.
            certificates: What it shows.
            mutual: Whether clients need a certificate of the same authority.
            ports: Where its port comes from.
            log_path: Where its output goes.
            order: For its leash.
        """
        super().__init__("postgres-tls", log_path)
        self.mutual = mutual
        self._postgres = postgres
        self._front = Front(
            host=LOOPBACK,
            port=ports.take(),
            postgres_port=postgres.port,
            certificate=str(certificates.server.certificate),
            key=str(certificates.server.key),
            client_authority=str(certificates.authority) if mutual else "",
        )
        self._order = order

    def dsn(self, database: str = DATABASE) -> str:
        """The address of one database; how TLS is spoken is for the settings beside it to say."""
        return self._postgres.address(database, port=self._front.port)

    async def launch(self) -> LeashedProcess:
        """Start the program."""
        return await LeashedProcess.start(
            (sys.executable, "-I", "-S", _PROGRAM, json.dumps(asdict(self._front))),
            log_path=self.log_path,
            env=bare_environment(),
            cwd=self.log_path.parent,
            order=self._order,
        )

    async def ready(self) -> bool:
        """Whether it offers TLS."""
        reader, writer = await asyncio.open_connection(LOOPBACK, self._front.port)
        try:
            writer.write(SSL_REQUEST)
            return await reader.read(1) == b"S"
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
