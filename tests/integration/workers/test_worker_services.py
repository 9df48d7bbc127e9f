"""The imaging and mockup workers as they are deployed, on the real servers, with the real engines."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import cv2
import numpy as np
import pytest
from PIL import Image

from cutline.blobs.keys import upload_key
from cutline.blobs.store import S3BlobStore
from cutline.contract.specs import spec_to_json
from cutline.domain.states import Lane, Stage
from cutline.domain.sticker_spec import StickerSpec, resolve
from cutline.jobs.v1 import ticket_pb2
from cutline.messaging.apply import apply_topology
from cutline.messaging.connection import Broker
from cutline.messaging.publisher import OutgoingMessage, Publisher
from cutline.messaging.tickets import job_ticket
from cutline.messaging.topology import Topology, job_msg_id
from cutline.runtime.environment import EnvReader
from cutline.runtime.lifecycle import Build, Lifecycle, Part, ServiceRuntime
from cutline.runtime.readiness import Verdict
from cutline.runtime.settings import S3Settings
from cutline.store.ids import new_id
from cutline.store.pool import Database
from services.imaging.app import build as build_imaging
from services.mockup.app import build as build_mockup
from tests.support.polling import until

_INSERT = """
    WITH design AS (
        INSERT INTO designs (design_id, tenant, title, labels, reference, upload_id, artwork_key, filename, media_type,
                             size_bytes, sha256)
        VALUES ($1, $3, '', '{}', '', $1, $4, 'a.png', 'image/png', $5, $6)
        RETURNING design_id
    ), run AS (
        INSERT INTO generations (design_id, generation, dedup_key, spec, resolved_spec)
        SELECT design_id, 1, sha256(design_id::text::bytea), '{}', $7 FROM design
    )
    INSERT INTO jobs (job_id, tenant, design_id, generation, stage, lane, state, max_attempts)
    SELECT $2, $3, design_id, 1, 'imaging', 'standard', 'QUEUED', 2 FROM design
"""


@dataclass
class Shop:
    """The imaging worker running, and what a test needs to send it artwork."""

    database: Database
    broker: Broker
    publisher: Publisher
    blobs: S3BlobStore
    topology: Topology
    tenant: str
    imaging: ServiceRuntime
    environ: Mapping[str, str]
    stack: AsyncExitStack

    async def start_mockup(self) -> None:
        """Starts the mockup worker too; painting its scenes takes seconds."""
        await _run(build_mockup, self.environ, self.stack)

    async def submit(self, artwork: bytes | None, spec: StickerSpec | None = None) -> UUID:
        """Uploads artwork, if any, and writes and publishes its job as ingest does; gives the design's id."""
        design_id, job_id = new_id(), new_id()
        key = upload_key(self.tenant, design_id)
        data = artwork or b""
        if artwork is not None:
            await self.blobs.put(key, data, media_type="image/png")
        resolved = spec_to_json(resolve(spec or StickerSpec(width_mm=60.0)))
        await self.database.execute(
            _INSERT, design_id, job_id, self.tenant, key, len(data), hashlib.sha256(data).digest(), resolved
        )
        ticket = job_ticket(job_id=job_id, publication=1, tenant=self.tenant, design_id=design_id, generation=1)
        subject = self.topology.job_subject(Stage.IMAGING, Lane.STANDARD, self.tenant)
        message = OutgoingMessage(subject, job_msg_id(job_id, 1), ticket)
        assert await self.publisher.publish([message], timeout_s=5) == [True]
        return design_id

    async def design(self, design_id: UUID) -> asyncpg.Record:
        """The design's row."""
        row = await self.database.fetchrow("SELECT * FROM designs WHERE design_id = $1", design_id)
        assert row is not None
        return row

    async def ended(self, design_id: UUID) -> asyncpg.Record:
        """The design's row once it is terminal."""

        async def over() -> bool:
            return (await self.design(design_id))["state"] in {"READY", "FAILED"}

        await until(over)
        return await self.design(design_id)

    async def rows(self, table: str, design_id: UUID) -> list[asyncpg.Record]:
        """The design's rows in a table."""
        return await self.database.fetch(f"SELECT * FROM {table} WHERE design_id = $1", design_id)  # noqa: S608  (ours)


@pytest.fixture
async def shop(service_environment: Mapping[str, str], postgres_dsn: str, tenant: str) -> AsyncIterator[Shop]:
    """The imaging worker, composed as its process composes it."""
    environ = {**service_environment, "CUTLINE_HTTP_LISTEN": "127.0.0.1:0", "CUTLINE_ACK_WAIT": "5s"}
    env = EnvReader(environ)
    topology = Topology(ack_wait_s=5.0)
    fatal: list[str] = []
    broker = Broker(environ["CUTLINE_NATS_URL"], name="test", on_fatal=fatal.append)
    publisher, blobs = Publisher(broker), S3BlobStore(S3Settings.read(env))
    database = Database(postgres_dsn, application_name="test")
    parts: list[Part] = [broker, publisher, blobs, database]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(Lifecycle(parts))
        assert await broker.wait_connected(10)
        await apply_topology(broker.jetstream, topology)
        imaging = await _run(build_imaging, environ, stack)
        yield Shop(database, broker, publisher, blobs, topology, tenant, imaging, environ, stack)
    assert fatal == []


