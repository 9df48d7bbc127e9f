"""A dead mockup job run again, with every service and server real."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import cv2
import grpc
import httpx
import numpy as np
import pytest
from PIL import Image

from cutline.jobs.v1 import ticket_pb2
from cutline.messaging.connection import Broker
from cutline.messaging.topology import Topology
from cutline.runtime.lifecycle import Build, Lifecycle, ServiceRuntime
from cutline.store.dead_letters import bury
from cutline.store.pool import Database
from cutline.v1 import sticker_spec_pb2
from cutline.v1.queue_service_pb2_grpc import QueueServiceStub
from services.imaging.app import build as build_imaging
from services.mockup.app import build as build_mockup
from tests.integration.ingest.queue_site import Site
from tests.integration.ingest.service import OPERATOR, Client, running_ingest, store_key, stub_of
from tests.support.polling import until


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """What a test starts; it stops with the test."""
    async with AsyncExitStack() as running:
        yield running


async def _run(build: Build, environ: Mapping[str, str], stack: AsyncExitStack) -> None:
    runtime = ServiceRuntime()
    await stack.enter_async_context(Lifecycle(build({**environ, "CUTLINE_HTTP_LISTEN": "127.0.0.1:0"}, runtime)))
    runtime.readiness.begin()


def _disc() -> bytes:
    pixels = np.full((300, 300, 3), 255, np.uint8)
    cv2.circle(pixels, (150, 150), 110, (40, 90, 200), -1)
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    return png.getvalue()


async def test_a_redriven_mockup_job_adds_its_pictures_and_a_revision(
    service_environment: dict[str, str], postgres_dsn: str, tenant: str, stack: AsyncExitStack
) -> None:
    """READY without mockups becomes READY with them: the finding goes, and the last ring tells the new revision."""
    target = await stack.enter_async_context(running_ingest(service_environment))
    database = Database(postgres_dsn, application_name="test")
    broker = Broker(service_environment["CUTLINE_NATS_URL"], name="test", on_fatal=lambda _: None)
    await stack.enter_async_context(Lifecycle([database, broker]))
    assert await broker.wait_connected(10)
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(target))
    http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
    key, topology = await store_key(postgres_dsn, tenant, scopes=OPERATOR), Topology()
    site = Site(database, broker, topology, tenant, QueueServiceStub(channel), target, key)
    client = Client(tenant, stub_of(channel), key, http)
    await _run(build_imaging, service_environment, stack)
    spec = sticker_spec_pb2.StickerSpec(width_mm=50, mockups=sticker_spec_pb2.MockupSelection(scenes=["peel"]))
    design_id = UUID((await client.submit(await client.upload(_disc()), spec=spec)).design.id)

    async def mockup_job() -> UUID | None:
        query = "SELECT job_id FROM jobs WHERE design_id = $1 AND stage = 'mockup'"
        found: UUID | None = await database.fetchval(query, design_id)
        return found

    await until(mockup_job)
    job_id = await mockup_job()
    assert job_id is not None
    async with database.transaction() as connection:
        await connection.execute("SELECT 1 FROM designs WHERE design_id = $1 FOR UPDATE", design_id)
        await bury(connection, topology, job_id=job_id, reason="WORKER_CRASHED", message="The worker died.")
    buried = await site.row("SELECT state, revision FROM designs WHERE design_id = $1", design_id)
    assert (buried["state"], await _findings(site, design_id)) == ("READY", 1)

    answer = await site.redrive(reason="WORKER_CRASHED", stage=2)
    await _run(build_mockup, service_environment, stack)

    async def done() -> Any:
        return await database.fetchval("SELECT state = 'SUCCEEDED' FROM jobs WHERE job_id = $1", job_id)

    assert (answer.redriven_count, answer.skipped_count) == (1, 0)
    await until(done)
    design = await site.row("SELECT state, revision FROM designs WHERE design_id = $1", design_id)
    assert (design["state"], await _findings(site, design_id)) == ("READY", 0)
    assert design["revision"] > buried["revision"]
    mockups = await database.fetch("SELECT scene FROM mockups WHERE design_id = $1", design_id)
    assert [row["scene"] for row in mockups] == ["peel"]

    async def told() -> bool:
        subject = topology.design_subject(tenant, design_id)
        last = await broker.jetstream.get_last_msg(topology.events_stream, subject)
        ring = ticket_pb2.DesignRing.FromString(last.data or b"")
        return (ring.state, ring.revision) == ("READY", design["revision"])

    await until(told)


async def _findings(site: Site, design_id: UUID) -> int:
    query = "SELECT count(*) AS number FROM findings WHERE design_id = $1 AND code = 'MOCKUPS_UNAVAILABLE'"
    return int((await site.row(query, design_id))["number"])
