"""What the measurements of delivery stand on: real servers, jobs written as an accepted submit leaves them, workers."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import nats
import psutil
from nats.aio.client import Client

from cutline.contract.specs import spec_to_json
from cutline.domain.states import Lane, Stage
from cutline.domain.sticker_spec import StickerSpec, resolve
from cutline.embedded.ports import LOOPBACK
from cutline.embedded.process import Order
from cutline.embedded.server import Server
from cutline.embedded.service import Service
from cutline.embedded.stack import EmbeddedStack
from cutline.messaging.connection import Broker
from cutline.messaging.publisher import OutgoingMessage, Publisher
from cutline.messaging.tickets import job_ticket
from cutline.messaging.topology import Topology, job_msg_id
from cutline.store.ids import new_id
from cutline.store.pool import prepare_connection

TENANT: Final = "bench"
REPOSITORY: Final = Path(__file__).parents[2]
_SAMPLE_PAUSE_S: Final = 0.1
_CHUNK: Final = 1000

_INSERT: Final = """
    WITH input AS (
        SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS input (design_id, job_id)
    ), design AS (
        INSERT INTO designs (design_id, tenant, title, labels, reference, upload_id, artwork_key, filename, media_type,
                             size_bytes, sha256)
        SELECT design_id, $3, '', '{}', '', design_id, $3 || '/uploads/' || design_id::text, 'a.png', 'image/png', 1,
               sha256('a')
        FROM input
    ), run AS (
        INSERT INTO generations (design_id, generation, dedup_key, spec, resolved_spec)
        SELECT design_id, 1, sha256(design_id::text::bytea), '{}', $4 FROM input
    )
    INSERT INTO jobs (job_id, tenant, design_id, generation, stage, lane, state, max_attempts)
    SELECT job_id, $3, design_id, 1, 'imaging', 'standard', 'QUEUED', 5 FROM input
"""
_DRAINED: Final = """
    SELECT (SELECT count(*) FROM jobs WHERE state = 'SUCCEEDED') AS succeeded,
           (SELECT count(*) FROM attempts) AS attempts,
           (SELECT extract(epoch FROM max(finish_time) - min(start_time)) FROM attempts) AS took_s,
           (SELECT count(*) FROM designs WHERE state = 'READY') AS ready