async def _run(build: Build, environ: Mapping[str, str], stack: AsyncExitStack) -> ServiceRuntime:
    runtime = ServiceRuntime()
    await stack.enter_async_context(Lifecycle(build(environ, runtime)))
    runtime.readiness.begin()
    return runtime


def _mascot() -> bytes:
    pixels = np.full((400, 400, 3), 255, np.uint8)
    cv2.circle(pixels, (200, 200), 130, (40, 90, 200), -1)
    cv2.rectangle(pixels, (180, 40), (220, 200), (20, 160, 60), -1)
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    return png.getvalue()


async def test_artwork_becomes_files_and_mockups(shop: Shop) -> None:
    """One ticket leads to READY: every file and picture lies in the store under the digest its row names."""
    await shop.start_mockup()
    design_id = await shop.submit(_mascot())

    design = await shop.ended(design_id)

    assert (design["state"], design["progress"], design["result_generation"]) == ("READY", 1.0, 1)
    artifacts, mockups = await shop.rows("artifacts", design_id), await shop.rows("mockups", design_id)
    assert {row["kind"] for row in artifacts} == {
        "CUTOUT_PNG", "CUT_LINE_SVG", "CUT_LINE_DXF", "PRINT_PDF", "PREVIEW_PNG", "REPORT_JSON",
    }  # fmt: skip
    assert {row["scene"] for row in mockups} == {"bottle", "laptop", "notebook", "peel"}
    for row in [*artifacts, *mockups]:
        data = await shop.blobs.get(row["object_key"])
        assert (len(data), hashlib.sha256(data).digest()) == (row["size_bytes"], row["sha256"])
        assert row["object_key"].startswith(f"{shop.tenant}/{design_id}/1/")
    run = (await shop.rows("generations", design_id))[0]
    report = json.loads(await shop.blobs.get(next(r["object_key"] for r in artifacts if r["kind"] == "REPORT_JSON")))
    assert run["geometry"]["cut_width_mm"] == pytest.approx(60.0, abs=0.1)
    assert report["geometry"]["cut_width_mm"] == pytest.approx(run["geometry"]["cut_width_mm"])
    assert await shop.rows("findings", design_id)
    last = await shop.broker.jetstream.get_last_msg(
        shop.topology.events_stream, shop.topology.design_subject(shop.tenant, design_id)
    )
    ring = ticket_pb2.DesignRing.FromString(last.data or b"")
    assert (ring.state, ring.revision) == ("READY", design["revision"])


@pytest.mark.parametrize(
    ("artwork", "reason"),
    [
        (b"no picture at all", "ARTWORK_TYPE_UNSUPPORTED"),
        (_mascot()[:400], "ARTWORK_UNREADABLE"),
        (None, "ARTWORK_MISSING"),
    ],
)
async def test_artwork_that_cannot_be_used_fails_by_name(shop: Shop, artwork: bytes | None, reason: str) -> None:
    """The design is FAILED with the reason after one attempt, and the worker goes on."""
    failed = await shop.submit(artwork)

    design = await shop.ended(failed)

    assert (design["state"], design["failure_reason"], design["failure_stage"]) == ("FAILED", reason, "imaging")
    assert [row["reason"] for row in await shop.rows("dead_letters", failed)] == [reason]
    sound = await shop.submit(_mascot(), StickerSpec(width_mm=60.0, mockup_scenes=()))
    assert (await shop.ended(sound))["state"] == "READY"


async def test_a_scene_that_fails_is_named_and_the_design_is_ready(shop: Shop) -> None:
    """The other mockups are there, a finding names the missing one, and the print verdict is as imaging left it."""
    await shop.start_mockup()
    design_id = await shop.submit(_mascot(), StickerSpec(width_mm=60.0, mockup_scenes=("laptop", "no-such-scene")))

    assert (await shop.ended(design_id))["state"] == "READY"

    assert [row["scene"] for row in await shop.rows("mockups", design_id)] == ["laptop"]
    said: list[Any] = [row for row in await shop.rows("findings", design_id) if row["code"] == "MOCKUPS_UNAVAILABLE"]
    assert [(row["level"], "no-such-scene" in row["message"]) for row in said] == [("NOT_APPLICABLE", True)]


async def test_readiness_tells_what_is_missing(shop: Shop) -> None:
    """A running worker is ready: its slots are warm, and broker, topology and database answer."""
    assert await shop.imaging.readiness.verdict() == Verdict(missing={}, degraded={})
