"""Silent jobs are judged by their own message: where it waits nothing happens, where it does not it is replaced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import nats.errors
import pytest

from cutline.messaging.apply import apply_topology
from cutline.messaging.topology import HEADER_MSG_ID, Topology, job_msg_id
from services.ingest.settings import BacklogLimits
from tests.integration.ingest.hand_worker import HandWorker
from tests.integration.ingest.parts import Bench, make_bench, running

if TYPE_CHECKING:
    from cutline.store.submissions import Submission

Make = Callable[..., "Submission"]


async def accept(bench: Bench, row: Submission) -> Submission:
    """Accepts a design whose message is known to be published."""
    await bench.submit(row)
    await bench.database.execute("DELETE FROM outbox")
    return row


async def stored_ids(bench: Bench) -> list[str]:
    """The id of every message in the stream of jobs, in order."""
    jetstream, stream = bench.broker.jetstream, bench.topology.jobs_stream
    state = (await jetstream.stream_info(stream)).state
    found = []
    for sequence in range(max(state.first_seq, 1), state.last_seq + 1):
        message = await jetstream.get_msg(stream, sequence)
        found.append((message.headers or {})[HEADER_MSG_ID])
    return found


async def test_the_place_of_a_waiting_message_is_asked_for_once(bench: Bench, make: Make, tenant: str) -> None:
    """The first look asks the broker by the same id and keeps the sequence; the next looks there."""
    row = await accept(bench, make(tenant))

    assert await bench.sweeper.sweep_once() == 0
    assert await bench.database.fetchval("SELECT stream_sequence FROM jobs") == 1
    assert await bench.sweeper.sweep_once() == 0

    assert await stored_ids(bench) == [job_msg_id(row.job_id, 1)]


async def test_a_message_that_went_after_it_was_seen_is_replaced(bench: Bench, make: Make, tenant: str) -> None:
    """The job gets a new publication, and its old place is forgotten with the old one."""
    row = await accept(bench, make(tenant))
    await bench.sweeper.sweep_once()
    await bench.broker.jetstream.delete_msg(bench.topology.jobs_stream, 1)

    assert await bench.sweeper.sweep_once() == 1

    assert await stored_ids(bench) == [job_msg_id(row.job_id, 2)]
    assert await bench.database.fetchval("SELECT stream_sequence FROM jobs") is None


async def test_a_message_that_was_never_stored_is_stored(bench: Bench, make: Make, tenant: str) -> None:
    """A broker that lost everything gets the same publication; nothing is counted as lost."""
    row = await accept(bench, make(tenant))
    await bench.broker.jetstream.delete_stream(bench.topology.jobs_stream)
    await apply_topology(bench.broker.jetstream, bench.topology)

    assert await bench.sweeper.sweep_once() == 0

    assert await stored_ids(bench) == [job_msg_id(row.job_id, 1)]
    assert await bench.database.fetchval("SELECT publication FROM jobs") == 1


async def test_another_message_at_the_place_is_not_mistaken(bench: Bench, make: Make, tenant: str) -> None:
    """In a stream that was made anew another job's message may lie where this one lay."""
    row = await accept(bench, make(tenant, reference="first"))
    await bench.sweeper.sweep_once()
    await bench.broker.jetstream.delete_stream(bench.topology.jobs_stream)
    await apply_topology(bench.broker.jetstream, bench.topology)
    await bench.submit(make(tenant, reference="second"))  # lies at sequence 1 now, and still in the outbox

    assert await bench.sweeper.sweep_once() == 1

    assert job_msg_id(row.job_id, 2) in await stored_ids(bench)


async def test_two_sweepers_replace_a_message_once(bench: Bench, second_bench: Bench, make: Make, tenant: str) -> None:
    """Both find it gone, one gives the job its next publication."""
    rows = [await accept(bench, make(tenant, reference=str(number))) for number in range(20)]
    await bench.broker.jetstream.purge_stream(bench.topology.jobs_stream)

    replaced = await asyncio.gather(bench.sweeper.sweep_once(), second_bench.sweeper.sweep_once())

    assert sum(replaced) == 20
    assert sorted(await stored_ids(bench)) == sorted(job_msg_id(row.job_id, 2) for row in rows)


async def test_work_that_began_meanwhile_is_left_alone(bench: Bench, make: Make, tenant: str) -> None:
    """A job that a worker holds is not silent, although its message was delivered long ago."""
    await accept(bench, make(tenant))
    await HandWorker(bench, slots=1).take()

    assert await bench.sweeper.sweep_once() == 0

    assert await bench.database.fetchval("SELECT state || publication FROM jobs") == "RUNNING1"


class TestGivenUp:
    """A broker that has delivered a message as often as it does."""

    @pytest.fixture
    async def bench(self, postgres_dsn: str, nats_url: str) -> AsyncIterator[Bench]:
        """Parts around a broker that delivers once; no mover runs."""
        topology = Topology(max_deliver=1)
        async with running(make_bench(postgres_dsn, nats_url, BacklogLimits(), topology=topology)) as made:
            yield made

    async def test_a_message_nobody_will_get_is_replaced(self, bench: Bench, make: Make, tenant: str) -> None:
        """It still lies in the stream, but the broker is done with it: the advisory may have been lost."""
        row = await accept(bench, make(tenant))
        subscription = await bench.broker.jetstream.pull_subscribe_bind(
            "imaging-standard", stream=bench.topology.jobs_stream
        )
        (message,) = await subscription.fetch(1, timeout=10)
        await message.nak()
        with pytest.raises(nats.errors.TimeoutError):
            await subscription.fetch(1, timeout=0.5)
        await subscription.unsubscribe()

        assert await bench.sweeper.sweep_once() == 1

        assert await stored_ids(bench) == [job_msg_id(row.job_id, 2)]
