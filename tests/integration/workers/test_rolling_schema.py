"""A later release's migration is applied while this release serves, as every rollout does it."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

import asyncpg
import pytest
from PIL import Image, ImageDraw

from cutline.client import AsyncClient, ClientSettings
from cutline.runtime.lifecycle import Build, Lifecycle, ServiceRuntime
from cutline.store.migrations import Migration, MigrationError, migrate, shipped_migrations
from cutline.v1 import design_pb2
from services.imaging.app import build as build_imaging
from services.ingest.app import build as build_ingest
from services.mockup.app import build as build_mockup
from services.status.app import build as build_status
from tests.integration.ingest.service import put_topology, rpc_port, store_key

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations' ORDER BY 1"


pytestmark = pytest.mark.timeout(300)  # four services, two of them with their engines in processes of their own


@dataclass(frozen=True, slots=True)
class Release:
    """Every service of this release, running on one database."""

    client: AsyncClient
    runtimes: list[ServiceRuntime]

    async def sticker(self, shade: int) -> design_pb2.Design:
        """A design of its own artwork, from submit to its end."""
        submitted = await self.client.designs.submit(
            _disc(shade), filename="a.png", width_mm=40, mockup_scenes=("peel",)
        )
        return await submitted.wait(timeout_s=90)


@pytest.fixture
async def release(service_environment: Mapping[str, str], tenant: str) -> AsyncIterator[Release]:
    """The services, started on the schema of this release."""
    await put_topology(service_environment["CUTLINE_NATS_URL"])
    async with AsyncExitStack() as stack:
        runtimes: list[ServiceRuntime] = []
        for build in (build_imaging, build_mockup):
            await _run(build, service_environment, stack, runtimes)
        ingest, status = [
            await _run(build, service_environment, stack, runtimes) for build in (build_ingest, build_status)
        ]
        key = await store_key(service_environment["CUTLINE_POSTGRES_DSN"], tenant)
        yield Release(await stack.enter_async_context(AsyncClient(ClientSettings(ingest, status, key))), runtimes)


async def _run(build: Build, environ: Mapping[str, str], stack: AsyncExitStack, runtimes: list[ServiceRuntime]) -> str:
    """Starts a service; its gRPC target, if it has one."""
    own = {"CUTLINE_GRPC_LISTEN": "127.0.0.1:0", "CUTLINE_HTTP_LISTEN": "127.0.0.1:0"}
    runtimes.append(ServiceRuntime())
    parts = build({**environ, **own}, runtimes[-1])
    await stack.enter_async_context(Lifecycle(parts))
    runtimes[-1].readiness.begin()
    return f"127.0.0.1:{rpc_port(parts)}" if build in {build_ingest, build_status} else ""


async def _later(dsn: str) -> Migration:
    """What a later release may bring: a table, and in each table of this one a column that may be empty."""
    connection = await asyncpg.connect(dsn)
    tables = [row["tablename"] for row in await connection.fetch(TABLES)]
    await connection.close()
    assert {"designs", "generations", "jobs", "attempts", "outbox", "uploads"} <= set(tables)
    added = [f"ALTER TABLE {table} ADD COLUMN of_later text;" for table in tables]
    return Migration("9999_of_a_later_release", "\n".join(["CREATE TABLE later (later_id uuid PRIMARY KEY);", *added]))


def _disc(shade: int) -> bytes:
    picture = Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(picture).ellipse((30, 30, 170, 170), fill=(42, shade, 143))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


async def test_this_release_goes_on_while_the_next_ones_migration_is_applied(
    release: Release, postgres_dsn: str
) -> None:
    """Services with statements prepared before it serve after it as before, without a restart, and so do new ones."""
    before = await release.sticker(60)
    later = await _later(postgres_dsn)

    assert await migrate(postgres_dsn, [*shipped_migrations(), later]) == [later.name]
    after = await release.sticker(160)

    assert before.state == after.state == design_pb2.Design.STATE_READY
    assert {file.kind for file in after.artifacts} == {file.kind for file in before.artifacts}
    assert [mockup.scene for mockup in after.mockups] == ["peel"]
    assert (await release.client.designs.get(before.id)).state == "READY"
    for runtime in release.runtimes:
        assert runtime.failure is None
        assert (await runtime.readiness.verdict()).missing == {}


async def test_the_migrations_of_this_release_are_refused_where_a_later_one_ran(empty_postgres_dsn: str) -> None:
    """A rollback rolls back services, never the schema: the older release's job says so and changes nothing."""
    later = Migration("9999_of_a_later_release", "CREATE TABLE later (later_id uuid PRIMARY KEY)")
    await migrate(empty_postgres_dsn, [*shipped_migrations(), later])

    with pytest.raises(MigrationError, match="ahead of this release: it has 9999_of_a_later_release"):
        await migrate(empty_postgres_dsn)
