"""From SubmitDesign's commit to the handler's start at an idle worker: `python -m bench.delivery.pickup`.

Submits come over gRPC at a fixed rate, each its own work. The clock starts with the accepting transaction, whose begin
the database notes (so the time counted holds the commit too), and stops when the handler is called: ticket published,
pulled, attempt claimed and written. Both clocks are the machine's. The yardstick of the same run is the bare broker:
the client publishes as often to a stream and has one pull standing, with no database in the way.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import grpc
import uvloop
from nats.errors import TimeoutError as NothingCameError
from nats.js.api import ConsumerConfig, RetentionPolicy, StreamConfig

from bench.delivery.floor import Floor, floor, write
from bench.percentiles import Percentiles
from bench.submit import NO_CAPS, Load, put_uploads, store_key

PER_S = 100
SLOTS = 8
GOAL_P50_MS, GOAL_P99_MS = 4.0, 15.0
PEERS = {
    "Celery on Redis": (1.76, 2.51),
    "BullMQ": (1.07, 3.75),
    "procrastinate on Postgres": (3.3, 5.4),
    "arq": (263, 501),
    "asynq": (495, 992),
}
"""p50 and p99 in ms at 100/s, measured earlier on another day of a 2-core machine; from enqueue, without a row."""

_NOTED = """
    SELECT d.design_id::text, extract(epoch FROM d.create_time)::float8 AS accepted_s,
           extract(epoch FROM a.start_time)::float8 AS claimed_s
    FROM designs d JOIN jobs USING (design_id) JOIN attempts a USING (job_id)
"""


@dataclass(frozen=True)
class Times:
    """Milliseconds."""

    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, waits_s: Sequence[float]) -> Times:
        """Percentiles of waits."""
        found = Percentiles.of(1000 * wait_s for wait_s in waits_s)
        return cls(found.p50_ms, found.p99_ms)


async def bare(floor_: Floor, duration_s: float) -> Times:
    """Publish to delivery at the same rate, with nothing around."""
    jetstream = floor_.broker.jetstream()
    await jetstream.add_stream(StreamConfig(name="BARE", subjects=["bare"], retention=RetentionPolicy.WORK_QUEUE))
    await jetstream.add_consumer("BARE", ConsumerConfig(durable_name="bare"))
    pull = await jetstream.pull_subscribe_bind("bare", stream="BARE")
    number = int(PER_S * duration_s)
    waits_s: list[float] = []

    async def take() -> None:
        while len(waits_s) < number:
            try:
                (message,) = await pull.fetch(1, timeout=5)
            except NothingCameError:
                continue
            waits_s.append(time.time() - float(message.data))
            await message.ack()

    taking = asyncio.create_task(take())
    start_s = time.perf_counter()
    for turn in range(number):
        await asyncio.sleep(start_s + turn / PER_S - time.perf_counter())
        await floor_.broker.publish("bare", str(time.time()).encode())
    await taking
    await jetstream.delete_stream("BARE")
    return Times.of(waits_s)


async def pickup(floor_: Floor, load: Load, duration_s: float) -> dict[str, Times]:
    """Submits to an idle worker and compares what database and handler noted: the whole way, and its two parts."""
    await floor_.database.execute("TRUNCATE designs CASCADE")
    async with floor_.worker(slots=SLOTS) as notes:
        await load.open(PER_S, duration_s)
        await floor_.until_idle()
    begun: dict[str, float] = json.loads(await asyncio.to_thread(notes.read_text))["begun"]
    rows = await floor_.database.fetch(_NOTED)
    if len(rows) != len(begun):
        msg = f"{len(rows)} designs were accepted, {len(begun)} begun"
        raise RuntimeError(msg)
    return {
        "pickup": Times.of([begun[row["design_id"]] - row["accepted_s"] for row in rows]),
        "  to the claim's begin": Times.of([row["claimed_s"] - row["accepted_s"] for row in rows]),
        "  to the handler": Times.of([begun[row["design_id"]] - row["claimed_s"] for row in rows]),
    }


async def measure(runs: int, duration_s: float) -> dict[str, object]:
    """Measures in turns; the medians are over the runs."""
    found: dict[str, list[Times]] = {}
    async with floor("ingest", settings=NO_CAPS) as floor_:
        key = await store_key(floor_.stack.servers.postgres_dsn)
        async with grpc.aio.insecure_channel(floor_.stack.ingest_target) as channel:
            (upload_id,) = await put_uploads(channel, key, 1)
            load = Load(channel, key, upload_id)
            await pickup(floor_, load, 1.0)  # warms plans and pools
            for _ in range(runs):
                yardstick = {"bare broker": await bare(floor_, duration_s)}
                for name, times in ((await pickup(floor_, load, duration_s)) | yardstick).items():
                    found.setdefault(name, []).append(times)
    medians = {
        name: Times(statistics.median(run.p50_ms for run in runs_), statistics.median(run.p99_ms for run in runs_))
        for name, runs_ in found.items()
    }
    return {
        "offered_per_s": PER_S,
        "goal_ms": {"p50": GOAL_P50_MS, "p99": GOAL_P99_MS},
        "medians": {name: asdict(times) for name, times in medians.items()},
        "runs": {name: [asdict(run) for run in runs_] for name, runs_ in found.items()},
        "load_average": os.getloadavg()[0],
        "reached": medians["pickup"].p50_ms <= GOAL_P50_MS and medians["pickup"].p99_ms <= GOAL_P99_MS,
        "peers_measured_earlier_ms": PEERS,
    }


def main() -> int:
    """Measures, prints, writes bench/results/pickup.json; exit code 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--duration-s", type=float, default=6.0)
    options = parser.parse_args()
    report = uvloop.run(measure(options.runs, options.duration_s))
    write("pickup", report)
    for name, times in report["medians"].items():  # type: ignore[attr-defined]  # the report is JSON
        print(f"{name:30}p50{times['p50_ms']:8.2f} ms   p99{times['p99_ms']:8.2f} ms   (medians of {options.runs})")
    for name, (p50_ms, p99_ms) in PEERS.items():
        print(f"{name:30}p50{p50_ms:8.2f} ms   p99{p99_ms:8.2f} ms   (measured earlier elsewhere, no row written)")
    verdict = "reached" if report["reached"] else "MISSED"
    print(f"{verdict}: at {PER_S}/s p50 at most {GOAL_P50_MS:g} ms and p99 at most {GOAL_P99_MS:g} ms")
    return 0 if report["reached"] else 1


if __name__ == "__main__":
    sys.exit(main())
