"""What becomes of work whose worker dies, hangs, is told to stop, or is only slow."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from cutline.domain.errors import Reason
from cutline.domain.states import Lane, Stage
from cutline.jobs.v1.ticket_pb2 import JobTicket
from cutline.messaging import lanes
from cutline.messaging.outcomes import Done, Outcome
from cutline.messaging.tickets import cancel_ring
from cutline.messaging.work import Work
from cutline.messaging.worker import PullWorker
from cutline.runtime.lifecycle import Lifecycle
from cutline.store.attempts import Attempts, Claim, Refusal, Standing
from tests.integration.messaging.conftest import Floor, Job
from tests.integration.messaging.test_worker import RESULTS, Stand, cancel
from tests.support import slot_work
from tests.support.polling import until


def _attempts(floor: Floor, worker: str, *, lease_s: float = 30.0) -> Attempts:
    return Attempts(floor.database, floor.topology, worker=worker, lease_s=lease_s)


def _ticket(job: Job, publication: int = 1) -> JobTicket:
    return JobTicket(
        job_id=str(job.job_id),
        design_id=str(job.design_id),
        tenant=job.tenant,
        generation=1,
        publication=publication,
    )


async def _claim(floor: Floor, job: Job, worker: str, *, lease_s: float = 30.0) -> Claim:
    claim = await _attempts(floor, worker, lease_s=lease_s).claim(_ticket(job), Stage.IMAGING)
    assert isinstance(claim, Claim)
    return claim


async def test_a_fenced_out_attempt_commits_nothing(floor: Floor) -> None:
    """Once a newer attempt holds the job, every write of the older one changes nothing, and the newer one commits."""
    job = await floor.accept()
    old = await _claim(floor, job, "slow", lease_s=0)
    new = await _claim(floor, job, "fresh")
    assert (old.attempt, new.attempt, new.crash_count) == (1, 2, 1)
    slow, results = _attempts(floor, "slow"), floor.results()
    revision = (await floor.design(job))["revision"]

    assert await results.imaging_done(old, RESULTS, mockups_wanted=True, traceparent="") is None
    assert await slow.retry(old, Reason.INTERNAL, "late") is None
    assert await slow.reject(old, Reason.INTERNAL, "late") is None
    assert await slow.crash(old, Reason.WORKER_CRASHED, "late") is None
    assert await slow.snooze(old, 1) is None
    assert await slow.interrupt(old) is None
    assert await slow.tell_progress(old, 0.5) is None
    assert await slow.renew(old) is Standing.LOST

    assert (await floor.design(job))["revision"] == revision
    assert await floor.outcomes(job) == ["CRASHED", None]
    assert await results.imaging_done(new, RESULTS, mockups_wanted=True, traceparent="") is not None
    assert await results.imaging_done(new, RESULTS, mockups_wanted=True, traceparent="") is None


async def test_a_live_lease_refuses_a_second_attempt(floor: Floor) -> None:
    """While an attempt renews, a second copy of its message gets no attempt and must not be settled."""
    job = await floor.accept()
    claim = await _claim(floor, job, "first")

    assert await _attempts(floor, "second").claim(_ticket(job), Stage.IMAGING) is Refusal.RUNNING

    assert await _attempts(floor, "first").renew(claim) is Standing.HELD
    assert await floor.outcomes(job) == [None]


async def test_a_superseded_generation_is_not_claimed(floor: Floor) -> None:
    """A ticket of an older generation than the design's starts nothing."""
    job = await floor.accept()
    await floor.database.execute("UPDATE designs SET generation = 2, state = 'QUEUED'")

    assert await _attempts(floor, "worker").claim(_ticket(job), Stage.IMAGING) is Refusal.NOT_WANTED


async def test_a_run_of_a_design_that_moved_on_is_fenced_out(floor: Floor) -> None:
    """Results of a generation that was superseded while it ran are not written."""
    job = await floor.accept()
    claim = await _claim(floor, job, "worker")
    await floor.database.execute("UPDATE designs SET generation = 2, state = 'QUEUED'")

    assert await floor.results().imaging_done(claim, RESULTS, mockups_wanted=True, traceparent="") is None

    assert await floor.database.fetchval("SELECT count(*) FROM artifacts") == 0
    assert (await floor.job(job))["state"] == "RUNNING"


