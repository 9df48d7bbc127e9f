"""Brings the schema up to date: plain SQL files beside this module, applied in the order of their names.

A file is applied once, in one transaction with the row that records it. Its SHA-256 is kept, so that a file edited
after it was applied is refused by name: databases that ran the old text would silently differ. Runners that start
together wait for each other on an advisory lock.

The release before may go on serving meanwhile. A table that it uses is waited for briefly, then left and tried again:
a change of a table in the queue for its lock keeps everybody behind it waiting too.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Final, Protocol

import asyncpg

from cutline.runtime.logging import get_logger
from cutline.runtime.tls import ClientTls
from cutline.store.connection import Connector

log = get_logger(__name__)

LOCK_KEY: Final = 0x6375_746C_696E_65
"""Advisory lock that runners hold; the letters of the project in hexadecimal."""

LOCK_WAIT_S: Final = 2.0
PAUSE_S: Final = 1.0
MAX_TRIES: Final = 60

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       text PRIMARY KEY,
    sha256     text NOT NULL,
    apply_time timestamptz NOT NULL DEFAULT now()
)
"""
_APPLIED: Final = "SELECT name, sha256 FROM schema_migrations ORDER BY name"


class MigrationError(Exception):
    """The schema and the migrations of this release do not fit together; the message says how."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its name without `.sql`, and its text."""

    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


class _Queryable(Protocol):
    """What both a connection and a pool can do."""

    async def fetch(self, query: str, /, *args: object) -> Sequence[asyncpg.Record]: ...

    async def fetchval(self, query: str, /, *args: object) -> object: ...


def shipped_migrations() -> tuple[Migration, ...]:
    """Every migration of this release, oldest first."""
    files = sorted(
        (file for file in resources.files(__package__ or __name__).iterdir() if file.name.endswith(".sql")),
        key=lambda file: file.name,
    )
    return tuple(Migration(file.name.removesuffix(".sql"), file.read_text("utf-8")) for file in files)


async def migrate(
    dsn: str, migrations: Sequence[Migration] | None = None, *, tls: ClientTls | None = None
) -> list[str]:
    """Applies what is missing and returns the names applied.

    Args:
        dsn: `postgresql://...` of a role that may create tables.
        migrations: What to apply, oldest first; the shipped ones by default.
        tls: Roots, and the certificate to show; None leaves it to the address.

    Raises:
        MigrationError: An applied file was edited or is unknown here, or a missing one is older than an applied one.
        asyncpg.PostgresError: A migration failed, or its tables were in use for minutes; it and everything after it is
            not applied.
    """
    migrations = shipped_migrations() if migrations is None else migrations
    connection = await Connector(tls).connect(dsn, server_settings={"application_name": "cutline-migrations"})
    try:
        # Session lock: one file is one transaction, but the whole run belongs to one runner.
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK_KEY)
        await connection.execute(_TABLE)
        missing = _missing(migrations, await _applied(connection))
        for migration in missing:
            await _apply(connection, migration)
        return [migration.name for migration in missing]
    finally:
        await connection.close()


async def _apply(connection: asyncpg.Connection[asyncpg.Record], migration: Migration) -> None:
    for tries_left in reversed(range(MAX_TRIES)):
        try:
            async with connection.transaction():
                await connection.execute("SELECT set_config('lock_timeout', $1, true)", f"{LOCK_WAIT_S * 1000:.0f}ms")
                await connection.execute(migration.sql)
                await connection.execute(
                    "INSERT INTO schema_migrations (name, sha256) VALUES ($1, $2)", migration.name, migration.sha256
                )
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
            if not tries_left:
                raise
            log.warning("migrations.waits", name=migration.name, error=type(error).__name__)
            await asyncio.sleep(random.uniform(PAUSE_S / 2, PAUSE_S))  # noqa: S311  (jitter, not a secret)
        else:
            return


async def require_current(database: _Queryable, migrations: Sequence[Migration] | None = None) -> None:
    """Checks that everything this release ships has been applied, unedited.

    A schema that is ahead is accepted: migrations run before the new release starts, while this one still serves.

    Raises:
        MigrationError: Something is missing or was edited.
    """
    migrations = shipped_migrations() if migrations is None else migrations
    known = {migration.name for migration in migrations}
    applied = {name: digest for name, digest in (await _applied(database)).items() if name in known}
    if missing := _missing(migrations, applied):
        names = ", ".join(migration.name for migration in missing)
        msg = f"the database lacks the migrations {names}: run python -m cutline.store.migrations"
        raise MigrationError(msg)


async def _applied(database: _Queryable) -> dict[str, str]:
    if await database.fetchval("SELECT to_regclass('schema_migrations')") is None:
        return {}
    return {row["name"]: row["sha256"] for row in await database.fetch(_APPLIED)}


def _missing(migrations: Sequence[Migration], applied: dict[str, str]) -> list[Migration]:
    for migration in migrations:
        if applied.get(migration.name, migration.sha256) != migration.sha256:
            msg = f"the migration {migration.name} was edited after it was applied; add a new file instead"
            raise MigrationError(msg)
    if unknown := sorted(applied.keys() - {migration.name for migration in migrations}):
        msg = f"the database is ahead of this release: it has {', '.join(unknown)}"
        raise MigrationError(msg)
    newest = max(applied, default="")
    missing = [migration for migration in migrations if migration.name not in applied]
    if missing and missing[0].name < newest:
        msg = f"the migration {missing[0].name} is older than {newest}, which is already applied"
        raise MigrationError(msg)
    return missing
