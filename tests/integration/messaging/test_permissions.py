"""What each user of the broker may do: its service's own code works with it, and the broker refuses nothing of that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from nats.aio.msg import Msg
from structlog.testing import capture_logs

from cutline.domain.states import DesignState, Lane, Stage
from cutline.jobs.v1 import ticket_pb2
from cutline.messaging.acks import Acks
from cutline.messaging.apply import apply_topology, verify_topology
from cutline.messaging.cancel import CancelDoorbell
from cutline.messaging.connection import Broker
from cutline.messaging.consumers import Consumers
from cutline.messaging.dead_stream import DeadStream, LetterCopy
from cutline.messaging.lanes import LanePull
from cutline.messaging.permissions import BusUser
from cutline.messaging.publisher import OutgoingMessage, Publisher
from cutline.messaging.tickets import design_ring, job_ticket
from cutline.messaging.topology import HEADER_MSG_ID, Topology
from cutline.messaging.topology_check import TopologyCheck
from cutline.messaging.unreadable import unreadable_copy
from cutline.store.ids import new_id
from cutline.store.pool import Database
from cutline.telemetry.metrics import Metrics
from services.ingest.dispatch import Dispatch
from services.ingest.mover import Mover
from services.ingest.starts import Starts
from services.status.doorbell import Doorbell
from tests.support.polling import eventually, until
from tests.support.secured_bus import SecuredBus

WITHIN_S = 30.0
CHECKED = (
    BusUser.INGEST_API,
    BusUser.INGEST_ADMIN,
    BusUser.INGEST_HOUSEKEEPING,
    BusUser.IMAGING,
    BusUser.MOCKUP,
    BusUser.TOPOLOGY,
)
WORKERS = ((BusUser.IMAGING, Stage.IMAGING), (BusUser.MOCKUP, Stage.MOCKUP))


@pytest.fixture(autouse=True)
def nothing_is_forbidden() -> Iterator[None]:
    """The broker refuses nothing of what a test does; connections hear of it before they are closed."""
    with capture_logs() as lines:
        yield
    assert [line for line in lines if line["event"] == "broker.forbidden"] == []


def ticket(topology: Topology, stage: Stage, lane: Lane, tenant: str) -> OutgoingMessage:
    """A ticket of a job that nobody has."""
    payload = job_ticket(job_id=uuid4(), publication=1, tenant=tenant, design_id=uuid4(), generation=1)
    return OutgoingMessage(topology.job_subject(stage, lane, tenant), str(uuid4()), payload)


async def published(broker: Broker, *messages: OutgoingMessage) -> list[bool]:
    """Publishes with acks, as services do."""
    publisher = Publisher(broker)
    await publisher.start()
    return await publisher.publish(messages, timeout_s=WITHIN_S)


def lane_pull(broker: Broker, topology: Topology, stage: Stage, lane: Lane) -> LanePull:
    """A worker's pull on a lane."""
    consumer = topology.consumer_name(stage, lane)
    return LanePull(broker.client, stream=topology.jobs_stream, consumer=consumer, notify=lambda: None)


async def taken(broker: Broker, topology: Topology, stage: Stage, lane: Lane) -> Msg:
    """The next message of a lane, pulled as workers do."""
    pull = lane_pull(broker, topology, stage, lane)
    await pull.start()
    await pull.stand()
    assert await eventually(lambda: bool(pull.waiting))
    await pull.stop()
    return pull.waiting.popleft()


async def settled(broker: Broker, message: Msg) -> None:
    """Acks as workers do; the broker has confirmed it."""
    acks = Acks(broker.client)
    await acks.start()
    with capture_logs() as lines:
        await acks.confirm([message], timeout_s=WITHIN_S)
    assert lines == []


@pytest.mark.parametrize("user", CHECKED)
async def test_whoever_counts_on_the_topology_may_compare_it(secured: SecuredBus, user: BusUser) -> None:
    """The check of readiness finds every stream and consumer as declared."""
    async with secured.login(user) as broker:
        check = TopologyCheck(broker, secured.topology)

        assert await check.problem() is None
        assert not await check.compare()


async def test_the_topology_is_applied_again(secured: SecuredBus) -> None:
    """Its user updates streams and consumers that are there, and finds them as they should be."""
    async with secured.login(BusUser.TOPOLOGY) as broker:
        await apply_topology(broker.jetstream, secured.topology)

        assert not await verify_topology(broker.jetstream, secured.topology)


@pytest.mark.parametrize("lane", Lane)
async def test_a_design_goes_all_the_way(secured: SecuredBus, tenant: str, lane: Lane) -> None:
    """Ingest publishes its job, imaging takes it and hands the follow-up on, mockup takes that; all acks arrive."""
    topology = secured.topology
    async with secured.login(BusUser.INGEST_API) as broker:
        assert await published(broker, ticket(topology, Stage.IMAGING, lane, tenant)) == [True]
    async with secured.login(BusUser.IMAGING) as broker:
        message = await taken(broker, topology, Stage.IMAGING, lane)
        assert await published(broker, ticket(topology, Stage.MOCKUP, lane, tenant)) == [True]
        await settled(broker, message)
    async with secured.login(BusUser.MOCKUP) as broker:
        await settled(broker, await taken(broker, topology, Stage.MOCKUP, lane))
    async with secured.login(BusUser.INGEST_ADMIN) as broker:
        info = await broker.jetstream.consumer_info(topology.jobs_stream, topology.consumer_name(Stage.MOCKUP, lane))
        assert info.num_pending == info.num_ack_pending == 0


