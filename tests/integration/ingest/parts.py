"""The parts of ingest below the wire, and submits as its handler makes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from cutline.contract.submits import resolve_spec
from cutline.domain.calls import CallIdentity
from cutline.domain.dedup import submit_key
from cutline.domain.states import Lane
from cutline.domain.sticker_spec import StickerSpec
from cutline.jobs.v1 import ticket_pb2
from cutline.messaging.apply import apply_topology
from cutline.messaging.connection import Broker
from cutline.messaging.publisher import Publisher
from cutline.messaging.topology import Topology
from cutline.runtime.lifecycle import Lifecycle
from cutline.store.ids import new_id
from cutline.store.pool import Database
from cutline.store.submissions import Submission, SubmittedArtwork
from cutline.telemetry.metrics import Metrics
from services.ingest.backlog import Backlog
from services.ingest.dispatch import Dispatch
from services.ingest.flusher import Answer, Flusher
from services.ingest.mover import Mover
from services.ingest.relay import Relay
from services.ingest.release import Release
from services.ingest.settings import BacklogLimits
from services.ingest.starts import Starts
from services.ingest.sweeper import Sweeper

NOBODY_LISTENS = "nats://127.0.0.1:1"


def submission(tenant: str, **changes: Any) -> Submission:
    """A submit as the handler makes it.

    Args:
        tenant: Whose.
        changes: `reference` makes other work; `request_id`, `body`, `lane`, `not_before_time`, `dedup_key`, `title`.
    """
    spec = resolve_spec(StickerSpec(width_mm=50.0))
    reference = changes.get("reference", "")
    not_before_time = changes.get("not_before_time")
    key = submit_key(
        tenant=tenant, artwork_sha256="ab" * 32, spec=spec.resolved, reference=reference, not_before_time=None
    )
    body = changes.get("body", reference).encode().ljust(32, b"\0")
    return Submission(
        call=CallIdentity(tenant, changes.get("request_id"), "SubmitDesign", body),
        design_id=new_id(),
        job_id=new_id(),
        outbox_id=new_id(),
        title=changes.get("title", "a title"),
        labels_json="{}",
        reference=reference,
        artwork=SubmittedArtwork(uuid4(), "key", "a.png", "image/png", 10, b"\xab" * 32),
        spec_json=spec.spec_json,
        resolved_spec_json=spec.resolved_spec_json,
        dedup_key=changes.get("dedup_key", key),
        lane=changes.get("lane", Lane.STANDARD),
        max_attempts=5,
        not_before_time=not_before_time,
        traceparent="00-11111111111111111111111111111111-2222222222222222-01",
    )


@dataclass
class Bench:
    """The parts, and what tests ask them."""

    database: Database
    broker: Broker
    publisher: Publisher
    topology: Topology
    backlog: Backlog
    flusher: Flusher
    relay: Relay
    release: Release
    sweeper: Sweeper
    mover: Mover
    dispatch: Dispatch

    async def submit(self, row: Submission) -> Answer:
        """Hands a row to the flusher."""
        return await self.flusher.submit(row, first_use=False)

    async def tickets(self) -> list[ticket_pb2.JobTicket]:
        """Every ticket the broker holds, in order."""
        return await stored_tickets(self.broker, self.topology)

    async def job_states(self) -> dict[UUID, str]:
        """State of the first job by design."""
        rows = await self.database.fetch("SELECT design_id, state FROM jobs WHERE generation = 1")
        return {row["design_id"]: row["state"] for row in rows}


async def stored_tickets(broker: Broker, topology: Topology) -> list[ticket_pb2.JobTicket]:
    """Every ticket a broker holds, in order."""
    state = (await broker.jetstream.stream_info(topology.jobs_stream)).state
    found = []
    for sequence in range(max(state.first_seq, 1), state.last_seq + 1):
        message = await broker.jetstream.get_msg(topology.jobs_stream, sequence)
        found.append(ticket_pb2.JobTicket.FromString(message.data or b""))
    return found


@asynccontextmanager
async def running(made: Bench) -> AsyncIterator[Bench]:
    """The parts that accept and publish run, on a broker that holds their topology."""
    async with Lifecycle([made.database, made.broker, made.publisher, made.flusher]):
        assert await made.broker.wait_connected(10)
        await apply_topology(made.broker.jetstream, made.topology)
        yield made


def make_bench(
    dsn: str, nats_url: str, limits: BacklogLimits, *, topology: Topology | None = None, release_interval_s: float = 0.2
) -> Bench:
    """The parts, not started."""
    metrics = Metrics.silent()
    database = Database(dsn, application_name="test", pool_max=10)
    broker = Broker(nats_url, name="test", on_fatal=lambda _: None)
    publisher = Publisher(broker)
    topology = topology or Topology()
    backlog = Backlog(limits, metrics)
    dispatch = Dispatch(database, publisher, topology)
    release = Release(
        database=database,
        dispatch=dispatch,
        starts=Starts(broker, topology),
        limits=limits,
        interval_s=release_interval_s,
    )
    return Bench(
        database=database,
        broker=broker,
        publisher=publisher,
        topology=topology,
        backlog=backlog,
        flusher=Flusher(
            database=database,
            publisher=publisher,
            topology=topology,
            backlog=backlog,
            metrics=metrics,
            on_waiting=dispatch.tell_waiting,
        ),
        relay=Relay(database=database, publisher=publisher, metrics=metrics, interval_s=0.2, age_s=0.0),
        release=release,
        sweeper=Sweeper(
            database=database, broker=broker, topology=topology, dispatch=dispatch, interval_s=1, silence_s=0.0
        ),
        mover=Mover(database=database, broker=broker, publisher=publisher, topology=topology),
        dispatch=dispatch,
    )
