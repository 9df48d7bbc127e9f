"""PostgreSQL, on the loopback address, durable as in production."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import asyncpg

from cutline.embedded import wheels
from cutline.embedded.ports import LOOPBACK, PortReservation
from cutline.embedded.process import LeashedProcess, Order, StartError, bare_environment, run_to_end
from cutline.embedded.server import Server

SUPERUSER = "cutline"
DATABASE = "cutline"
_HBA = f"host all all {LOOPBACK}/32 scram-sha-256\n"
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "fsync": "on",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "timezone": "UTC",
}


class PostgresServer(Server):
    """The wheel's own `initdb` and `postgres`, with a password and without Unix sockets.

    PostgreSQL refuses to run as root, so root runs it as the owner of the data: `nobody`, where root made the data.

    Attributes:
        port: Where it listens.
    """

    def __init__(self, folder: Path, *, ports: PortReservation, password: str, log_path: Path, order: Order) -> None:
        super().__init__("postgres", log_path)
        self._data = folder / "data"
        self._folder = folder
        self.port = ports.take()
        self._password = password
        self._order = replace(order, stop_signal=signal.SIGINT)  # a fast shutdown: it does not wait for clients

    def dsn(self, database: str = DATABASE) -> str:
        """The address of one database, for asyncpg and libpq; says what the shell's PGSSLMODE would else decide."""
        return f"{self.address(database, port=self.port)}?sslmode=disable"

    def address(self, database: str, *, port: int) -> str:
        """The same without a word about TLS, by a port of this server or of what stands before it."""
        return f"postgresql://{SUPERUSER}:{self._password}@{LOOPBACK}:{port}/{database}"

    async def launch(self) -> LeashedProcess:
        """Create the cluster on the first start, then start the server."""
        order = self._as_ordinary_user()
        if not self._data.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            await self._initialise(order)
        settings = (f"--{name}={value}" for name, value in (_SETTINGS | {"port": str(self.port)}).items())
        return await LeashedProcess.start(
            (wheels.postgres_bin() / "postgres", "-D", self._data, *settings),
            log_path=self.log_path,
            env=bare_environment(),
            cwd=self._folder,
            order=order,
        )

    async def ready(self) -> bool:
        """Whether it takes connections; makes the database on the first start."""
        try:
            connection = await asyncpg.connect(self.dsn("postgres"), timeout=5)
        except asyncpg.InvalidPasswordError:
            message = (
                f"the database in {self._data} has another password than the one in secrets.json;"
                f" remove {self._folder.parent} to begin anew, without the designs in it"
            )
            raise StartError(message) from None
        except (asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError, TimeoutError):
            return False
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f'CREATE DATABASE "{DATABASE}"')
        finally:
            await connection.close()
        return True

    async def _initialise(self, order: Order) -> None:
        """Make the cluster beside its place, then move it there: an interrupted start leaves no half one."""
        fresh = self._folder / "initdb"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password_file = self._folder / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self._password, encoding="utf-8")
        if order.user_id is not None and order.group_id is not None:
            os.chown(fresh, order.user_id, order.group_id)
            os.chown(password_file, order.user_id, order.group_id)
        try:
            await run_to_end(
                (
                    *(wheels.postgres_bin() / "initdb", "-D", fresh, "--username", SUPERUSER),
                    *("--auth=scram-sha-256", f"--pwfile={password_file}"),
                    *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                ),
                log_path=self.log_path,
                env=bare_environment(),
                cwd=self._folder,
                order=order,
            )
        finally:
            password_file.unlink()
        (fresh / "pg_hba.conf").write_text(_HBA, encoding="utf-8")
        fresh.rename(self._data)

    def _as_ordinary_user(self) -> Order:
        """For root, another user to run the server: the owner of the data, or `nobody` for new data."""
        if os.geteuid() != 0:
            return self._order
        if self._data.exists():
            owner = self._data.stat()
            return replace(self._order, user_id=owner.st_uid, group_id=owner.st_gid)
        nobody = pwd.getpwnam("nobody")
        return replace(self._order, user_id=nobody.pw_uid, group_id=nobody.pw_gid)