async def test_workers_that_die_three_times_bury_the_job_at_the_claim(floor: Floor) -> None:
    """An attempt that never ended and whose lease ran out is a crash; after the third the next claim buries the job."""
    job = await floor.accept()
    for _ in range(3):
        await _claim(floor, job, "doomed", lease_s=0)

    buried = await _attempts(floor, "undertaker").claim(_ticket(job), Stage.IMAGING)

    assert not isinstance(buried, Claim | Refusal)
    assert (buried.state, len(buried.outbox)) == ("FAILED", 2)
    assert await floor.outcomes(job) == ["CRASHED"] * 3
    assert (await floor.job(job))["state"] == "DEAD"


async def test_the_work_of_a_worker_that_vanished_is_done_by_another(floor: Floor) -> None:
    """A worker that gives no signs of life loses its job to another after ack_wait; its own commit is fenced out."""
    gone, there = Stand(floor), Stand(floor)
    gone.go_on.clear()
    lost = await floor.worker(gone, name="lost")
    job = await floor.submit()
    await gone.begun.wait()
    await _go_silent(lost)
    await floor.worker(there, name="heir")

    await floor.until_state(job, "SUCCEEDED")
    await floor.until_settled()

    assert await floor.outcomes(job) == ["CRASHED", "SUCCEEDED"]
    assert there.claims == [(job.job_id, 2)]
    gone.go_on.set()
    await asyncio.wait(list(lost._deliveries))
    assert await floor.outcomes(job) == ["CRASHED", "SUCCEEDED"]
    assert await floor.database.fetchval("SELECT count(*) FROM artifacts") == 1


async def test_a_fenced_out_worker_leaves_the_newer_attempts_message_alone(floor: Floor) -> None:
    """While the newer attempt still runs, the older one's end neither acks nor naks: the message stays where it is."""
    gone, there = Stand(floor), Stand(floor)
    gone.go_on.clear()
    there.go_on.clear()
    lost = await floor.worker(gone, name="lost")
    job = await floor.submit()
    await gone.begun.wait()
    await _go_silent(lost)
    await floor.worker(there, name="heir")
    await there.begun.wait()

    gone.go_on.set()
    await asyncio.wait(list(lost._deliveries))

    consumer = floor.topology.consumer_name(Stage.IMAGING, Lane.STANDARD)
    info = await floor.broker.jetstream.consumer_info(floor.topology.jobs_stream, consumer)
    assert (info.num_ack_pending, await floor.messages()) == (1, 1)
    there.go_on.set()
    await floor.until_state(job, "SUCCEEDED")
    assert there.claims == [(job.job_id, 2)]


async def test_long_work_is_kept_by_its_heartbeat(floor: Floor, tmp_path: Path) -> None:
    """Work that takes several ack_waits has one attempt and one delivery: lease and message are renewed."""
    stand = Stand(floor)
    marker = tmp_path / "go"
    stand.function, stand.arguments = slot_work.hold_until, (str(marker),)
    await floor.worker(stand, name="one")
    await floor.worker(Stand(floor), name="two")
    job = await floor.submit()
    leases = set()

    async def renewed() -> bool:
        leases.add((await floor.job(job))["lease_time"])
        return len(leases - {None}) > 4  # four renewals are more than an ack_wait

    await until(renewed)
    consumer = floor.topology.consumer_name(Stage.IMAGING, Lane.STANDARD)
    info = await floor.broker.jetstream.consumer_info(floor.topology.jobs_stream, consumer)
    assert (info.num_ack_pending, info.num_redelivered) == (1, 0)
    marker.touch()
    await floor.until_state(job, "SUCCEEDED")
    await floor.until_settled()

    assert await floor.outcomes(job) == ["SUCCEEDED"]


