"""The status service's own parts around a real database and a real broker, and designs written by SQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cutline.contract.designs import SignedAddress
from cutline.contract.specs import resolved_spec_from_json, spec_to_json
from cutline.domain.sticker_spec import StickerSpec, resolve
from cutline.messaging.connection import Broker
from cutline.messaging.tickets import design_ring
from cutline.messaging.topology import Topology
from cutline.rpc.api_keys import ApiKeyAuthenticator, PostgresApiKeys, new_api_key
from cutline.rpc.refusals import draining
from cutline.rpc.server import RpcServer, RpcService
from cutline.runtime.environment import ListenAddress
from cutline.runtime.lifecycle import BackgroundLoop, Lifecycle
from cutline.runtime.readiness import Readiness
from cutline.runtime.settings import GrpcSettings, ShellSettings
from cutline.store.ids import new_id
from cutline.store.pool import Database
from cutline.telemetry.setup import Telemetry
from cutline.v1 import status_service_pb2 as pb
from cutline.v1 import status_service_pb2_grpc as pb_grpc
from services.status.doorbell import Doorbell
from services.status.frames import FrameMaker
from services.status.hub import Hub
from services.status.resync import Resync
from services.status.rpc import SERVICE, StatusServicer, add_status_service

SPEC = StickerSpec(width_mm=60.0)
GEOMETRY = {
    "cut_width_mm": 60.0,
    "cut_height_mm": 40.0,
    "art_width_mm": 54.0,
    "art_height_mm": 34.0,
    "effective_dpi": 400.0,
    "cut_length_mm": 180.0,
    "closing_radius_mm": 3.0,
    "pieces": 1,
    "holes": 0,
    "segments": 12,
    "size_source": "EXPLICIT",
    "canvas_box": {"x_mm": 1.0, "y_mm": 2.0, "width_mm": 58.0, "height_mm": 36.0},
    "cut_box": {"x_mm": 0.0, "y_mm": 0.0, "width_mm": 60.0, "height_mm": 40.0},
    "shape_min_radius_mm": 0.5,
}


class CountingDatabase:
    """A database that counts the statements that read whole designs, and can be held up or made to fail."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.design_reads: list[int] = []
        self.before_answer: list[asyncio.Event] = []
        self.read_begun = asyncio.Event()
        self.failures: list[Exception] = []

    async def fetch(self, query: str, *args: Any) -> Sequence[Any]:
        """Runs a statement; a read of whole designs by key is counted by how many keys it names."""
        by_keys = "g.resolved_spec" in query and ("unnest" in query or "d.design_id = $3" in query)
        if by_keys and self.failures:
            raise self.failures.pop(0)
        rows = await self._database.fetch(query, *args)
        if by_keys:
            self.design_reads.append(len(args[1]) if "unnest" in query else 1)
            self.read_begun.set()
            if self.before_answer:
                await self.before_answer.pop(0).wait()
        return rows


