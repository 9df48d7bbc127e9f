"""The three servers start, serve, and leave nothing behind."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import asyncpg
import httpx
import nats
import psutil
import pytest

from cutline.embedded.instance import InstanceBusyError
from cutline.embedded.process import StartError
from cutline.embedded.servers import EmbeddedServers


async def test_each_test_has_its_own_nats(servers: EmbeddedServers, nats_url: str) -> None:
    """A stream of one account is not seen from another."""
    mine, other = await nats.connect(nats_url), await nats.connect(servers.nats_url)
    try:
        await mine.jetstream().add_stream(name="MINE", subjects=["mine.>"])
        ack = await mine.jetstream().publish("mine.a", b"x")
        assert ack.seq == 1
        assert await other.jetstream().streams_info() == []
    finally:
        await mine.close()
        await other.close()


async def test_postgres_is_durable(empty_postgres_dsn: str) -> None:
    """PostgreSQL runs with fsync and synchronous commit on."""
    connection = await asyncpg.connect(empty_postgres_dsn)
    try:
        assert await connection.fetchval("SHOW fsync") == "on"
        assert await connection.fetchval("SHOW synchronous_commit") == "on"
    finally:
        await connection.close()


async def test_each_test_has_its_own_migrated_database(postgres_dsn: str, empty_postgres_dsn: str) -> None:
    """One database holds the whole schema without rows, the other nothing at all."""
    for dsn, expected in ((postgres_dsn, 0), (empty_postgres_dsn, None)):
        connection = await asyncpg.connect(dsn)
        try:
            found = await connection.fetchval("SELECT to_regclass('designs')")
            rows = await connection.fetchval("SELECT count(*) FROM designs") if found else None
            assert rows == expected
        finally:
            await connection.close()


async def test_postgres_wants_the_password(servers: EmbeddedServers) -> None:
    """A local user without the password is refused."""
    wrong = servers.postgres_dsn.replace(servers.instance.secret("postgres"), "guess")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(wrong)


async def test_the_shell_does_not_say_how_to_reach_postgres(
    servers: EmbeddedServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address holds on its own, where the shell asks for TLS as well."""
    monkeypatch.setenv("PGSSLMODE", "require")
    connection = await asyncpg.connect(servers.postgres_dsn)
    await connection.close()


async def test_data_of_another_password_is_explained(tmp_path: Path) -> None:
    """Where the secrets were lost the start names the data and the way to begin anew."""
    async with EmbeddedServers(tmp_path / "data"):
        pass
    (tmp_path / "data" / "secrets.json").unlink()

    with pytest.raises(StartError, match=re.escape(f"remove {tmp_path / 'data'} to begin anew")):
        await EmbeddedServers(tmp_path / "data").start()


async def test_s3_wants_credentials(servers: EmbeddedServers) -> None:
    """A request without a signature is refused, and other origins get no answer to a preflight."""
    async with httpx.AsyncClient(base_url=servers.s3_endpoint) as client:
        assert (await client.get(f"/{servers.s3_bucket}")).status_code == httpx.codes.FORBIDDEN
        preflight = {"Origin": "http://evil.example", "Access-Control-Request-Method": "GET"}
        answer = await client.options(f"/{servers.s3_bucket}/x", headers=preflight)
        assert answer.status_code == httpx.codes.FORBIDDEN


async def test_data_stays_and_nothing_runs_on(tmp_path: Path) -> None:
    """What was stored is there after a restart, and after the end no process is left."""
    folder = tmp_path / ("long-name-" * 12)  # longer than a Unix socket's path may be
    for expected in (None, "kept"):
        async with EmbeddedServers(folder) as servers:
            programs = [psutil.Process(server.program_id) for server in servers.all]
            connection = await asyncpg.connect(servers.postgres_dsn)
            found = await connection.fetchval("SELECT to_regclass('kept')::text")
            assert found == expected
            await connection.execute("CREATE TABLE IF NOT EXISTS kept ()")
            await connection.close()
        assert not any(program.is_running() for program in programs)


async def test_two_sets_side_by_side(servers: EmbeddedServers, tmp_path: Path) -> None:
    """A second set of servers runs beside the first on ports of its own, but never on the same data."""
    async with EmbeddedServers(tmp_path / "second") as second:
        assert second.nats_url != servers.nats_url
        with pytest.raises(InstanceBusyError):
            EmbeddedServers(tmp_path / "second")


async def test_a_killed_server_starts_again_on_its_port(tmp_path: Path) -> None:
    """After SIGKILL the same server object starts again with the same address and data."""
    async with EmbeddedServers(tmp_path) as servers:
        for server in servers.all:
            os.kill(server.program_id, signal.SIGKILL)
            assert await server.wait() == 128 + signal.SIGKILL
            await server.start()
        connection = await asyncpg.connect(servers.postgres_dsn)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