async def test_a_worker_that_is_told_to_stop_gives_its_job_back(floor: Floor) -> None:
    """Beyond the grace running work is INTERRUPTED, not counted, and the same message is another worker's at once."""
    busy = Stand(floor)
    busy.function, busy.arguments = slot_work.step_forever, ()
    leaving = await floor.worker(busy, name="leaving")
    job = await floor.submit()
    await busy.begun.wait()

    await leaving.stop()
    assert await floor.outcomes(job) == ["INTERRUPTED"]
    assert (await floor.job(job))["publication"] == 1

    await floor.worker(Stand(floor), name="next")
    await floor.until_state(job, "SUCCEEDED")
    assert await floor.outcomes(job) == ["INTERRUPTED", "SUCCEEDED"]
    row = await floor.job(job)
    assert (row["failure_count"], row["crash_count"]) == (0, 0)


async def test_a_worker_that_is_told_to_stop_lets_short_work_end(floor: Floor) -> None:
    """Within the grace running work is finished and settled."""
    stand = Stand(floor)
    stand.go_on.clear()
    worker = await floor.worker(stand, stop_grace_s=30)
    job = await floor.submit()
    await stand.begun.wait()

    stopping = asyncio.create_task(worker.stop())
    stand.go_on.set()
    await stopping

    assert await floor.outcomes(job) == ["SUCCEEDED"]


async def test_a_worker_with_a_long_grace_finishes_what_it_runs(floor: Floor) -> None:
    """Told to stop, it keeps its job alive past the lease and past the time of other parts, and the job succeeds."""
    stand = Stand(floor)
    stand.go_on.clear()
    worker = await floor.worker(stand, stop_grace_s=3600)
    job = await floor.submit()
    await stand.begun.wait()
    process = Lifecycle([worker], stop_timeout_s=0.001)
    process._begun.append(worker)

    stopping = asyncio.create_task(process.stop())
    first = (await floor.job(job))["lease_time"]

    async def kept() -> bool:
        return bool((await floor.job(job))["lease_time"] > first + timedelta(seconds=floor.topology.ack_wait_s))

    await until(kept)
    assert not stopping.done()
    stand.go_on.set()
    await stopping

    assert await floor.outcomes(job) == ["SUCCEEDED"]
    assert await floor.messages() == 0


async def test_a_job_is_cancelled_while_its_worker_waits_to_stop(floor: Floor) -> None:
    """The cancel doorbell is heard during the grace: no heartbeat is due for minutes, and the job ends at once."""
    stand = Stand(floor)
    stand.go_on.clear()
    worker = await floor.worker(stand, stop_grace_s=3600, ack_wait_s=600)
    job = await floor.submit()
    await stand.begun.wait()
    stopping = asyncio.create_task(worker.stop())
    await asyncio.sleep(0)  # the stop has begun

    await cancel(floor, job)
    ring = cancel_ring(design_id=job.design_id, generation=1)
    await floor.publisher.ring(floor.topology.cancel_subject(Stage.IMAGING), ring)
    await stopping

    assert await floor.outcomes(job) == ["CANCELLED"]


async def test_a_job_that_crashed_twice_waits_for_the_others_and_runs_alone(floor: Floor) -> None:
    """From the second crash on a job has the worker to itself; while it waits for that its lease is renewed."""
    neighbour, suspect = Stand(floor), Stand(floor)
    neighbour.go_on.clear()

    async def handler(work: Work) -> Outcome:
        return await (suspect if work.claim.crash_count else neighbour)(work)

    await floor.worker(handler, slots=2)
    first = await floor.submit()
    await neighbour.begun.wait()
    poisoned = await floor.accept()
    await floor.database.execute("UPDATE jobs SET crash_count = 2 WHERE job_id = $1", poisoned.job_id)
    await floor.publish(poisoned)
    leases = set()

    async def renewed() -> bool:
        leases.add((await floor.job(poisoned))["lease_time"])
        return len(leases - {None}) > 4

    await until(renewed)
    assert not suspect.begun.is_set()
    neighbour.go_on.set()

    await floor.until_state(poisoned, "SUCCEEDED")
    assert (await floor.job(first))["state"] == "SUCCEEDED"
    assert await floor.outcomes(poisoned) == ["SUCCEEDED"]


