"""A pull worker on the real broker and database, with jobs written by SQL and handlers of the test's own."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from cutline.contract.specs import spec_to_json
from cutline.domain.states import Lane, Stage
from cutline.domain.sticker_spec import StickerSpec, resolve
from cutline.messaging.apply import apply_topology
from cutline.messaging.connection import Broker
from cutline.messaging.lanes import DEFAULT_WEIGHTS
from cutline.messaging.publisher import OutgoingMessage, Publisher
from cutline.messaging.settlement import Desk
from cutline.messaging.slot import Slot, SlotPlan
from cutline.messaging.tickets import job_ticket
from cutline.messaging.topology import Topology, job_msg_id
from cutline.messaging.work import Handler
from cutline.messaging.worker import PullWorker
from cutline.runtime.lifecycle import Lifecycle, Part
from cutline.runtime.readiness import Check
from cutline.store.attempts import Attempts
from cutline.store.ids import new_id
from cutline.store.pool import Database
from cutline.store.results import Results
from cutline.telemetry.setup import Telemetry
from tests.support.polling import until
from tests.support.secured_bus import SecuredBus, secured_bus

_INSERT = """
    WITH design AS (
        INSERT INTO designs (design_id, tenant, title, labels, reference, upload_id, artwork_key, filename, media_type,
                             size_bytes, sha256)
        VALUES ($1, $3, '', '{}', '', $1, $3 || '/uploads/' || $1::uuid::text, 'a.png', 'image/png', 1, sha256('a'))
        RETURNING design_id
    ), run AS (
        INSERT INTO generations (design_id, generation, dedup_key, spec, resolved_spec)
        SELECT design_id, 1, sha256(design_id::text::bytea), '{}', $6 FROM design
    )
    INSERT INTO jobs (job_id, tenant, design_id, generation, stage, lane, state, max_attempts)
    SELECT $2, $3, design_id, 1, 'imaging', $4, 'QUEUED', $5 FROM design
