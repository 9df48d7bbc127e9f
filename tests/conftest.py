"""Fixtures that many tests share: the real servers, and a place of its own in each for every test.

The servers start once per test process. Isolation costs little: a NATS account, a database copied from a migrated
template, and a tenant, which stands in front of every blob key.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from cutline.embedded.servers import EmbeddedServers
from tests.support.scheduling import OneStackAtATime

_ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
# The same examples in every run: `make test` tells what a change did; the long profile goes and looks for more.
settings.register_profile("dev", _ANY_SPEED, max_examples=25, derandomize=True)
settings.register_profile("long", _ANY_SPEED, max_examples=2000)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "dev")
settings.load_profile(PROFILE)

# A shell ignores SIGINT on behalf of what it starts in the background, and programs inherit that: the commands whose
# end by Ctrl-C is tested would not hear it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_NATS_ACCOUNTS = tuple(f"test-{number}" for number in range(1000))
_EMPTY = "template0"
_MIGRATED = "migrated"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneStackAtATime | None:
    """Deals tests out by files to the processes of a parallel run; other ways (`--dist`) stay as they are."""
    return OneStackAtATime(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
async def servers() -> AsyncIterator[EmbeddedServers]:
    """A running nats-server, PostgreSQL and S3 server, shared: use the fixtures below to have a place of your own."""
    with tempfile.TemporaryDirectory(prefix="cutline-tests-") as folder:
        async with EmbeddedServers(Path(folder), nats_accounts=_NATS_ACCOUNTS) as running:
            yield running


@pytest.fixture(scope="session")
def unused_nats_accounts() -> Iterator[str]:
    """The accounts no test had yet."""
    return iter(_NATS_ACCOUNTS)


@pytest.fixture
def nats_url(servers: EmbeddedServers, unused_nats_accounts: Iterator[str]) -> str:
    """NATS with subjects and a JetStream of this test's own, in an account nobody used before."""
    return servers.nats.url(next(unused_nats_accounts))


@pytest.fixture
async def empty_postgres_dsn(servers: EmbeddedServers) -> AsyncIterator[str]:
    """A database of this test's own without any table."""
    async with _new_database(servers, template=_EMPTY) as dsn:
        yield dsn


@pytest.fixture(scope="session")
async def migrated_template(servers: EmbeddedServers) -> str:
    """The name of a database with the whole schema and no rows, to copy."""
    from cutline.store.migrations import migrate  # noqa: PLC0415  (only tests that need the schema need the module)

    await _execute(servers, f'CREATE DATABASE "{_MIGRATED}" TEMPLATE {_EMPTY}')
    await migrate(servers.postgres.dsn(_MIGRATED))
    return _MIGRATED


@pytest.fixture
async def postgres_dsn(servers: EmbeddedServers, migrated_template: str) -> AsyncIterator[str]:
    """A database of this test's own with the whole schema and no rows."""
    async with _new_database(servers, template=migrated_template) as dsn:
        yield dsn


@pytest.fixture
def tenant() -> str:
    """A tenant nobody used before: the blobs below it are this test's own."""
    return f"t-{uuid4().hex[:12]}"


@pytest.fixture
def service_environment(servers: EmbeddedServers, nats_url: str, postgres_dsn: str) -> dict[str, str]:
    """The settings every service reads, pointing at this test's own account and database."""
    return servers.environment() | {"CUTLINE_NATS_URL": nats_url, "CUTLINE_POSTGRES_DSN": postgres_dsn}


@asynccontextmanager
async def _new_database(servers: EmbeddedServers, *, template: str) -> AsyncIterator[str]:
    name = f"test-{uuid4().hex}"
    await _execute(servers, f'CREATE DATABASE "{name}" TEMPLATE {template}')
    try:
        yield servers.postgres.dsn(name)
    finally:
        await _execute(servers, f'DROP DATABASE "{name}" WITH (FORCE)')


async def _execute(servers: EmbeddedServers, statement: str) -> None:
    connection = await asyncpg.connect(servers.postgres.dsn("postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
