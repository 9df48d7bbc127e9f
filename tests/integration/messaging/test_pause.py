"""What a paused lane means for a worker."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from cutline.domain.states import Lane, Stage
from cutline.messaging.apply import apply_topology
from cutline.messaging.consumers import Consumers
from tests.integration.messaging.conftest import Floor, Job
from tests.integration.messaging.test_worker import Stand
from tests.support.polling import until


def _in(**span: float) -> datetime:
    return datetime.now(UTC) + timedelta(**span)


async def _state(floor: Floor, job: Job) -> str:
    return str((await floor.job(job))["state"])


async def test_a_paused_lane_gets_nothing_and_the_others_go_on(floor: Floor) -> None:
    """An idle worker's held pull delivers at once when the pause is ended; other lanes never notice."""
    consumers = Consumers(floor.broker, floor.topology)
    await floor.worker(Stand(floor))
    before = await floor.submit()
    await floor.until_state(before, "SUCCEEDED")

    await consumers.pause(Stage.IMAGING, [Lane.STANDARD], _in(hours=1))
    held = await floor.submit()
    express = [await floor.submit(lane=Lane.EXPRESS) for _ in range(5)]
    for job in express:
        await floor.until_state(job, "SUCCEEDED")
    await apply_topology(floor.broker.jetstream, floor.topology)
    assert await _state(floor, held) == "QUEUED"

    await consumers.resume(Stage.IMAGING, [Lane.STANDARD])
    await floor.until_state(held, "SUCCEEDED", within_s=5)
    assert await floor.outcomes(held) == ["SUCCEEDED"]


async def test_a_running_job_ends_and_is_settled_in_spite_of_a_pause(floor: Floor) -> None:
    """A pause that outlasts the ack wait neither fences out nor hands out again what is running."""
    stand = Stand(floor)
    stand.go_on.clear()
    await floor.worker(stand)
    job = await floor.submit()
    await stand.begun.wait()
    claimed = (await floor.job(job))["lease_time"]

    await Consumers(floor.broker, floor.topology).pause(Stage.IMAGING, Lane, _in(hours=1))

    async def outlived() -> bool:
        return bool((await floor.job(job))["lease_time"] > claimed + timedelta(seconds=floor.topology.ack_wait_s))

    await until(outlived)
    stand.go_on.set()
    await floor.until_state(job, "SUCCEEDED")
    await floor.until_settled()
    assert await floor.outcomes(job) == ["SUCCEEDED"]


async def test_a_worker_that_starts_into_a_pause_works_when_it_ends_by_itself(floor: Floor) -> None:
    """Every lane paused is an idle worker; what waits is done once the time has come, by nobody's doing."""
    consumers = Consumers(floor.broker, floor.topology)
    job = await floor.submit()
    await consumers.pause(Stage.IMAGING, Lane, _in(seconds=2))
    await floor.worker(Stand(floor))

    async def pulls_stand() -> bool:
        infos = await asyncio.gather(
            *(
                floor.broker.jetstream.consumer_info(
                    floor.topology.jobs_stream, floor.topology.consumer_name(Stage.IMAGING, lane)
                )
                for lane in Lane
            )
        )
        return all(info.num_waiting for info in infos)

    await until(pulls_stand)
    await floor.until_state(job, "SUCCEEDED")
    assert [one.pause_until_time for one in await consumers.read()] == [None] * 6
