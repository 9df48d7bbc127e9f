"""Jobs that take their process with them, and workers that are stopped and wake up again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cutline.domain.states import Lane
from cutline.embedded.process import LeashedProcess, Order
from cutline.messaging.outcomes import Outcome
from cutline.messaging.slot import SlotFunction, SlotPlan
from cutline.messaging.work import Work
from tests.integration.messaging.conftest import Floor
from tests.integration.messaging.test_worker import Stand
from tests.support import slot_work
from tests.support.polling import eventually, until

MEBIBYTE = 1024 * 1024
CHECKOUT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("function", "arguments", "outcomes", "reason"),
    [
        (slot_work.die, (), ["CRASHED"] * 3, "WORKER_CRASHED"),
        (slot_work.hang, (), ["CRASHED"] * 3, "DEADLINE_HARD"),
        (slot_work.allocate, (2048 * MEBIBYTE,), ["FAILED"] * 4, "MEMORY_LIMIT"),
    ],
)
async def test_poison_is_dead_after_its_attempts_and_its_neighbours_are_unharmed(
    floor: Floor, function: SlotFunction, arguments: tuple[object, ...], outcomes: list[str], reason: str
) -> None:
    """Work that dies, hangs or eats memory ends in a dead letter; jobs beside it run once, and the worker goes on."""
    poison, sound = Stand(floor), Stand(floor)
    poison.function, poison.arguments = function, arguments

    async def handler(work: Work) -> Outcome:
        return await (poison if work.claim.lane is Lane.BULK else sound)(work)

    plan = SlotPlan(warm_up="tests.support.slot_work:warm_up_numpy", memory_limit_bytes=512 * MEBIBYTE)
    await floor.worker(handler, slots=2, deadline_s=3.0, plan=plan)
    poisoned = await floor.submit(lane=Lane.BULK, max_attempts=4)
    neighbours = []
    for _ in outcomes[:-1]:
        neighbours.append(await floor.submit())
        await floor.until_state(poisoned, "WAITING")
        await floor.release(poisoned)

    await floor.until_state(poisoned, "DEAD")

    assert await floor.outcomes(poisoned) == outcomes
    assert (await floor.design(poisoned))["failure_reason"] == reason
    neighbours.append(await floor.submit())
    for job in neighbours:
        await floor.until_state(job, "SUCCEEDED")
        assert await floor.outcomes(job) == ["SUCCEEDED"]
    await floor.until_settled()


async def test_a_worker_whose_slots_cannot_start_leaves_its_jobs_to_others(floor: Floor, tmp_path: Path) -> None:
    """What a slot needs is gone: its worker says so, gives back what it holds, and is whole again once mended."""
    broken = tmp_path / "broken"
    poison, heir = Stand(floor), Stand(floor)
    poison.function, poison.arguments = slot_work.die, ()
    plan = SlotPlan(warm_up="tests.support.slot_work:warm_up_unless", warm_up_arguments=(str(broken),))
    worker = await floor.worker(poison, plan=plan)
    broken.touch()
    await floor.until_state(await floor.submit(), "WAITING")
    job = await floor.submit(lane=Lane.BULK)  # the worker's pull of this lane still stands open

    async def delivered() -> bool:
        return await floor.unacked(Lane.BULK) == 1

    async def mended() -> bool:
        return await worker.problem() is None

    await until(delivered)
    await floor.worker(heir, name="heir")
    await floor.until_state(job, "SUCCEEDED")

    assert await worker.problem() == "1 of 1 slots are not warm"
    assert await floor.outcomes(job) == ["SUCCEEDED"]
    assert len(poison.claims) == 1
    broken.unlink()
    await until(mended)


async def test_poison_that_ends_the_worker_itself_is_buried_and_the_worker_lives_on(
    floor: Floor, postgres_dsn: str, tmp_path: Path
) -> None:
    """A job that kills its worker three times is dead; the restarted worker then works on, and others lose nothing."""
    poisoned = await floor.submit(lane=Lane.BULK, max_attempts=20)
    deaths = 0
    while (await floor.job(poisoned))["state"] != "DEAD":
        async with _worker_process(floor, postgres_dsn, tmp_path) as process:
            died = asyncio.create_task(process.wait())
            buried = asyncio.create_task(floor.until_state(poisoned, "DEAD"))
            await asyncio.wait({died, buried}, return_when=asyncio.FIRST_COMPLETED)
            deaths += died.done()
            if buried.done():
                sound = await floor.submit()
                await floor.until_state(sound, "SUCCEEDED")
                assert process.running
            buried.cancel()

    assert deaths == 3
    assert await floor.outcomes(poisoned) == ["CRASHED"] * 3
    assert (await floor.design(poisoned))["failure_reason"] == "WORKER_CRASHED"
    await floor.until_settled()


async def test_a_stopped_worker_that_wakes_up_harms_nothing(floor: Floor, postgres_dsn: str, tmp_path: Path) -> None:
    """A worker stopped beyond its lease writes nothing when it goes on, and leaves the heir's message alone."""
    heir = Stand(floor)
    heir.go_on.clear()
    job = await floor.submit(lane=Lane.EXPRESS)
    async with _worker_process(floor, postgres_dsn, tmp_path) as process:
        assert await eventually((tmp_path / "begun").exists)
        os.kill(process.program_id, signal.SIGSTOP)
        await floor.worker(heir, name="heir")
        await heir.begun.wait()

        (tmp_path / "go").touch()
        os.kill(process.program_id, signal.SIGCONT)
        await until(lambda: _said(process, "superseded"))

        assert (await floor.unacked(Lane.EXPRESS), await floor.messages()) == (1, 1)
        assert await floor.outcomes(job) == ["CRASHED", None]
        heir.go_on.set()
        await floor.until_state(job, "SUCCEEDED")
        await floor.until_settled()
    assert heir.claims == [(job.job_id, 2)]
    assert await floor.outcomes(job) == ["CRASHED", "SUCCEEDED"]
    assert await floor.database.fetchval("SELECT count(*) FROM artifacts") == 1


async def _said(process: LeashedProcess, words: str) -> bool:
    return words in await asyncio.to_thread(process.log_path.read_text)


@asynccontextmanager
async def _worker_process(floor: Floor, postgres_dsn: str, folder: Path) -> AsyncIterator[LeashedProcess]:
    process = await LeashedProcess.start(
        (sys.executable, "-m", "tests.support.worker_process"),
        log_path=folder / "worker.log",
        env={
            **os.environ,
            "TEST_WORKER": "process",
            "TEST_ACK_WAIT_S": str(floor.topology.ack_wait_s),
            "TEST_POSTGRES_DSN": postgres_dsn,
            "TEST_NATS_URL": floor.nats_url,
            "TEST_FOLDER": str(folder),
        },
        cwd=CHECKOUT,
        order=Order(grace_s=10.0),
    )
    try:
        yield process
    finally:
        await process.stop()