async def test_what_arrives_at_a_busy_worker_is_kept_and_given_back_at_its_end(floor: Floor) -> None:
    """A message that a standing pull brought to a busy worker has no attempt, and goes back when the worker stops."""
    busy = Stand(floor)
    busy.go_on.clear()
    leaving = await floor.worker(busy, name="leaving", stop_grace_s=0)
    await floor.submit(lane=Lane.STANDARD)
    await busy.begun.wait()
    waiting = await floor.submit(lane=Lane.EXPRESS)
    consumer = floor.topology.consumer_name(Stage.IMAGING, Lane.EXPRESS)

    async def delivered() -> bool:
        info = await floor.broker.jetstream.consumer_info(floor.topology.jobs_stream, consumer)
        return bool(info.num_ack_pending == 1)

    await until(delivered)
    assert await floor.outcomes(waiting) == []
    await leaving.stop()

    await floor.worker(Stand(floor), name="next")
    await floor.until_state(waiting, "SUCCEEDED")
    assert await floor.outcomes(waiting) == ["SUCCEEDED"]


async def test_an_idle_worker_pulls_again_after_its_connection_broke(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pulls die with their connection; the worker opens new ones as soon as it is back."""
    # Missed heartbeats would show it too: they are kept so far apart that this cannot be what is seen here.
    monkeypatch.setattr(lanes, "_EXPIRES_S", 600.0)
    monkeypatch.setattr(lanes, "_IDLE_HEARTBEAT_S", 200.0)
    worker = await floor.worker(Stand(floor))
    await floor.until_state(await floor.submit(), "SUCCEEDED")
    back = asyncio.Event()

    async def reconnected() -> None:
        back.set()

    worker._broker.on_connect(reconnected)
    transport = worker._broker.client._transport
    assert transport is not None
    transport.close()  # type: ignore[no-untyped-call]  # the client's own lack
    await back.wait()

    await floor.until_state(await floor.submit(), "SUCCEEDED")


async def test_each_job_of_a_burst_runs_once(floor: Floor) -> None:
    """Two workers with two slots each share a burst over all lanes; nothing is lost and nothing runs twice."""
    stands = [Stand(floor), Stand(floor)]
    for number, stand in enumerate(stands):
        await floor.worker(stand, name=f"worker-{number}", slots=2)
    jobs = [await floor.submit(lane=lane) for _ in range(8) for lane in Lane]

    for job in jobs:
        await floor.until_state(job, "SUCCEEDED")
    await floor.until_settled()

    claims = sorted(claim for stand in stands for claim in stand.claims)
    assert claims == sorted((job.job_id, 1) for job in jobs)


async def test_slots_work_beside_each_other(floor: Floor) -> None:
    """A worker with two slots runs two jobs at a time and no third."""
    inside: set[UUID] = set()
    two, go_on = asyncio.Event(), asyncio.Event()

    async def handler(work: Work) -> Outcome:
        inside.add(work.claim.job_id)
        assert len(inside) <= 2
        if len(inside) == 2:
            two.set()
        await go_on.wait()
        inside.remove(work.claim.job_id)
        return Done(partial(floor.results().imaging_done, work.claim, RESULTS, mockups_wanted=False, traceparent=""))

    await floor.worker(handler, slots=2)
    jobs = [await floor.submit() for _ in range(3)]
    await two.wait()
    go_on.set()

    for job in jobs:
        await floor.until_state(job, "SUCCEEDED")
        assert await floor.outcomes(job) == ["SUCCEEDED"]


async def _go_silent(worker: PullWorker) -> None:
    """Makes a worker look dead to broker and database: it goes on, but nothing is renewed and nothing more is taken."""
    for loop in (worker._pulling, worker._keeping):
        await loop.stop()
    for pull in worker._pulls.values():
        await pull.stop()
    for delivery in worker._deliveries.values():
        assert delivery._heartbeat is not None
        await delivery._heartbeat.stop()
