"""The simulation beside the real thing: `python -m bench.scale.reality`.

Jobs that take a known time come at a steady rate that is too much for one worker; a second one joins, and the queue
drains. The same arrivals and pods are then simulated, twice: with the time that a job sleeps, and with the time from
one start in a slot to the next while work waits, claim, commit, ack and pull included. Nothing else is known of reality
than when each ticket was published and when the second worker was ready.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from random import Random
from typing import Final

import uvloop

from bench.delivery.floor import Floor, floor, write
from bench.scale.arrivals import Job
from bench.scale.assumptions import Cluster
from bench.scale.autoscaler import DEFAULT_DOWN, DEFAULT_UP
from bench.scale.scenarios import percentile
from bench.scale.settings import DeploySettings, StageSettings
from bench.scale.simulation import Simulation
from cutline.domain.states import Lane, Stage
from cutline.messaging.topology import HEADER_MSG_ID

SLOTS: Final = 4
JOB_S: Final = 0.5
PER_S: Final = 12.0
"""One worker carries 8 a second, two 16."""
SECOND_AT_S: Final = 15.0
_LOOK_S: Final = 0.25
_BACKLOG_S: Final = 3.0
"""From then on work waits."""
_NO_BOUND: Final = 10**9
_STARTS: Final = """
    SELECT jobs.design_id::text AS design_id, extract(epoch FROM attempts.start_time)::float8 AS start_s,
           extract(epoch FROM attempts.finish_time)::float8 AS finish_s
    FROM attempts JOIN jobs USING (job_id)
"""


@dataclass(frozen=True, slots=True)
class Run:
    """Figures of one of the two; times in seconds.

    Attributes:
        wait_mean_s: From the ticket's publish to the start of the work.
        wait_p50_s: The same.
        wait_p99_s: The same.
        most_lag: Highest lag that was seen, pending and unacked.
        drained_s: From the first publish to the last end.
    """

    wait_mean_s: float
    wait_p50_s: float
    wait_p99_s: float
    most_lag: int
    drained_s: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What reality was, and what the simulation is told of it (seconds since the first publish)."""

    run: Run
    published_s: list[float]
    second_ready_s: float
    slot_s: float


async def watch(jobs: int) -> Seen:
    """Runs it on real servers and two worker processes."""
    async with floor() as floor_:
        tickets = await floor_.write(jobs)
        lags: list[int] = []
        async with floor_.worker(slots=SLOTS, sleep_s=JOB_S), _looking(floor_, lags):
            begin_s = time.time()
            published_s: list[float] = []
            second = asyncio.Event()

            async def publish() -> None:
                for number, ticket in enumerate(tickets):
                    await asyncio.sleep(begin_s + number / PER_S - time.time())
                    headers = {HEADER_MSG_ID: ticket.msg_id}
                    await floor_.broker.publish(ticket.subject, ticket.payload, headers=headers)
                    published_s.append(time.time())
                    if published_s[-1] - begin_s >= SECOND_AT_S:
                        second.set()

            async with asyncio.TaskGroup() as group:
                group.create_task(publish())
                await second.wait()
                async with floor_.worker(slots=SLOTS, sleep_s=JOB_S):
                    second_ready_s = time.time() - begin_s
                    await floor_.drained(jobs, within_s=300)
        rows = await floor_.database.fetch(f"{_STARTS} ORDER BY attempts.start_time")
    starts_s = [row["start_s"] for row in rows]
    # One lane hands out in the order of publishing: the n-th start is the n-th ticket's.
    waits_s = [max(0.0, start - came) for start, came in zip(starts_s, published_s, strict=True)]
    run = _run(waits_s, max(lags), max(row["finish_s"] for row in rows) - begin_s)
    # With one worker and work waiting, every slot starts its next job when it is done with the last.
    alone = [at_s for at_s in starts_s if _BACKLOG_S < at_s - begin_s < SECOND_AT_S]
    slot_s = (alone[-1] - alone[0]) / (len(alone) - 1) * SLOTS
    return Seen(run, [at_s - begin_s for at_s in published_s], second_ready_s, slot_s)