@dataclass
class Stand:
    """A running status service, its doorbell and its database."""

    connection: asyncpg.Connection[asyncpg.Record]
    database: CountingDatabase
    hub: Hub
    resync: Resync
    broker: Broker
    rpc: RpcServer
    telemetry: Telemetry
    stub: pb_grpc.StatusServiceAsyncStub
    drain: asyncio.Event
    target: str
    keys: dict[str, str] = field(default_factory=dict)
    signed: list[str] = field(default_factory=list)

    def metadata(self, tenant: str) -> tuple[tuple[str, str], ...]:
        """The credential of a tenant."""
        return (("authorization", f"Bearer {self.keys[tenant]}"),)

    async def add_tenant(self, tenant: str) -> None:
        """Gives a tenant a key."""
        key = new_api_key()
        await self.connection.execute(
            "INSERT INTO api_keys (key_id, tenant, sha256, scopes) VALUES ($1, $2, $3, $4)",
            key.key_id,
            tenant,
            key.sha256,
            ["designs:read"],
        )
        self.keys[tenant] = key.text

    async def add_design(self, tenant: str, **columns: Any) -> UUID:
        """Writes a QUEUED design with its first generation."""
        design_id = new_id()
        values: dict[str, Any] = {
            "title": "Fox",
            "labels": "{}",
            "reference": "",
            "filename": "fox.png",
            "create_time": datetime.now(UTC),
        } | columns
        async with self.connection.transaction():
            await self.connection.execute(
                """INSERT INTO designs (design_id, tenant, title, labels, reference, upload_id, artwork_key, filename,
                                        media_type, size_bytes, sha256, create_time)
                   VALUES ($1, $2, $3, $4::text::jsonb, $5, $6, 'k', $7, 'image/png', 123, $8, $9)""",
                design_id,
                tenant,
                values["title"],
                values["labels"],
                values["reference"],
                new_id(),
                values["filename"],
                b"\x01" * 32,
                values["create_time"],
            )
            await self.add_generation(design_id, 1)
            await self.note(design_id, "submitted")
        return design_id

    async def add_generation(self, design_id: UUID, generation: int) -> None:
        """Writes a generation of the spec that tests use."""
        spec = spec_to_json(SPEC)
        resolved = spec_to_json(resolve(SPEC))
        assert resolved_spec_from_json(resolved) == resolve(SPEC)
        await self.connection.execute(
            """INSERT INTO generations (design_id, generation, dedup_key, spec, resolved_spec)
               VALUES ($1, $2, $3, $4::text::jsonb, $5::text::jsonb)""",
            design_id,
            generation,
            design_id.bytes + generation.to_bytes(16, "big"),
            json.dumps(spec),
            json.dumps(resolved),
        )

    async def note(self, design_id: UUID, event: str) -> None:
        """Writes the timeline's line for the design's present revision."""
        await self.connection.execute(
            """INSERT INTO timeline (design_id, revision, generation, state, stage, event)
               SELECT design_id, revision, generation, state, stage, $2 FROM designs WHERE design_id = $1""",
            design_id,
            event,
        )

    async def start_imaging(self, design_id: UUID, *, progress: float = 0.0) -> int:
        """Takes a design to PROCESSING, or its progress on; its new revision."""
        revision = await self.connection.fetchval(
            """UPDATE designs SET state = 'PROCESSING', stage = 'imaging', progress = $2
               WHERE design_id = $1 RETURNING revision""",
            design_id,
            progress,
        )
        return int(revision)

    async def finish(self, design_id: UUID, *, generation: int = 1) -> int:
        """Takes a PROCESSING design to READY with two files, a finding and a mockup; its new revision."""
        async with self.connection.transaction():
            await self.connection.execute(
                """UPDATE generations SET state = 'READY', geometry = $2::text::jsonb, print_verdict = 'WARN',
                          cutout_method = 'FLAT', cutout_confidence = 0.9 WHERE design_id = $1 AND generation = $3""",
                design_id,
                json.dumps(GEOMETRY),
                generation,
            )
            for kind in ("PRINT_PDF", "CUTOUT_PNG"):
                await self.connection.execute(
                    "INSERT INTO artifacts VALUES ($1, $5, $2, 'application/octet-stream', 5, $3, $4)",
                    design_id,
                    kind,
                    b"\x02" * 32,
                    f"key-{kind}",
                    generation,
                )
            await self.connection.execute(
                """INSERT INTO findings VALUES ($1, $2, 0, 'RESOLUTION', 'WARN', 180, 200, 'dpi', 'Low.', 'Enlarge.',
                          '{"x_mm": 1, "y_mm": 2, "width_mm": 3, "height_mm": 4}')""",
                design_id,
                generation,
            )
            await self.connection.execute(
                "INSERT INTO mockups VALUES ($1, $3, 'laptop', 'image/jpeg', 7, $2, 800, 600, 'key-laptop')",
                design_id,
                b"\x03" * 32,
                generation,
            )
            revision = await self.connection.fetchval(
                """UPDATE designs SET state = 'READY', stage = NULL, progress = 1, result_generation = $2,
                          finish_time = now() WHERE design_id = $1 RETURNING revision""",
                design_id,
                generation,
            )
            await self.note(design_id, "ready")
        return int(revision)

    async def reprocess(self, design_id: UUID) -> int:
        """Starts the second generation; the design's new revision."""
        async with self.connection.transaction():
            await self.add_generation(design_id, 2)
            revision = await self.connection.fetchval(
                """UPDATE designs SET state = 'QUEUED', stage = NULL, progress = 0, generation = 2, finish_time = NULL
                   WHERE design_id = $1 RETURNING revision""",
                design_id,
            )
        return int(revision)

    async def delete(self, design_id: UUID) -> None:
        """Deletes a design."""
        await self.connection.execute("DELETE FROM designs WHERE design_id = $1", design_id)

    async def ring(self, tenant: str, design_id: UUID, revision: int, state: str = "PROCESSING") -> None:
        """Rings a design's doorbell as a service would."""
        payload = design_ring(design_id=design_id, tenant=tenant, revision=revision, state=state)
        await self.broker.client.publish(Topology().design_subject(tenant, design_id), payload)

    def metric(self, name: str, **labels: str) -> float:
        """The value of a metric, summed over every series that has these labels."""
        families = text_string_to_metric_families(self.telemetry.exposition().decode())
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def watch(
        self, tenant: str, design_id: UUID | str, *, after_revision: int = 0
    ) -> grpc.aio.UnaryStreamCall[pb.WatchDesignRequest, pb.WatchDesignResponse]:
        """Watches one design."""
        request = pb.WatchDesignRequest(design_id=str(design_id), after_revision=after_revision)
        return self.stub.WatchDesign(request, metadata=self.metadata(tenant))

    def watch_all(
        self, tenant: str, *, resume_token: str = ""
    ) -> grpc.aio.UnaryStreamCall[pb.WatchDesignsRequest, pb.WatchDesignsResponse]:
        """Watches all designs of a tenant."""
        request = pb.WatchDesignsRequest(resume_token=resume_token)
        return self.stub.WatchDesigns(request, metadata=self.metadata(tenant))


