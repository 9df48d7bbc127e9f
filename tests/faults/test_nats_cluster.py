"""A broker of three nodes loses its leader, hangs and loses its quorum; nothing accepted is lost or done twice."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import pytest
from nats.js import JetStreamContext
from nats.js.errors import APIError

from bench.faults.cluster import Schedule, run
from bench.faults.cluster_faults import Role, cluster_faults
from cutline.embedded.servers import EmbeddedServers
from cutline.messaging.apply import apply_topology, verify_topology
from cutline.messaging.connection import Broker
from cutline.messaging.publisher import OutgoingMessage, Publisher
from cutline.messaging.topology import Topology

pytestmark = pytest.mark.timeout(240)

DESIGNS = 40
PER_S = 10.0
ACK_WAIT_S = 2.0


@asynccontextmanager
async def _jetstream(cluster: EmbeddedServers) -> AsyncIterator[JetStreamContext]:
    connection = await nats.connect(cluster.nats_url.split(","))
    try:
        yield connection.jetstream()
    finally:
        await connection.close()


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[EmbeddedServers]:
    """Three nodes, and the other servers."""
    async with EmbeddedServers(tmp_path, nats_nodes=3) as servers:
        yield servers


async def test_a_cluster_loses_nothing(tmp_path: Path) -> None:
    """Leader killed, hung and a lame duck, quorum away for ten seconds: none refused, all accepted end once."""
    hit = [fault for fault in cluster_faults(Role.JOBS) if fault.name != "quorum hung"]
    schedule = Schedule(hit, per_s=PER_S, ack_wait_s=ACK_WAIT_S, seed=20, pause_s=0.5)

    outcome = await run(tmp_path, schedule)

    assert outcome.broken == ()
    assert outcome.answers.submits >= DESIGNS
    assert outcome.accounts.states == {"READY": outcome.answers.submits}
    assert [struck.recovery.fault for struck in outcome.struck] == [fault.name for fault in hit]


async def test_the_topology_waits_for_a_node(tmp_path: Path) -> None:
    """Two nodes cannot hold three copies: applying waits for the third, and says what is wrong if it does not come."""
    servers = EmbeddedServers(tmp_path, nats_nodes=3)
    topology = Topology(replicas=servers.nats_cluster.replicas)
    first, second, late = servers.nats_cluster.nodes
    try:
        await asyncio.gather(first.start(), second.start())
        async with _jetstream(servers) as jetstream:
            with pytest.raises(APIError, match="no suitable peers"):
                await apply_topology(jetstream, topology, placement_wait_s=0)
            await asyncio.gather(apply_topology(jetstream, topology), late.start())

            assert not await verify_topology(jetstream, topology)
    finally:
        await servers.stop()


async def test_a_client_moves_to_nodes_it_was_told_of(cluster: EmbeddedServers) -> None:
    """Given one node's address, a client goes to another when that one hangs with its socket full, and publishes there.

    Every stream has three copies, or the hung node could have had the only one.
    """
    topology = Topology(replicas=cluster.nats_cluster.replicas)
    fatal: list[str] = []
    broker = Broker(cluster.nats.url(), name="test", on_fatal=fatal.append)
    publisher = Publisher(broker)
    await broker.start()
    assert await broker.wait_connected(10)
    await apply_topology(broker.jetstream, topology)
    await publisher.start()
    first = broker.client.connected_url
    os.kill(cluster.nats.program_id, signal.SIGSTOP)
    try:
        async with asyncio.timeout(60):
            while broker.client.connected_url in {None, first}:
                await publisher.ring_all([("any.ring", bytes(10_000))] * 10)
                await asyncio.sleep(0.01)
        message = OutgoingMessage("dead.imaging.test", "1", b"x")
        stored = [False]
        while not stored[0]:  # the streams elect their leaders
            stored = await publisher.publish([message], timeout_s=2.0)
        config = (await broker.jetstream.stream_info(topology.dead_stream)).config
    finally:
        os.kill(cluster.nats.program_id, signal.SIGCONT)
        await broker.stop()

    assert config.num_replicas == 3
    assert fatal == []
