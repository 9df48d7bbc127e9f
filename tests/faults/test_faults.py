"""A running Cutline is broken on purpose; nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from bench.faults.cancels import cancel_at_random
from bench.faults.farm import Farm
from bench.faults.faults import all_faults
from bench.faults.ledger import balance
from bench.faults.load import Load
from bench.faults.orders import Deed, Order
from cutline.client import dead_letter_filter
from cutline.domain.states import Lane, Stage
from tests.support.polling import until

pytestmark = pytest.mark.timeout(300)

PATIENCE_S = 100.0
FAULTS = 40
NEIGHBOURS = 12
CANCELS = 40
PAUSE_S = 0.5

_BURIED = "SELECT true FROM dead_letters WHERE design_id = $1"
_SUCCEEDED = "SELECT bool_and(state = 'SUCCEEDED') FROM jobs WHERE design_id = $1"


def orders(first: int, count: int, *, hold_s: float = 0.02) -> list[Order]:
    """Orders that make their files."""
    return [Order(first + number, hold_s=hold_s) for number in range(count)]


async def test_without_faults_every_job_runs_once(farm: Farm, load: Load) -> None:
    """Of 40 designs no job has a second attempt, and no more messages are out than slots and open pulls can hold."""
    pending = asyncio.create_task(_most_pending(farm, submitted := asyncio.Event()))
    await load.steadily(orders(1_000, 40), per_s=50)
    await load.ended(load.designs, within_s=PATIENCE_S)
    submitted.set()

    accounts = await balance(farm, frozenset(load.designs))

    assert accounts.faults(frozenset()) == []
    assert accounts.attempts == {"SUCCEEDED": 80}
    workers = len(farm.replicas("imaging"))
    assert 0 < await pending <= workers + workers * (len(Lane) - 1)


async def test_poison_dies_alone(farm: Farm, load: Load, tmp_path: Path) -> None:
    """Work that ends its process, hangs or eats memory is given up after its attempts; neighbours never notice.

    A dead mockup leaves its design READY and says so; what is mended and redriven ends READY.
    """
    cure = tmp_path / "cure"
    deeds = (Deed.EXIT, Deed.HANG, Deed.EAT)
    ids = [await load.submit(Order(2_000 + n, deed=deed, cure=str(cure))) for n, deed in enumerate(deeds)]
    without_mockup = await load.submit(Order(2_010, deed_in_mockup=Deed.EXIT, cure=str(cure)))
    await load.steadily(orders(2_100, NEIGHBOURS), per_s=5)

    await load.ended(load.designs, within_s=PATIENCE_S)
    await until(partial(farm.database.fetchval, _BURIED, without_mockup), within_s=PATIENCE_S)
    given_up = frozenset([*ids, without_mockup])
    accounts = await balance(farm, frozenset(load.designs))
    half_dead = await farm.client.designs.get(str(without_mockup))

    assert accounts.faults(given_up) == []
    assert {state: n for state, n in accounts.states.items() if state != "READY"} == {"FAILED": len(deeds)}
    assert half_dead.state == "READY"
    assert "MOCKUPS_UNAVAILABLE" in {finding.code for finding in half_dead.message.findings}
    assert half_dead.message.artifacts

    cure.touch()
    answer = await farm.client.queue.redrive(dead_letter_filter(tenant=half_dead.message.tenant))
    await farm.all_ended(within_s=PATIENCE_S)
    await until(partial(farm.database.fetchval, _SUCCEEDED, without_mockup), within_s=PATIENCE_S)

    assert (answer.redriven_count, answer.skipped_count) == (len(given_up), 0)
    mended = await balance(farm, frozenset(load.designs))
    assert mended.dead == frozenset()
    assert set(mended.states) == {"READY"}
    whole = await farm.client.designs.get(str(without_mockup))
    assert whole.message.mockups
    assert whole.message.revision > half_dead.message.revision


async def test_every_fault_is_survived(farm: Farm, load: Load, rng: random.Random) -> None:
    """Processes killed, stopped and rolled out, servers restarted or silent: all ends, once, with its files."""
    async with _steady_load(load, rng):
        for fault in all_faults(farm):
            await fault.strike(farm, rng)
    await farm.all_ended(within_s=PATIENCE_S)

    accounts = await balance(farm, frozenset(load.designs))

    assert accounts.faults(frozenset()) == []
    assert accounts.accepted >= FAULTS


async def test_cancelled_work_leaves_nothing(farm: Farm, load: Load, rng: random.Random) -> None:
    """Designs cancelled at random moments show no artifact and get no further attempt; the workers go on."""
    found = await cancel_at_random(load, rng, count=CANCELS, per_s=10, first=4_000)
    after = await load.submit(Order(4_999))

    await farm.all_ended(within_s=PATIENCE_S)

    assert found.cancelled > CANCELS // 3
    assert (found.visible, found.started_later) == ((), ())
    assert (await farm.client.designs.get(str(after))).state == "READY"
    assert (await balance(farm, frozenset(load.designs))).faults(frozenset()) == []


@asynccontextmanager
async def _steady_load(load: Load, rng: random.Random) -> AsyncIterator[None]:
    """Submits some orders a second, a few of them long, until the block ends."""
    over = asyncio.Event()

    async def submit() -> None:
        for number in range(3_000, 4_000):
            if over.is_set() and number >= 3_000 + FAULTS:
                return
            await load.submit(Order(number, hold_s=1.0 if rng.random() < 0.15 else 0.02))
            await asyncio.sleep(PAUSE_S)

    async with asyncio.TaskGroup() as group:
        group.create_task(submit())
        try:
            yield
        finally:
            over.set()


async def _most_pending(farm: Farm, over: asyncio.Event) -> int:
    """The most messages that one lane of imaging had out at a time, as the broker counts them."""
    most = 0
    async with farm.jetstream() as jetstream:
        name = farm.topology.consumer_name(Stage.IMAGING, Lane.STANDARD)
        while not over.is_set():
            info = await jetstream.consumer_info(farm.topology.jobs_stream, name)
            most = max(most, info.num_ack_pending or 0)
    return most
