"""A broker that lost its streams or takes no more: services see it, say it, and do not flood their logs with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from nats.js.api import DiscardPolicy, StreamConfig
from structlog.testing import capture_logs

from cutline.messaging import lanes
from cutline.messaging.apply import apply_topology
from cutline.messaging.connection import Broker
from cutline.messaging.lanes import LanePull
from cutline.messaging.publisher import OutgoingMessage, Publisher
from cutline.messaging.topology import Topology
from cutline.messaging.topology_check import TopologyCheck
from cutline.runtime.lifecycle import Lifecycle

MESSAGES = 50
PULLS = 3


@pytest.fixture
async def broker(nats_url: str) -> AsyncIterator[Broker]:
    """A connection to a broker without any stream."""
    connection = Broker(nats_url, name="test", on_fatal=lambda _: None)
    async with Lifecycle([connection]):
        assert await connection.wait_connected(10)
        yield connection


async def test_a_stream_that_is_full_is_told_once(broker: Broker) -> None:
    """Of fifty messages it takes one; the refusals of the others are a single line."""
    await broker.jetstream.add_stream(
        StreamConfig(name="full", subjects=["full"], max_msgs=1, discard=DiscardPolicy.NEW)
    )
    publisher = Publisher(broker)
    await publisher.start()

    with capture_logs() as lines:
        held = await publisher.publish(
            [OutgoingMessage("full", str(number), b"") for number in range(MESSAGES)], timeout_s=10
        )

    assert held == [True, *[False] * (MESSAGES - 1)]
    assert [line["event"] for line in lines] == ["publish.refused"]


async def test_a_consumer_that_is_missing_is_told_once(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lane that is asked again and again says once why nothing comes."""
    monkeypatch.setattr(lanes, "_REFUSED_PAUSE_S", 0.01)
    noticed = asyncio.Event()
    pull = LanePull(broker.client, stream="JOBS", consumer="none", notify=noticed.set)
    await pull.start()

    with capture_logs() as lines:
        for _ in range(PULLS):
            await pull.stand()
            while pull.open:
                noticed.clear()
                await asyncio.wait_for(noticed.wait(), 10)
    await pull.stop()

    assert [line["event"] for line in lines] == ["lane.pull_refused"]


async def test_a_stream_that_is_lost_while_services_run_is_seen(broker: Broker) -> None:
    """Readiness looks again after a while, and names what is missing until it is there again."""
    topology = Topology()
    check = TopologyCheck(broker, topology, believed_s=0.0)
    await apply_topology(broker.jetstream, topology)
    assert await check.problem() is None

    await broker.jetstream.delete_stream(topology.jobs_stream)

    assert f"the stream {topology.jobs_stream} is missing" in (await check.problem() or "")
    await apply_topology(broker.jetstream, topology)
    assert await check.problem() is None