@pytest.mark.parametrize(("user", "stage"), WORKERS)
async def test_a_worker_keeps_hands_back_and_gives_up_messages(
    secured: SecuredBus, tenant: str, user: BusUser, stage: Stage
) -> None:
    """In-progress and nak reach the broker, which delivers again; after a term it does not."""
    topology, lane = secured.topology, Lane.STANDARD
    async with secured.login(BusUser.INGEST_HOUSEKEEPING) as broker:
        assert await published(broker, ticket(topology, stage, lane, tenant)) == [True]
    async with secured.login(user) as broker:
        message = await taken(broker, topology, stage, lane)
        await message.in_progress()
        await message.nak()
        again = await taken(broker, topology, stage, lane)
        assert (again.data, again.metadata.num_delivered) == (message.data, 2)
        await again.term()

        async def gone() -> bool:
            info = await broker.jetstream.stream_info(topology.jobs_stream)
            return info.state.messages == 0

        await until(gone)


@pytest.mark.parametrize(("user", "stage"), WORKERS)
async def test_a_worker_keeps_copies_of_what_it_gives_up(
    secured: SecuredBus, tenant: str, user: BusUser, stage: Stage
) -> None:
    """Dead letters and messages without a job are stored; an administrator lists and removes them."""
    topology, letter, copy_time = secured.topology, new_id(), datetime.now(UTC)
    copy = OutgoingMessage(topology.dead_subject(stage, tenant), str(letter), dead_copy(letter, stage))
    async with secured.login(user) as broker:
        aside = unreadable_copy(topology, stage=stage, tenant=tenant, sequence=uuid4().int % 2**31)
        assert await published(broker, copy, aside) == [True, True]
    async with secured.login(BusUser.INGEST_ADMIN) as broker:
        stream = DeadStream(broker, topology)
        found = [one for one in await stream.unreadable() if one.stage is stage]

        assert len(found) == 1
        assert await stream.remove([found[0].sequence]) == 1
        assert await stream.remove_copies([LetterCopy(letter, stage, tenant, copy_time)]) == 1


def dead_copy(letter: UUID, stage: Stage) -> bytes:
    """What the stream of dead letters keeps of a row."""
    return ticket_pb2.DeadLetterCopy(dead_letter_id=str(letter), stage=stage.value).SerializeToString()


@pytest.mark.parametrize(("user", "stage"), WORKERS)
async def test_workers_hear_of_cancelled_work(secured: SecuredBus, user: BusUser, stage: Stage) -> None:
    """The doorbell that ingest rings reaches each stage."""
    heard: list[tuple[str, int]] = []
    design = uuid4()
    async with secured.login(user) as worker, secured.login(BusUser.INGEST_API) as ingest:
        doorbell = CancelDoorbell(
            worker.client, secured.topology.cancel_subject(stage), lambda *ring: heard.append(ring)
        )
        await doorbell.start()
        await worker.client.flush()

        await dispatch(ingest, secured.topology).ring_cancel(design_id=design, generation=2)

        assert await eventually(lambda: heard == [(str(design), 2)])


def dispatch(broker: Broker, topology: Topology) -> Dispatch:
    """Ingest's way to the bus; nothing here reaches its database."""
    return Dispatch(Database("postgresql://nobody", application_name="test"), Publisher(broker), topology)


@pytest.mark.parametrize("user", [user for user in CHECKED if user is not BusUser.TOPOLOGY], ids=str)
async def test_status_hears_everybody_who_changes_designs(secured: SecuredBus, tenant: str, user: BusUser) -> None:
    """A ring of each service reaches the doorbell of status."""
    rung: list[tuple[str, UUID, int]] = []
    design = uuid4()

    class Heard:
        """Takes the place of the hub and of the resync."""

        def ring(self, *ring: Any) -> None:
            """Notes a ring."""
            rung.append(ring)

        def ask(self) -> None:
            """Is asked once there is a connection."""
            asked.set()

    asked = asyncio.Event()
    broker = Broker(secured.settings(BusUser.STATUS), name="test-status", on_fatal=pytest.fail)
    heard = cast("Any", Heard())
    Doorbell(broker, secured.topology, hub=heard, resync=heard, metrics=Metrics.silent())
    await broker.start()
    try:
        await asyncio.wait_for(asked.wait(), WITHIN_S)
        async with secured.login(user) as changer:
            payload = design_ring(design_id=design, tenant=tenant, revision=3, state=DesignState.READY)
            subject = secured.topology.design_subject(tenant, design)
            assert await published(changer, OutgoingMessage(subject, str(uuid4()), payload)) == [True]

            assert await eventually(lambda: rung == [(tenant, design, 3)])
    finally:
        await broker.stop()