"""


async def _no_outage() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Job:
    """A job in the database and the design it works on."""

    job_id: UUID
    design_id: UUID
    tenant: str
    lane: Lane


@dataclass
class Floor:
    """Where workers of a test work.

    Attributes:
        database: The test's own database.
        topology: Applied to the test's own broker account.
        publisher: Publishes tickets as ingest would.
    """

    database: Database
    broker: Broker
    publisher: Publisher
    topology: Topology
    nats_url: str
    tenant: str
    stack: AsyncExitStack
    fatal: list[str] = field(default_factory=list)

    async def accept(self, *, lane: Lane = Lane.STANDARD, max_attempts: int = 5) -> Job:
        """Writes a design with a QUEUED imaging job, as an accepted submit does; nothing is published."""
        job = Job(new_id(), new_id(), self.tenant, lane)
        resolved = spec_to_json(resolve(StickerSpec(mockup_scenes=())))
        await self.database.execute(_INSERT, job.design_id, job.job_id, job.tenant, lane, max_attempts, resolved)
        return job

    async def publish(
        self, job: Job, *, publication: int = 1, msg_id: str | None = None, traceparent: str = ""
    ) -> None:
        """Publishes the job's ticket."""
        ticket = job_ticket(
            job_id=job.job_id, publication=publication, tenant=job.tenant, design_id=job.design_id, generation=1
        )
        subject = self.topology.job_subject(Stage.IMAGING, job.lane, job.tenant)
        message = OutgoingMessage(subject, msg_id or job_msg_id(job.job_id, publication), ticket, traceparent)
        assert await self.publisher.publish([message], timeout_s=5) == [True]

    async def submit(self, *, lane: Lane = Lane.STANDARD, max_attempts: int = 5) -> Job:
        """Accepts a job and publishes its ticket."""
        job = await self.accept(lane=lane, max_attempts=max_attempts)
        await self.publish(job)
        return job

    async def release(self, job: Job) -> None:
        """Releases a job that waits, as ingest does once it is due."""
        publication = await self.database.fetchval(
            "UPDATE jobs SET state = 'QUEUED', due_time = NULL WHERE job_id = $1 AND state = 'WAITING'"
            " RETURNING publication",
            job.job_id,
        )
        await self.publish(job, publication=publication)

    async def worker(
        self, handler: Handler, *, name: str = "worker", slots: int = 1, deadline_s: float = 60.0,
        stop_grace_s: float = 0.0, ack_wait_s: float | None = None, telemetry: Telemetry | None = None,
        outage: Check = _no_outage, plan: SlotPlan | None = None,
    ) -> PullWorker:  # fmt: skip
        """Starts a worker of the imaging stage; it stops with the test."""
        topology = self.topology if ack_wait_s is None else Topology(ack_wait_s=ack_wait_s)
        telemetry = telemetry or Telemetry.silent()
        broker = Broker(self.nats_url, name=name, on_fatal=self.fatal.append)
        publisher = Publisher(broker)
        attempts = Attempts(self.database, topology, worker=name, lease_s=topology.ack_wait_s)
        desk = Desk(
            stage=Stage.IMAGING,
            handler=handler,
            attempts=attempts,
            database=self.database,
            publisher=publisher,
            topology=topology,
            telemetry=telemetry,
            hard_deadline_s=deadline_s,
            outage=outage,
        )
        crew = [Slot(plan or SlotPlan()) for _ in range(slots)]
        worker = PullWorker(
            desk, broker, crew, weights=DEFAULT_WEIGHTS, stop_grace_s=stop_grace_s, on_fatal=self.fatal.append
        )
        parts: list[Part] = [broker, publisher, worker]
        await self.stack.enter_async_context(Lifecycle(parts))
        assert await broker.wait_connected(10)
        return worker

    def results(self) -> Results:
        """Where handlers commit."""
        return Results(self.database, self.topology)

    async def row(self, query: str, *args: object) -> asyncpg.Record:
        """The one row of a query."""
        row = await self.database.fetchrow(query, *args)
        assert row is not None
        return row

    async def job(self, job: Job) -> asyncpg.Record:
        """The job's row."""
        return await self.row("SELECT * FROM jobs WHERE job_id = $1", job.job_id)

    async def design(self, job: Job) -> asyncpg.Record:
        """The design's row."""
        return await self.row("SELECT * FROM designs WHERE design_id = $1", job.design_id)

    async def outcomes(self, job: Job) -> list[str | None]:
        """The outcomes of the job's attempts, oldest first."""
        query = "SELECT outcome FROM attempts WHERE job_id = $1 ORDER BY number"
        return [row["outcome"] for row in await self.database.fetch(query, job.job_id)]

    async def until_state(self, job: Job, state: str, *, within_s: float = 60.0) -> None:
        """Waits until the job stands so."""

        async def there() -> bool:
            return bool((await self.job(job))["state"] == state)

        await until(there, within_s=within_s)

    async def messages(self) -> int:
        """Messages in the job stream."""
        info = await self.broker.jetstream.stream_info(self.topology.jobs_stream)
        return int(info.state.messages)

    async def until_settled(self) -> None:
        """Waits until the job stream is empty."""

        async def empty() -> bool:
            return await self.messages() == 0

        await until(empty)

    async def unacked(self, lane: Lane = Lane.STANDARD) -> int:
        """Messages of a lane that a worker has, as the broker counts them."""
        consumer = self.topology.consumer_name(Stage.IMAGING, lane)
        info = await self.broker.jetstream.consumer_info(self.topology.jobs_stream, consumer)
        return int(info.num_ack_pending or 0)


@asynccontextmanager
async def open_floor(nats_url: str, postgres_dsn: str, tenant: str) -> AsyncIterator[Floor]:
    """A place to work on some servers, with the topology applied and a short ack_wait."""
    async with AsyncExitStack() as stack:
        topology = Topology(ack_wait_s=2.0)
        fatal: list[str] = []
        broker = Broker(nats_url, name="test", on_fatal=fatal.append)
        publisher = Publisher(broker)
        database = Database(postgres_dsn, application_name="test", pool_min=1, pool_max=4)
        parts: list[Part] = [broker, publisher, database]
        await stack.enter_async_context(Lifecycle(parts))
        assert await broker.wait_connected(10)
        await apply_topology(broker.jetstream, topology)
        yield Floor(database, broker, publisher, topology, nats_url, tenant, stack, fatal)
    assert fatal == []


@pytest.fixture
async def floor(nats_url: str, postgres_dsn: str, tenant: str) -> AsyncIterator[Floor]:
    """A place to work on the shared servers."""
    async with open_floor(nats_url, postgres_dsn, tenant) as opened:
        yield opened


@pytest.fixture(scope="session")
async def secured() -> AsyncIterator[SecuredBus]:
    """A broker with TLS and the users of a deployment, shared by all tests of what they may do."""
    with tempfile.TemporaryDirectory(prefix="cutline-secured-") as folder:
        async with secured_bus(Path(folder)) as bus:
            yield bus
