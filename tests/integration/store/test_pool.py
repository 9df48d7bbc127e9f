"""What the pool promises of its transactions."""

from __future__ import annotations

import asyncio

import pytest

from cutline.domain.errors import UnavailableError
from cutline.store import pool
from cutline.store.pool import Connection, Database

_SILENCE_S = 0.3


async def _lock_scan(connection: Connection) -> None:
    await connection.execute("SELECT FROM object_scan FOR UPDATE")


async def test_a_transaction_whose_client_fell_silent_lets_go(postgres_dsn: str) -> None:
    """A client that says nothing in the middle of a transaction loses its locks, and hears that it did."""
    frozen = Database(postgres_dsn, application_name="frozen", idle_in_transaction_s=_SILENCE_S)
    other = Database(postgres_dsn, application_name="other")
    await asyncio.gather(frozen.start(), other.start())

    async def fall_silent() -> None:
        async with frozen.transaction() as held:
            await _lock_scan(held)
            async with asyncio.timeout(20), other.transaction() as connection:
                await _lock_scan(connection)  # returns once the silent one has lost the row
            await _lock_scan(held)

    with pytest.raises(UnavailableError):
        await fall_silent()

    assert await frozen.fetchval("SELECT 1") == 1
    await asyncio.gather(frozen.stop(), other.stop())


async def test_a_transaction_may_ask_for_patience(postgres_dsn: str) -> None:
    """One that said so keeps its locks longer, and the next on the same connection has the usual limit again."""
    database = Database(postgres_dsn, application_name="patient", pool_max=1, idle_in_transaction_s=_SILENCE_S)
    await database.start()

    async with database.transaction(idle_s=90) as connection:
        patient = await connection.fetchval("SHOW idle_in_transaction_session_timeout")
    usual = await database.fetchval("SHOW idle_in_transaction_session_timeout")

    assert (patient, usual) == ("90s", "300ms")
    await database.stop()


async def test_every_service_lets_go_in_seconds(postgres_dsn: str) -> None:
    """Unless told otherwise a silent client holds its rows no longer than the slack beyond a lease: five seconds."""
    database = Database(postgres_dsn, application_name="usual")
    await database.start()

    assert await database.fetchval("SHOW idle_in_transaction_session_timeout") == "5s"
    await database.stop()


async def test_load_is_no_outage(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that are all at work and get answers are no problem; without any answer the database is away."""
    database = Database(postgres_dsn, application_name="busy", pool_max=1)
    await database.start()
    held, release, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(until: asyncio.Event) -> None:
        async with database.transaction(idle_s=90):
            held.set()
            await until.wait()

    async with asyncio.TaskGroup() as group:  # each waits for the connection behind the one before
        group.create_task(work(release))
        group.create_task(work(done))
        asked = group.create_task(database.problem())
        await held.wait()
        release.set()

        assert await asked is None
        monkeypatch.setattr(pool, "PROBE_TIMEOUT_S", 0.2)
        assert await database.problem() == "Postgres does not answer (TimeoutError)"
        done.set()

    monkeypatch.undo()
    assert await database.problem() is None
    await database.stop()