@dataclass(frozen=True)
class StandSettings:
    """What tests set otherwise than the service does."""

    heartbeat_s: float = 60.0
    resync_s: float = 600.0
    resync_alone_s: float = 600.0
    queue_most: int = 100
    max_age_s: float = 600.0
    write_timeout_s: float = 30.0
    drain_grace_s: float = 0.5
    hears: bool = True


@pytest.fixture
def stand_settings() -> StandSettings:
    """Settings of the stand: nothing happens by a timer unless a test asks for it."""
    return StandSettings()


@pytest.fixture
async def stand(postgres_dsn: str, nats_url: str, tenant: str, stand_settings: StandSettings) -> AsyncIterator[Stand]:
    """A status service on this test's own database and NATS account; the test's tenant has a key."""
    connection = await asyncpg.connect(postgres_dsn)
    pool = Database(postgres_dsn, application_name="test", wait_s=20)
    database = CountingDatabase(pool)
    broker = Broker(nats_url, name="test", on_fatal=pytest.fail)
    telemetry = Telemetry.of_service("test", ShellSettings(ListenAddress("127.0.0.1", 0)))
    signed: list[str] = []

    def sign(object_key: str, file_name: str, media_type: str) -> SignedAddress:
        assert media_type
        signed.append(object_key)
        return SignedAddress(f"http://files/{object_key}/{file_name}", datetime.now(UTC) + timedelta(hours=1))

    frames = FrameMaker(sign)
    hub = Hub(database, frames, queue_most=stand_settings.queue_most, telemetry=telemetry)
    resync = Resync(
        database,
        hub,
        bus_connected=lambda: broker.connected,
        pause_s=stand_settings.resync_s,
        pause_alone_s=stand_settings.resync_alone_s,
        metrics=telemetry.metrics,
    )
    if stand_settings.hears:
        Doorbell(broker, Topology(), hub=hub, resync=resync, metrics=telemetry.metrics)
    drain = asyncio.Event()
    rpc = RpcServer(
        GrpcSettings(
            ListenAddress("127.0.0.1", 0),
            drain_grace_s=stand_settings.drain_grace_s,
            write_timeout_s=stand_settings.write_timeout_s,
        ),
        [
            RpcService(
                SERVICE,
                add_status_service,
                StatusServicer(
                    database,
                    hub,
                    frames,
                    sign=sign,
                    heartbeat_s=stand_settings.heartbeat_s,
                    max_age_s=stand_settings.max_age_s,
                ),
            )
        ],
        authenticator=ApiKeyAuthenticator(PostgresApiKeys(pool)),
        telemetry=telemetry,
        readiness=Readiness(),
        drain=drain,
    )

    async def end_watches() -> None:
        await drain.wait()
        hub.topics.close(draining())
        await asyncio.Event().wait()

    loops = [
        BackgroundLoop("reads", hub.run, fatal=pytest.fail),
        BackgroundLoop("resync", resync.run, fatal=pytest.fail),
        BackgroundLoop("drain", end_watches, fatal=pytest.fail),
    ]
    async with Lifecycle([telemetry, pool, broker, *loops, rpc]):
        assert await broker.wait_connected(20)
        target = f"127.0.0.1:{rpc.port}"
        async with grpc.aio.insecure_channel(target) as channel:
            stub: pb_grpc.StatusServiceAsyncStub = pb_grpc.StatusServiceStub(channel)
            stand = Stand(connection, database, hub, resync, broker, rpc, telemetry, stub, drain, target, signed=signed)
            await stand.add_tenant(tenant)
            try:
                yield stand
            finally:
                await connection.close()
