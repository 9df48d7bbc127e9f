"""Schema and topology are compared at start: each service refuses what makes it wrong, and works with the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

import asyncpg
import pytest
from structlog.testing import capture_logs

from cutline.messaging.connection import Broker
from cutline.messaging.topology import Topology
from cutline.runtime.lifecycle import Build, Lifecycle, ServiceRuntime
from cutline.runtime.readiness import Verdict
from cutline.store.migrations import MigrationError, shipped_migrations
from services.imaging.app import build as build_imaging
from services.ingest.app import build as build_ingest
from services.mockup.app import build as build_mockup
from services.status.app import build as build_status
from tests.integration.ingest.service import put_topology
from tests.support.polling import until

NEWEST = shipped_migrations()[-1].name
WORKERS: dict[str, Build] = {
    "imaging": partial(build_imaging, warm_up=""),  # no picture is made here
    "mockup": partial(build_mockup, warm_up=""),
}
SERVICES: dict[str, Build] = {"ingest": build_ingest, "status": build_status, **WORKERS}


@pytest.fixture
def environ(service_environment: Mapping[str, str]) -> dict[str, str]:
    """Settings of every service."""
    own = {"CUTLINE_GRPC_LISTEN": "127.0.0.1:0", "CUTLINE_HTTP_LISTEN": "127.0.0.1:0"}
    return {**service_environment, **own}


@asynccontextmanager
async def _running(build: Build, environ: Mapping[str, str]) -> AsyncIterator[ServiceRuntime]:
    runtime = ServiceRuntime()
    async with Lifecycle(build(environ, runtime)):
        runtime.readiness.begin()
        yield runtime


async def _settled(runtime: ServiceRuntime) -> Verdict:
    """What readiness says once the broker is reached."""

    async def reached() -> bool:
        verdict = await runtime.readiness.verdict()
        return "nats" not in {**verdict.missing, **verdict.degraded}

    await until(reached)
    return await runtime.readiness.verdict()


async def _execute(environ: Mapping[str, str], statement: str, *arguments: object) -> None:
    connection = await asyncpg.connect(environ["CUTLINE_POSTGRES_DSN"])
    await connection.execute(statement, *arguments)
    await connection.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_schema_that_lacks_a_migration_is_refused(service: str, environ: dict[str, str]) -> None:
    """The service does not start, and names what is to be applied and how."""
    await _execute(environ, "DELETE FROM schema_migrations WHERE name = $1", NEWEST)

    with pytest.raises(MigrationError, match=rf"lacks the migrations {NEWEST}: run python -m cutline.store.migrations"):
        await Lifecycle(SERVICES[service](environ, ServiceRuntime())).start()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_schema_that_is_ahead_is_accepted(service: str, environ: dict[str, str]) -> None:
    """The release before goes on, and starts anew, while the next one's migrations are applied."""
    await put_topology(environ["CUTLINE_NATS_URL"])
    await _execute(environ, "INSERT INTO schema_migrations (name, sha256) VALUES ('9999_of_a_later_release', 'x')")

    async with _running(SERVICES[service], environ) as runtime:
        assert await _settled(runtime) == Verdict(missing={}, degraded={})


@pytest.mark.parametrize("service", WORKERS)
async def test_a_worker_is_not_ready_on_a_topology_that_makes_it_wrong(service: str, environ: dict[str, str]) -> None:
    """Another duplicate window than it counts on, and streams that are missing, keep it from being ready."""
    await put_topology(environ["CUTLINE_NATS_URL"], Topology(duplicate_window_s=5.0))
    async with _running(WORKERS[service], environ) as runtime:
        assert "the stream JOBS has duplicate_window 5" in (await _settled(runtime)).missing["topology"]

    broker = Broker(environ["CUTLINE_NATS_URL"], name="test", on_fatal=lambda _: None)
    async with Lifecycle([broker]):
        assert await broker.wait_connected(10)
        await broker.jetstream.delete_stream("JOBS")
    async with _running(WORKERS[service], environ) as runtime:
        assert "the stream JOBS is missing" in (await _settled(runtime)).missing["topology"]


async def test_ingest_accepts_on_a_topology_that_is_wrong_and_says_so(environ: dict[str, str]) -> None:
    """What it accepts waits in the database: it is ready, and names what differs as degraded."""
    await put_topology(environ["CUTLINE_NATS_URL"], Topology(duplicate_window_s=5.0))
    async with _running(build_ingest, environ) as runtime:
        verdict = await _settled(runtime)

    assert verdict.missing == {}
    assert "the stream JOBS has duplicate_window 5" in verdict.degraded["topology"]


@pytest.mark.parametrize("service", ["ingest", *WORKERS])
async def test_a_tunable_that_differs_is_a_warning(service: str, environ: dict[str, str]) -> None:
    """The service is ready without any complaint but a line in its log."""
    await put_topology(environ["CUTLINE_NATS_URL"], Topology(ack_wait_s=7.0))
    with capture_logs() as lines:
        async with _running(SERVICES[service], environ) as runtime:
            assert await _settled(runtime) == Verdict(missing={}, degraded={})

    told = [line for line in lines if line["event"] == "topology.differs"]
    assert {line["log_level"] for line in told} == {"warning"}
    assert any("has ack_wait 7" in line["difference"] for line in told)
    assert not any(line["event"] == "topology.wrong" for line in lines)
