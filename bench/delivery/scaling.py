"""Whether a second worker process is worth its name: `python -m bench.delivery.scaling`.

Jobs of 100 ms CPU each, one slot a worker; the same jobs with one worker and with two, in turns. The machine needs two
free processors beside the servers' small share: its load is printed, for on a busy machine the figure says little.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
from contextlib import AsyncExitStack

import uvloop

from bench.delivery.floor import Floor, floor, write

BURN_S = 0.1
GOAL = 1.8


async def drain(floor_: Floor, *, jobs: int, workers: int) -> float:
    """Seconds from the first job's begin to the last one's end; the workers are warm before the tickets come."""
    tickets = await floor_.write(jobs)
    async with AsyncExitStack() as crew:
        starts = (crew.enter_async_context(floor_.worker(slots=1, burn_s=BURN_S)) for _ in range(workers))
        await asyncio.gather(*starts)
        await floor_.publish(tickets)
        return (await floor_.drained(jobs, within_s=300)).took_s


async def measure(runs: int, jobs: int) -> dict[str, object]:
    """Measures one and two workers in turns."""
    took_s: dict[int, list[float]] = {1: [], 2: []}
    async with floor() as floor_:
        for _ in range(runs):
            for workers, times_s in took_s.items():
                times_s.append(await drain(floor_, jobs=jobs, workers=workers))
    medians_s = {workers: round(statistics.median(times_s), 3) for workers, times_s in took_s.items()}
    speedup = round(medians_s[1] / medians_s[2], 3)
    return {
        "jobs": jobs,
        "cpu_s_per_job": BURN_S,
        "goal": GOAL,
        "medians_s": medians_s,
        "runs_s": took_s,
        "speedup": speedup,
        "processors": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "reached": speedup >= GOAL,
    }


def main() -> int:
    """Measures, prints, writes bench/results/scaling.json; exit code 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=200)
    options = parser.parse_args()
    report = uvloop.run(measure(options.runs, options.jobs))
    write("scaling", report)
    print(f"{options.jobs} jobs of {1000 * BURN_S:.0f} ms CPU, one slot a worker, medians of {options.runs}")
    for workers, took_s in report["medians_s"].items():  # type: ignore[attr-defined]  # the report is JSON
        print(f"{workers} worker(s){took_s:10.2f} s")
    print(f"load {report['load_average']:.1f} on {report['processors']} processors")
    print(f"{'reached' if report['reached'] else 'MISSED'}: {report['speedup']}x, at least {GOAL}x wanted")
    return 0 if report["reached"] else 1


if __name__ == "__main__":
    sys.exit(main())