@asynccontextmanager
async def _looking(floor_: Floor, lags: list[int]) -> AsyncIterator[None]:
    """Reads the lag again and again, as KEDA would."""
    name = floor_.topology.consumer_name(Stage.IMAGING, Lane.STANDARD)

    async def look() -> None:
        jetstream = floor_.broker.jetstream()
        while True:
            consumer = await jetstream.consumer_info(floor_.topology.jobs_stream, name)
            lags.append((consumer.num_pending or 0) + (consumer.num_ack_pending or 0))
            await asyncio.sleep(_LOOK_S)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()


@dataclass(frozen=True, slots=True)
class Known:
    """Jobs that take a known time."""

    job_s: float

    def draw(self, stage: Stage, kind: int, random: Random) -> float:
        """One job's time."""
        del stage, kind, random
        return self.job_s

    def start_s(self, stage: Stage) -> float:
        """Pods are ready when they are added."""
        del stage
        return 0.0


def replay(seen: Seen, job_s: float) -> Run:
    """Simulates the same with jobs that take so long."""
    stage = StageSettings(
        stage=Stage.IMAGING, slots=SLOTS, cores=1.0, stop_grace_s=130.0, target=1.0, low=1, high=2,
        max_ack_pending=256, up=DEFAULT_UP, down=DEFAULT_DOWN, fallback=None,
    )  # fmt: skip
    settings = DeploySettings((stage,), release_window=_NO_BOUND, release_target=_NO_BOUND)
    random = Random(1)  # noqa: S311  (nothing is drawn)
    simulation = Simulation(settings, Cluster(), Known(job_s), random, first_pods=1, autoscaled=False, sample_s=_LOOK_S)
    simulation.add_pod_at(simulation.stages[0], seen.second_ready_s)
    outcome = simulation.run(Job("bench", Lane.STANDARD, 0, submit_s=at_s) for at_s in seen.published_s)
    lags = [sample.lag for sample in outcome.samples[Stage.IMAGING]]
    return _run([job.wait_s for job in outcome.jobs], max(lags), outcome.end_s)


def _run(waits_s: Sequence[float], most_lag: int, drained_s: float) -> Run:
    return Run(
        wait_mean_s=round(sum(waits_s) / len(waits_s), 3),
        wait_p50_s=round(percentile(waits_s, 50), 3),
        wait_p99_s=round(percentile(waits_s, 99), 3),
        most_lag=most_lag,
        drained_s=round(drained_s, 2),
    )


def main() -> None:
    """Runs both, prints them beside each other and writes bench/results/scale_reality.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=420)
    options = parser.parse_args()
    seen = uvloop.run(watch(options.jobs))
    slept, tried = (replay(seen, job_s) for job_s in (JOB_S, seen.slot_s))
    columns = {"real": asdict(seen.run), f"{JOB_S:.3f} s": asdict(slept), f"{seen.slot_s:.3f} s": asdict(tried)}
    print(f"{options.jobs} jobs, {PER_S:g}/s; {SLOTS} slots, as many more after {seen.second_ready_s:.1f} s")
    print(f"{'simulated with jobs of':24}" + "".join(f"{name:>12}" for name in columns))
    for name in asdict(seen.run):
        print(f"{name:24}" + "".join(f"{column[name]:>12.2f}" for column in columns.values()))
    write(
        "scale_reality",
        {
            "jobs": options.jobs, "slots": SLOTS, "job_s": JOB_S, "per_s": PER_S,
            "slot_s": round(seen.slot_s, 4), "second_ready_s": round(seen.second_ready_s, 2),
            "real": asdict(seen.run), "simulated": asdict(slept), "simulated_with_bookkeeping": asdict(tried),
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
