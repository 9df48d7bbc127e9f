"""Five hundred watchers through every fault: `python -m bench.watch_faults`.

Each fault has a round of its own with fresh watchers; `--quick` has 70 of them, `--only NAME` plays the faults whose
names contain it. Exit code 1 where anything was missed, fell or came twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final

from bench.faults.farm import Farm, FarmPlan
from bench.watch_faults.faults import WatchFault, aged, nothing, swamped, watch_faults
from bench.watch_faults.findings import Findings
from bench.watch_faults.rounds import Plan, play
from bench.watch_faults.stage import Crowd
from bench.watch_faults.traffic import Rates

RESULTS: Final = Path(__file__).parents[1] / "results" / "watch_faults.json"
FULL: Final = Plan(Crowd(of_one=470, of_all=30), Rates(live=40, changes_per_s=60), calm_s=3.0)
QUICK: Final = Plan(Crowd(of_one=60, of_all=10), Rates(live=12, changes_per_s=20), calm_s=0.5)
REPLICAS: Final = {"ingest": 2, "imaging": 1, "mockup": 1, "status": 2}
NARROW: Final = {
    "CUTLINE_GRPC_MAX_CONNECTION_AGE": "15s",
    "CUTLINE_WATCH_QUEUE": "20",
    "CUTLINE_WATCH_HEARTBEAT": "300s",  # so that a heartbeat tells the end of a catch-up and nothing else
}
"""A farm whose streams grow old soon and whose queues are short."""
SWAMP: Final = Rates(live=200, changes_per_s=20, submits_per_s=0)
SWAMPED: Final = 10
BURSTS: Final = 3

_HEAD: Final = (
    f"{'fault':34} {'watchers':>8} {'missed':>7} {'fell':>5} {'twice':>6} {'resumes':>8}"
    f" {'silence':>8} {'back':>8} {'recovered':>10} {'SDK':>8}\n"
)


def wide_faults(*, quick: bool) -> list[WatchFault]:
    """What is broken on a farm with production's settings."""
    away = (4.0, 8.0) if quick else (15.0, 40.0)
    return [WatchFault("no fault", nothing), *watch_faults(nats_away_s=away[0], status_away_s=away[1])]


def narrow_faults() -> list[WatchFault]:
    """What happens where streams grow old soon and queues are short."""
    return [
        WatchFault("streams grow old", partial(aged, 1)),
        WatchFault("queues overflow", partial(swamped, BURSTS)),
    ]


async def run(plan: Plan, only: str, *, quick: bool, seed: int) -> list[Findings]:
    """Plays every round.

    Raises:
        TimeoutError: Something never recovered.
    """
    rng = random.Random(seed)  # noqa: S311  (a seeded schedule, no secret)
    swamp = Plan(Crowd(plan.crowd.size - SWAMPED, SWAMPED), SWAMP, plan.calm_s)
    wide = [(fault, plan) for fault in wide_faults(quick=quick) if only in fault.name]
    narrow = [(fault, swamp if "queues" in fault.name else plan) for fault in narrow_faults() if only in fault.name]
    return [*await _rounds({}, wide, rng), *await _rounds(NARROW, narrow, rng)]


async def _rounds(
    settings: dict[str, str], rounds: Sequence[tuple[WatchFault, Plan]], rng: random.Random
) -> list[Findings]:
    if not rounds:
        return []
    found = []
    with tempfile.TemporaryDirectory(prefix="cutline-watch-faults-") as folder:
        async with Farm(Path(folder), FarmPlan(replicas=REPLICAS, settings=settings)) as farm:
            for fault, plan in rounds:
                found.append(await play(farm, fault, plan, rng))
                _print(found[-1])
    return found


def _print(found: Findings) -> None:
    sys.stdout.write(
        f"{found.fault:34} {found.watchers:8} {found.missed_ends + found.missed_changes:7} {found.fell:5}"
        f" {found.duplicates:6} {found.resumes:8} {_seconds(found.longest_silence_s)} {_seconds(found.back_s)}"
        f" {_seconds(found.recovered_s, 8)} {_seconds(found.sdk_recovered_s)}\n"
    )
    sys.stdout.write("".join(f"WRONG  {line}\n" for line in found.wrong))
    sys.stdout.flush()


def _seconds(span_s: float | None, width: int = 6) -> str:
    return f"{'':{width + 2}}" if span_s is None else f"{span_s:{width}.2f} s"


def main() -> int:
    """Prints the table; exit code 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="70 watchers, short absences")
    parser.add_argument("--only", default="", help="part of the names of the faults wanted")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    logging.getLogger("asyncpg.pool").setLevel(logging.CRITICAL)  # the observer's connection is lost on purpose
    sys.stdout.write(_HEAD)
    # Not uvloop: it starts programs by a plain fork, whose child gRPC's own fork handlers can crash.
    found = asyncio.run(run(QUICK if chosen.quick else FULL, chosen.only, quick=chosen.quick, seed=chosen.seed))
    if not chosen.only:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps([asdict(round_) for round_ in found], indent=2) + "\n", encoding="utf-8")
    return 1 if any(round_.wrong for round_ in found) else 0


if __name__ == "__main__":
    sys.exit(main())