async def test_an_administrator_counts_pauses_and_redrives(secured: SecuredBus, tenant: str) -> None:
    """A paused lane says so, a resumed one does not; a ticket of either stage can be published again."""
    topology = secured.topology
    async with secured.login(BusUser.INGEST_ADMIN) as broker:
        consumers = Consumers(broker, topology)
        for stage in Stage:
            await consumers.pause(stage, Lane, datetime.now(UTC) + timedelta(hours=1))
        assert all(one.pause_until_time is not None for one in await consumers.read())

        tickets = [ticket(topology, stage, lane, tenant) for stage in Stage for lane in Lane]
        assert await published(broker, *tickets) == [True] * len(tickets)
        assert [one.pending for one in await consumers.read()] == [1] * len(tickets)

        for stage in Stage:
            await consumers.resume(stage, Lane)
        assert all(one.pause_until_time is None for one in await consumers.read())
    for user, stage in WORKERS:
        async with secured.login(user) as broker:
            for lane in Lane:
                await settled(broker, await taken(broker, topology, stage, lane))


async def test_the_release_loop_hears_what_it_waits_for(secured: SecuredBus, tenant: str) -> None:
    """Both a job that is due, told by ingest, and work that was started, told by a worker, wake it."""
    topology, woken = secured.topology, asyncio.Event()
    broker = Broker(secured.settings(BusUser.INGEST_HOUSEKEEPING), name="test", on_fatal=pytest.fail)
    starts = Starts(broker, topology)
    starts.attach(woken.set)
    await broker.start()
    try:
        assert await broker.wait_connected(WITHIN_S)
        await starts.listen(each=1)
        await broker.client.flush()
        async with secured.login(BusUser.INGEST_API) as ingest:
            await dispatch(ingest, topology).tell_waiting()
            await asyncio.wait_for(woken.wait(), WITHIN_S)
        woken.clear()
        async with secured.login(BusUser.IMAGING) as worker:
            design = uuid4()
            payload = design_ring(design_id=design, tenant=tenant, revision=2, state=DesignState.PROCESSING)
            await Publisher(worker).ring(topology.design_subject(tenant, design), payload)
            await asyncio.wait_for(woken.wait(), WITHIN_S)
        await starts.rest()
    finally:
        await broker.stop()


async def test_the_sweeper_may_ask_for_what_is_stored(secured: SecuredBus, tenant: str) -> None:
    """It publishes a ticket once more, looks at what lies there and drops what nobody will get."""
    topology = secured.topology
    one = ticket(topology, Stage.MOCKUP, Lane.BULK, tenant)
    async with secured.login(BusUser.INGEST_HOUSEKEEPING) as broker:
        jetstream, headers = broker.jetstream, {HEADER_MSG_ID: one.msg_id}
        first = await jetstream.publish(one.subject, one.payload, headers=headers)
        again = await jetstream.publish(one.subject, one.payload, headers=headers)
        assert (first.duplicate, again.duplicate, again.seq) == (None, True, first.seq)

        assert (await jetstream.get_msg(topology.jobs_stream, first.seq)).data == one.payload
        assert await jetstream.delete_msg(topology.jobs_stream, first.seq)


async def test_the_mover_settles_what_the_broker_gave_up(secured: SecuredBus, tenant: str) -> None:
    """A message that names no job is delivered as often as may be; its copy ends in the stream of dead letters."""
    topology, stage, lane = secured.topology, Stage.MOCKUP, Lane.EXPRESS
    async with (
        secured.login(BusUser.INGEST_HOUSEKEEPING) as broker,
        secured.login(BusUser.MOCKUP) as worker,
        secured.login(BusUser.INGEST_ADMIN) as admin,
    ):
        publisher, stream = Publisher(broker), DeadStream(admin, topology)
        await publisher.start()
        unreadable = OutgoingMessage(topology.job_subject(stage, lane, tenant), str(uuid4()), b"\xff")
        assert await publisher.publish([unreadable], timeout_s=WITHIN_S) == [True]
        for _ in range(topology.max_deliver):
            await (await taken(worker, topology, stage, lane)).nak()
        one_more = lane_pull(worker, topology, stage, lane)
        await one_more.start()
        await one_more.stand()  # the broker gives the message up when somebody waits for it once more

        database = Database("postgresql://nobody", application_name="test")
        mover = Mover(database=database, broker=broker, publisher=publisher, topology=topology)
        moving = asyncio.create_task(mover.run())
        await until(stream.unreadable)
        [letter] = await stream.unreadable()

        async def moved() -> bool:
            return (await broker.jetstream.stream_info(topology.jobs_stream)).state.messages == 0

        await until(moved)
        assert letter.stage is stage
        assert await stream.remove([letter.sequence]) == 1
        moving.cancel()
        await asyncio.wait([moving])
        await one_more.stop()