"""


@dataclass(frozen=True)
class Drained:
    """What a drain came to.

    Attributes:
        jobs: Jobs done, each with one attempt.
        took_s: From the first attempt's begin to the last one's end.
        most_unacked: Most messages that the consumer had out at a time, as the broker counts them.
    """

    jobs: int
    took_s: float
    most_unacked: int

    @property
    def per_s(self) -> float:
        """Jobs per second."""
        return self.jobs / self.took_s


class Floor:
    """Real servers with schema and topology, and workers of `bench.delivery.worker`.

    Attributes:
        stack: The servers, and the services asked for.
        topology: What the broker holds.
        broker: A plain connection to it.
        database: A connection to the database.
    """

    def __init__(self, stack: EmbeddedStack, broker: Client, database: asyncpg.Connection[asyncpg.Record]) -> None:
        self.stack = stack
        self.topology = Topology()
        self.broker = broker
        self.database = database
        self._workers = 0

    async def fill(self, jobs: int) -> None:
        """Writes designs with a QUEUED imaging job each, and publishes the tickets."""
        await self.publish(await self.write(jobs))

    async def write(self, jobs: int) -> list[OutgoingMessage]:
        """Empties the tables and writes designs with a QUEUED imaging job each; gives the tickets."""
        await self.database.execute("TRUNCATE designs, jobs, attempts, outbox, dead_letters CASCADE")
        resolved = spec_to_json(resolve(StickerSpec(mockup_scenes=())))
        rows = [(new_id(), new_id()) for _ in range(jobs)]
        designs, ids = [design for design, _ in rows], [job for _, job in rows]
        await self.database.execute(_INSERT, designs, ids, TENANT, resolved)
        # Plans are made by statistics; autovacuum gathers them in a database that has been there for a minute.
        await self.database.execute("ANALYZE")
        subject = self.topology.job_subject(Stage.IMAGING, Lane.STANDARD, TENANT)
        return [
            OutgoingMessage(
                subject,
                job_msg_id(job, 1),
                job_ticket(job_id=job, publication=1, tenant=TENANT, design_id=design, generation=1),
            )
            for design, job in rows
        ]

    async def publish(self, tickets: list[OutgoingMessage]) -> None:
        """Publishes tickets as ingest does."""
        fatal: list[str] = []
        broker = Broker(self.stack.servers.nats_url, name="bench-fill", on_fatal=fatal.append)
        publisher = Publisher(broker)
        await broker.start()
        await broker.wait_connected(10)
        await publisher.start()
        for start in range(0, len(tickets), _CHUNK):
            if not all(await publisher.publish(tickets[start : start + _CHUNK], timeout_s=10)):
                msg = f"the broker did not take the tickets: {fatal}"
                raise RuntimeError(msg)
        await broker.stop()

    @asynccontextmanager
    async def worker(self, *, slots: int, burn_s: float = 0.0, sleep_s: float = 0.0) -> AsyncIterator[Path]:
        """A worker process, ready; gives the file where it leaves the times at which work began, once it has ended."""
        self._workers += 1
        name = f"worker-{self._workers}"
        servers = self.stack.servers
        notes = servers.instance.folder / f"{name}.json"
        http_port = servers.ports.take()
        service = Service(
            name,
            module="bench.delivery.worker",
            http_port=http_port,
            environment={
                **os.environ,
                **servers.environment(),
                "CUTLINE_HTTP_LISTEN": f"{LOOPBACK}:{http_port}",
                "CUTLINE_WORKER_ID": name,
                "BENCH_SLOTS": str(slots),
                "BENCH_BURN_S": str(burn_s),
                "BENCH_SLEEP_S": str(sleep_s),
                "BENCH_NOTES": str(notes),
            },
            log_path=servers.instance.log_path(name),
            order=Order(grace_s=30.0),
        )
        await service.start()
        try:
            yield notes
        finally:
            await service.stop()

    async def until_idle(self, *, within_s: float = 120.0) -> int:
        """Waits until the worker's queue is empty and all is acked; gives the most that were out at a time."""
        jetstream, name = self.broker.jetstream(), self.topology.consumer_name(Stage.IMAGING, Lane.STANDARD)
        most = 0
        async with asyncio.timeout(within_s):
            while True:
                consumer = await jetstream.consumer_info(self.topology.jobs_stream, name)
                most = max(most, consumer.num_ack_pending or 0)
                if not (consumer.num_pending or consumer.num_ack_pending):
                    return most
                await asyncio.sleep(_SAMPLE_PAUSE_S)

    async def drained(self, jobs: int, *, within_s: float = 120.0) -> Drained:
        """Waits until the job stream is empty and checks that each job had one attempt and every design is READY."""
        most = await self.until_idle(within_s=within_s)
        row = await self.database.fetchrow(_DRAINED)
        assert row is not None  # noqa: S101  (an aggregate has a row)
        if (row["succeeded"], row["attempts"], row["ready"]) != (jobs, jobs, jobs):
            msg = f"of {jobs} jobs {row['succeeded']} succeeded in {row['attempts']} attempts, {row['ready']} are READY"
            raise RuntimeError(msg)
        return Drained(jobs, float(row["took_s"]), most)


@asynccontextmanager
async def floor(*services: str, settings: Mapping[str, str] | None = None) -> AsyncIterator[Floor]:
    """Starts servers and services in a folder of their own."""
    with tempfile.TemporaryDirectory(prefix="cutline-bench-") as folder:
        async with EmbeddedStack(Path(folder), services=services, settings=settings) as stack:
            broker = await nats.connect(stack.servers.nats_url)
            database = await asyncpg.connect(stack.servers.postgres_dsn)
            await prepare_connection(database)
            try:
                yield Floor(stack, broker, database)
            finally:
                await database.close()
                await broker.close()


def cpu_s(server: Server) -> float:
    """CPU time that a server has spent so far, with its children's."""
    process = psutil.Process(server.program_id)
    times = [process.cpu_times(), *(child.cpu_times() for child in process.children(recursive=True))]
    ended = times[0].children_user + times[0].children_system
    return float(ended + sum(one.user + one.system for one in times))


def write(name: str, report: object) -> None:
    """Writes a report to bench/results."""
    path = REPOSITORY / "bench" / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")
