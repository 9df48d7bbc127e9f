"""How slots are shared among lanes, and how many messages are out at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial

from cutline.domain.states import Lane, Stage
from cutline.messaging.apply import apply_topology
from cutline.messaging.lanes import DEFAULT_WEIGHTS
from cutline.messaging.outcomes import Done, Outcome
from cutline.messaging.topology import Topology
from cutline.messaging.work import Work
from tests.integration.messaging.conftest import Floor
from tests.integration.messaging.test_worker import RESULTS
from tests.support.polling import until


async def test_bulk_has_its_share_beside_saturated_express(floor: Floor) -> None:
    """While both lanes have work, bulk gets what its weight says, within 30 %."""
    begun: list[Lane] = []

    async def handler(work: Work) -> Outcome:
        begun.append(work.claim.lane)
        return _done(floor, work)

    jobs = [await floor.submit(lane=lane) for lane in (Lane.EXPRESS,) * 100 + (Lane.BULK,) * 30]
    await floor.worker(handler, slots=3)
    for job in jobs:
        await floor.until_state(job, "SUCCEEDED")

    contested = 91
    share = DEFAULT_WEIGHTS[Lane.BULK] / (DEFAULT_WEIGHTS[Lane.BULK] + DEFAULT_WEIGHTS[Lane.EXPRESS])
    first = Counter(begun[:contested])
    assert Lane.EXPRESS in begun[contested:]
    assert Lane.BULK in begun[contested:]
    assert 0.7 * share <= first[Lane.BULK] / contested <= 1.3 * share


async def test_no_more_messages_are_out_than_the_consumer_allows(floor: Floor) -> None:
    """A bound below the slots is kept by the broker; the worker waits for it, and each job has one attempt."""
    bound = 4
    narrow = Topology(ack_wait_s=2.0, max_ack_pending=dict.fromkeys(Stage, bound))
    await apply_topology(floor.broker.jetstream, narrow)
    go_on, inside, most = asyncio.Event(), set(), 0

    async def handler(work: Work) -> Outcome:
        nonlocal most
        inside.add(work.claim.job_id)
        most = max(most, len(inside))
        await go_on.wait()
        inside.remove(work.claim.job_id)
        return _done(floor, work)

    await floor.worker(handler, slots=8)
    jobs = [await floor.submit() for _ in range(20)]

    async def full() -> bool:
        return len(inside) == bound and await floor.unacked() == bound

    await until(full)
    go_on.set()
    for job in jobs:
        await floor.until_state(job, "SUCCEEDED")
        assert await floor.outcomes(job) == ["SUCCEEDED"]
    assert most <= bound
    await floor.until_settled()


def _done(floor: Floor, work: Work) -> Done:
    return Done(partial(floor.results().imaging_done, work.claim, RESULTS, mockups_wanted=False, traceparent=""))
