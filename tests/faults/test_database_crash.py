"""What a crash of PostgreSQL takes back, and what it must not."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from bench.faults.polling import until
from cutline.embedded.postgres_server import PostgresServer
from cutline.embedded.servers import EmbeddedServers
from cutline.embedded.supervisor import Supervisor
from cutline.store.design_reads import read_bounds
from cutline.store.migrations import migrate
from cutline.store.pool import LOST_CONNECTION, Database

CRASHES = 3
LOST = 20


@pytest.fixture
async def postgres(tmp_path: Path) -> AsyncIterator[PostgresServer]:
    """A database server of the test's own, which comes back when it ends."""
    servers = EmbeddedServers(tmp_path)
    supervisor = Supervisor(lambda _: None)
    await supervisor.start(servers.postgres)
    try:
        yield servers.postgres
    finally:
        await supervisor.stop(servers.postgres)
        await servers.stop()


async def test_no_bounds_are_taken_back(postgres: PostgresServer) -> None:
    """A watch's place in the history is not given out again when the database crashes behind work that was undone.

    Else changes made after the crash would count as told before it.
    """
    await migrate(postgres.dsn())
    database = Database(postgres.dsn(), application_name="test", wait_s=60)
    await database.start()
    try:
        for _ in range(CRASHES):
            for _ in range(LOST):
                await _undone(database)
            told = await read_bounds(database)
            before = postgres.program_id
            os.kill(before, signal.SIGQUIT)
            await until(partial(_replaced, postgres, before), despite=[OSError])
            await until(partial(_undone, database), despite=(*LOST_CONNECTION, asyncpg.InternalClientError))

            assert (await read_bounds(database)).xmin > told.xmin
    finally:
        await database.stop()


async def _replaced(server: PostgresServer, before: int) -> bool:
    return server.program_id != before and await server.ready()


async def _undone(database: Database) -> bool:
    """Changes something and takes it back."""
    async with database.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("INSERT INTO object_removals (prefix, due_time) VALUES ('none', now())")
        await transaction.rollback()
    return True
