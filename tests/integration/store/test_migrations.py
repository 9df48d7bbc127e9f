"""The migration runner: applies once, in order, and refuses what was edited."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import asyncpg
import pytest
from structlog.testing import capture_logs

from cutline.store import migrations
from cutline.store.migrations import Migration, MigrationError, migrate, require_current, shipped_migrations
from tests.support.polling import eventually

FIRST = Migration("0001_first", "CREATE TABLE first (id int)")
SECOND = Migration("0002_second", "CREATE TABLE second (id int)")


async def test_missing_migrations_are_applied_once(empty_postgres_dsn: str) -> None:
    """A second run finds nothing to do, a new file is applied alone."""
    assert await migrate(empty_postgres_dsn, [FIRST]) == ["0001_first"]
    assert await migrate(empty_postgres_dsn, [FIRST]) == []
    assert await migrate(empty_postgres_dsn, [FIRST, SECOND]) == ["0002_second"]


async def test_runners_that_start_together_apply_each_file_once(empty_postgres_dsn: str) -> None:
    """Of five runners one applies the schema, the others wait and find it done."""
    applied = await asyncio.gather(*(migrate(empty_postgres_dsn) for _ in range(5)))

    assert sorted(applied) == [[], [], [], [], [migration.name for migration in shipped_migrations()]]


async def test_an_edited_file_is_refused_by_name(empty_postgres_dsn: str) -> None:
    """Neither the runner nor a service accepts a file whose text changed after it was applied."""
    await migrate(empty_postgres_dsn, [FIRST, SECOND])
    edited = [Migration("0001_first", "CREATE TABLE first (id bigint)"), SECOND]

    with pytest.raises(MigrationError, match="0001_first was edited"):
        await migrate(empty_postgres_dsn, edited)
    connection = await asyncpg.connect(empty_postgres_dsn)
    with pytest.raises(MigrationError, match="0001_first was edited"):
        await require_current(connection, edited)
    await connection.close()


async def test_a_failed_file_leaves_no_trace(empty_postgres_dsn: str) -> None:
    """A file that fails half way is rolled back whole, and what came before it stays."""
    broken = Migration("0002_broken", "CREATE TABLE half (id int); SELECT 1 / 0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty_postgres_dsn, [FIRST, broken])

    connection = await asyncpg.connect(empty_postgres_dsn)
    assert await connection.fetchval("SELECT to_regclass('half')") is None
    assert await connection.fetchval("SELECT array_agg(name) FROM schema_migrations") == ["0001_first"]
    await connection.close()


async def test_a_table_in_use_is_not_kept_from_its_users(
    empty_postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a long transaction holds a table the runner tries, steps aside and tries again; others read on."""
    monkeypatch.setattr(migrations, "LOCK_WAIT_S", 0.05)
    monkeypatch.setattr(migrations, "PAUSE_S", 0.05)
    change = Migration("0002_change", "ALTER TABLE first ADD COLUMN more int")
    await migrate(empty_postgres_dsn, [FIRST])
    long, other = await asyncpg.connect(empty_postgres_dsn), await asyncpg.connect(empty_postgres_dsn)

    with capture_logs() as lines:
        async with long.transaction():
            await long.execute("SELECT FROM first")
            runner = asyncio.create_task(migrate(empty_postgres_dsn, [FIRST, change]))
            assert await eventually(lambda: len(lines) > 1)
            assert await other.fetch("SELECT FROM first", timeout=30) == []
            assert not runner.done()

    assert await runner == ["0002_change"]
    assert {line["event"] for line in lines} == {"migrations.waits"}
    await long.close()
    await other.close()


async def test_a_file_older_than_an_applied_one_is_refused(empty_postgres_dsn: str) -> None:
    """Files are only ever added at the end."""
    await migrate(empty_postgres_dsn, [SECOND])

    with pytest.raises(MigrationError, match="0001_first is older than 0002_second"):
        await migrate(empty_postgres_dsn, [FIRST, SECOND])


async def test_a_service_refuses_an_old_schema_and_takes_a_newer_one(empty_postgres_dsn: str) -> None:
    """What is missing is named; what a later release added does not matter."""
    await migrate(empty_postgres_dsn, [FIRST])
    connection = await asyncpg.connect(empty_postgres_dsn)

    with pytest.raises(MigrationError, match="lacks the migrations 0002_second"):
        await require_current(connection, [FIRST, SECOND])
    await migrate(empty_postgres_dsn, [FIRST, SECOND])
    await require_current(connection, [FIRST])
    await connection.close()


def test_the_command_migrates_the_database_of_the_environment(empty_postgres_dsn: str) -> None:
    """`python -m cutline.store.migrations` exits 0, and 2 without CUTLINE_POSTGRES_DSN."""
    command = [sys.executable, "-m", "cutline.store.migrations"]
    environ = {**os.environ, "CUTLINE_POSTGRES_DSN": empty_postgres_dsn}

    assert subprocess.run(command, env=environ, check=False).returncode == 0
    del environ["CUTLINE_POSTGRES_DSN"]
    assert subprocess.run(command, env=environ, check=False).returncode == 2
