"""Waiting jobs are released in turn: nobody waits for a tenant that has much, and nothing waits for a clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bench.delivery.worker import NOTHING
from cutline.domain.errors import Reason
from cutline.domain.states import Lane, Stage
from cutline.store.results import Results
from services.ingest.settings import BacklogLimits
from tests.integration.ingest.hand_worker import HandWorker
from tests.integration.ingest.parts import Bench, make_bench, running

if TYPE_CHECKING:
    from cutline.store.submissions import Submission

Make = Callable[..., "Submission"]

SLOTS = 4
WINDOW = 6


@pytest.fixture
def limits() -> BacklogLimits:
    """A small window, and as a lane's target the same."""
    return BacklogLimits(release_window=WINDOW)


@pytest.fixture
async def patient_bench(postgres_dsn: str, nats_url: str, limits: BacklogLimits) -> AsyncIterator[Bench]:
    """Parts whose release loop looks by itself once an hour."""
    async with running(make_bench(postgres_dsn, nats_url, limits, release_interval_s=3600)) as made:
        yield made


@asynccontextmanager
async def releasing(bench: Bench) -> AsyncIterator[None]:
    """The bench's release loop runs meanwhile."""
    task = asyncio.create_task(bench.release.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def submit_many(bench: Bench, make: Make, tenant: str, number: int) -> None:
    """So many different designs of one tenant."""
    await asyncio.gather(*(bench.submit(make(tenant, reference=str(index))) for index in range(number)))


async def test_one_job_behind_five_thousand_starts_among_the_next(bench: Bench, make: Make, tenant: str) -> None:
    """Another tenant's job starts within two rounds of the slots and one window, whatever the first one has waiting."""
    await submit_many(bench, make, tenant, 5_000)
    worker = HandWorker(bench, slots=SLOTS)
    other = make("other-tenant")
    async with releasing(bench):
        for _ in range(3):
            await worker.take()
            await worker.finish()
        await bench.submit(other)
        starts = 0
        while True:
            await worker.finish()
            claims = await worker.take()
            starts += len(claims)
            if other.design_id in {claim.design_id for claim in claims}:
                break
            assert starts < 2 * SLOTS + WINDOW
    assert starts <= 2 * SLOTS + WINDOW


async def test_starts_alone_release_what_waits(patient_bench: Bench, make: Make, tenant: str) -> None:
    """A tenant's hundred jobs pass a window of six although the loop's own time is an hour."""
    worker = HandWorker(patient_bench, slots=SLOTS)
    async with releasing(patient_bench):
        await submit_many(patient_bench, make, tenant, 100)
        for _ in range(100):
            if not worker.taken:
                await worker.take()
            await worker.finish()

    assert set((await patient_bench.job_states()).values()) == {"SUCCEEDED"}


async def test_forty_retrying_jobs_delay_nobody(bench: Bench, make: Make, tenant: str) -> None:
    """They wait in the database and hold no place at the broker: the next message is the other tenant's."""
    worker = HandWorker(bench, slots=40)
    for number in range(40):
        await bench.submit(make(tenant, reference=str(number)))
        await bench.release.release_once()
        (claim,) = await worker.take(1)
        message, _ = worker.taken.pop()
        await worker.attempts.retry(claim, Reason.INTERNAL, "again", after_s=60)
        await message.ack_sync(timeout=5)
    other = make("other-tenant")
    await bench.submit(other)

    (claim,) = await worker.take(1)

    assert claim.design_id == other.design_id
    consumer = bench.topology.consumer_name(Stage.IMAGING, Lane.STANDARD)
    info = await bench.broker.jetstream.consumer_info(bench.topology.jobs_stream, consumer)
    assert (info.num_ack_pending, info.num_pending) == (1, 0)


async def test_a_later_job_does_not_overtake_those_that_wait(bench: Bench, make: Make, tenant: str) -> None:
    """While earlier jobs of a tenant wait for their turn, a new one waits too, though the window has room again."""
    rows = [make(tenant, reference=str(number)) for number in range(WINDOW + 1)]
    for row in rows:
        await bench.submit(row)
    await HandWorker(bench, slots=1).take()
    await bench.backlog.refresh(bench.database)

    late = make(tenant, reference="late")
    await bench.submit(late)

    assert (await bench.job_states())[late.design_id] == "WAITING"
    assert await bench.release.release_once() == 1
    states = await bench.job_states()
    assert (states[rows[-1].design_id], states[late.design_id]) == ("QUEUED", "WAITING")


async def test_two_loops_do_not_fill_a_window_twice(bench: Bench, second_bench: Bench, make: Make, tenant: str) -> None:
    """Released jobs never exceed the window, however many processes release."""
    await submit_many(bench, make, tenant, 3 * WINDOW)
    worker = HandWorker(bench, slots=SLOTS)
    for _ in range(5):
        await worker.take()
        await asyncio.gather(*(one.release.release_once() for one in (bench, second_bench, bench, second_bench)))
        assert await bench.database.fetchval("SELECT count(*) FROM jobs WHERE state = 'QUEUED'") <= WINDOW
        while worker.taken:
            await worker.finish()


async def test_scheduled_and_immediate_are_released_alike(bench: Bench, make: Make, tenant: str) -> None:
    """A job whose time has come passes the same window as the others, oldest time first."""
    past = datetime.now(UTC) - timedelta(minutes=5)
    scheduled = make(tenant, reference="scheduled", not_before_time=past)
    await bench.submit(scheduled)
    await submit_many(bench, make, tenant, WINDOW)

    assert await bench.release.release_once() == 0
    await HandWorker(bench, slots=1).take()
    assert await bench.release.release_once() == 1
    assert (await bench.job_states())[scheduled.design_id] == "QUEUED"


async def test_the_mockups_of_a_tenant_with_many_wait_for_their_turn(bench: Bench, make: Make, tenant: str) -> None:
    """The next stage has a window too: what is beyond has no message, and another tenant's is published at once."""
    results = Results(bench.database, bench.topology, release_window=2)
    worker = HandWorker(bench, slots=1)
    outbox = {}
    for owner, reference in ((tenant, "a"), (tenant, "b"), (tenant, "c"), ("other-tenant", "")):
        row = make(owner, reference=reference)
        await bench.submit(row)
        (claim,) = await worker.take()
        committed = await results.imaging_done(claim, NOTHING, mockups_wanted=True, traceparent="")
        assert committed is not None
        outbox[owner, reference] = len(committed.outbox)
        message, _ = worker.taken.pop()
        await message.ack_sync(timeout=5)

    assert outbox == {(tenant, "a"): 1, (tenant, "b"): 1, (tenant, "c"): 0, ("other-tenant", ""): 1}
    assert await bench.database.fetchval("SELECT count(*) FROM jobs WHERE state = 'WAITING'") == 1
    assert await bench.release.release_once() == 1
    name = bench.topology.consumer_name(Stage.MOCKUP, Lane.STANDARD)
    info = await bench.broker.jetstream.consumer_info(bench.topology.jobs_stream, name)
    assert info.num_pending == 1  # the loop sends what it released; the worker sends the others


class TestLaneTarget:
    """A lane is filled up to its target even where one tenant alone has work."""

    @pytest.fixture
    def limits(self) -> BacklogLimits:
        """A window of two in a lane that asks for seven."""
        return BacklogLimits(release_window=2, release_target=7)

    async def test_a_tenant_that_is_alone_fills_the_lane(self, bench: Bench, make: Make, tenant: str) -> None:
        """Two inline, five more by the loop, then nothing until one starts."""
        await submit_many(bench, make, tenant, 20)

        assert await bench.release.release_once() == 5
        assert await bench.release.release_once() == 0
        await HandWorker(bench, slots=1).take()
        assert await bench.release.release_once() == 1

    async def test_two_tenants_share_the_lane(self, bench: Bench, make: Make, tenant: str) -> None:
        """What is beyond the windows goes to whoever has the fewest released."""
        await submit_many(bench, make, tenant, 20)
        await submit_many(bench, make, "other-tenant", 20)

        assert await bench.release.release_once() == 3
        rows = await bench.database.fetch(
            "SELECT tenant, count(*) AS number FROM jobs WHERE state = 'QUEUED' GROUP BY tenant"
        )
        assert sorted(row["number"] for row in rows) == [3, 4]

    async def test_another_lane_has_a_target_of_its_own(self, bench: Bench, make: Make, tenant: str) -> None:
        """A full lane takes nothing away from the next."""
        await submit_many(bench, make, tenant, 9)
        await asyncio.gather(
            *(bench.submit(make(tenant, reference=f"bulk-{index}", lane=Lane.BULK)) for index in range(9))
        )

        assert await bench.release.release_once() == 10
