"""Jobs per second that worker processes drain with all bookkeeping on: `python -m bench.delivery.drain`.

Each job is claimed under a lease, handled on the event loop by a handler that does nothing, committed under its fence
with its terminal doorbell in the outbox, published, acked with a confirmation and struck off the outbox. Spans,
metrics and log lines are on. The yardstick of the same run is a bare loop of the client that pulls and acks the same
number of messages and keeps no books at all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass

import uvloop
from nats.js.api import ConsumerConfig, RetentionPolicy, StreamConfig

from bench.delivery.floor import Drained, Floor, cpu_s, floor, write

SLOTS = 64
GOAL_PER_S = 1_100
BARE_BATCH = 256
PEERS = {
    "Celery on Redis": (1_075, 1_698),
    "taskiq on JetStream, batch 1": (3_185, 4_337),
    "procrastinate on Postgres": (494, 563),
    "Dramatiq on Redis": (2_067, 4_079),
}
"""Jobs per second of one and of two workers, measured earlier on another day of a 2-core machine; none writes a row per
attempt except procrastinate."""


async def bare(floor_: Floor, messages: int) -> float:
    """Messages per second of a loop that fetches and acks."""
    jetstream = floor_.broker.jetstream()
    await jetstream.add_stream(StreamConfig(name="BARE", subjects=["bare"], retention=RetentionPolicy.WORK_QUEUE))
    await jetstream.add_consumer("BARE", ConsumerConfig(durable_name="bare", max_ack_pending=2 * BARE_BATCH))
    for _ in range(messages):
        await floor_.broker.publish("bare", b"x" * 100)
    await floor_.broker.flush()
    pull = await jetstream.pull_subscribe_bind("bare", stream="BARE")
    left, begin_s = messages, time.perf_counter()
    while left:
        fetched = await pull.fetch(BARE_BATCH, timeout=5)
        for message in fetched:
            await message.ack()
        left -= len(fetched)
    await floor_.broker.flush()
    took_s = time.perf_counter() - begin_s
    await jetstream.delete_stream("BARE")
    return messages / took_s


@dataclass(frozen=True)
class Cost:
    """CPU time a job, in ms."""

    workers: float
    postgres: float
    nats: float


async def drain(floor_: Floor, *, jobs: int, workers: int) -> tuple[Drained, Cost]:
    """Fills the stream, starts workers, and waits until it is empty."""
    await floor_.fill(jobs)
    servers = (floor_.stack.servers.postgres, floor_.stack.servers.nats)
    before_s = [cpu_s(server) for server in servers]
    async with AsyncExitStack() as crew:
        starts = (crew.enter_async_context(floor_.worker(slots=SLOTS)) for _ in range(workers))
        notes = await asyncio.gather(*starts)
        drained = await floor_.drained(jobs)
        spent_s = [cpu_s(server) - before for server, before in zip(servers, before_s, strict=True)]
    of_workers_s = sum(json.loads(path.read_text())["cpu_s"] for path in notes)
    return drained, Cost(*(round(1000 * each_s / jobs, 3) for each_s in (of_workers_s, *spent_s)))


async def measure(runs: int, jobs: int) -> dict[str, object]:
    """Measures in turns, so that one and two workers and the yardstick see the same machine."""
    found: dict[str, list[float]] = {"1 worker": [], "2 workers": [], "bare loop": []}
    costs: dict[str, Cost] = {}
    most_unacked = 0
    async with floor() as floor_:
        for _ in range(runs):
            found["bare loop"].append(await bare(floor_, 2 * jobs))
            for workers, name in ((1, "1 worker"), (2, "2 workers")):
                drained, costs[name] = await drain(floor_, jobs=jobs, workers=workers)
                found[name].append(drained.per_s)
                most_unacked = max(most_unacked, drained.most_unacked)
        bound = next(iter(floor_.topology.consumers())).max_ack_pending
    medians = {name: round(statistics.median(rates), 1) for name, rates in found.items()}
    return {
        "jobs": jobs,
        "slots": SLOTS,
        "goal_per_s": GOAL_PER_S,
        "medians_per_s": medians,
        "runs_per_s": {name: [round(rate, 1) for rate in rates] for name, rates in found.items()},
        "cpu_ms_per_job": {name: asdict(cost) for name, cost in costs.items()},
        "of_bare_loop": round(medians["1 worker"] / medians["bare loop"], 4),
        "most_unacked": most_unacked,
        "max_ack_pending": bound,
        "load_average": os.getloadavg()[0],
        "reached": medians["1 worker"] >= GOAL_PER_S and most_unacked <= bound,
        "peers_measured_earlier_per_s": PEERS,
    }


def main() -> int:
    """Measures, prints, writes bench/results/drain.json; exit code 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=6_000)
    options = parser.parse_args()
    report = uvloop.run(measure(options.runs, options.jobs))
    write("drain", report)
    for name, per_s in report["medians_per_s"].items():  # type: ignore[attr-defined]  # the report is JSON
        print(f"{name:12}{per_s:10.0f} jobs/s    (median of {options.runs}, {options.jobs} jobs, {SLOTS} slots each)")
    for name, cost in report["cpu_ms_per_job"].items():  # type: ignore[attr-defined]  # as above
        print(f"{name:12}CPU ms a job: " + ", ".join(f"{part} {ms:.2f}" for part, ms in cost.items()))
    print(f"unacked messages at the broker: at most {report['most_unacked']}, bound {report['max_ack_pending']}")
    for name, (one, two) in PEERS.items():
        print(f"{name:30}{one:8,} and {two:,} jobs/s with 1 and 2 workers, measured earlier elsewhere")
    print(f"{'reached' if report['reached'] else 'MISSED'}: at least {GOAL_PER_S:,} jobs/s from one worker process")
    return 0 if report["reached"] else 1


if __name__ == "__main__":
    sys.exit(main())
