"""The full schedule: every fault in turn under a steady load, then the books.

`python -m bench.faults` has production's settings and 500 designs; `--quick` a short ack_wait and 40.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from bench.faults.cancels import Cancels, cancel_at_random
from bench.faults.farm import Farm, FarmPlan
from bench.faults.faults import Recovery, all_faults
from bench.faults.ledger import Accounts, balance
from bench.faults.load import Load
from bench.faults.orders import Deed, Order

RESULTS: Final = Path(__file__).parents[1] / "results" / "faults.json"
POISON: Final = (Deed.EXIT, Deed.HANG, Deed.EAT)
LONG_HOLD_S: Final = 1.0
LONG_SHARE: Final = 0.15
"""Some orders hold their worker, so that faults meet running work."""
CANCELS_PER_S: Final = 10.0
CANCELS_FROM: Final = 1_000_000
SLOT_FREE_S: Final = 2.5
"""A slot may stay busy with cancelled work for this long."""
GOOD: Final = "lost 0, doubled 0, dead letters exactly the poison, every recovery in time\n"
MEMORY_BYTES: Final = 512 * 1024**2


@dataclass(frozen=True, slots=True)
class Schedule:
    """How much is done, and how long things take.

    Attributes:
        designs: Designs submitted before every fault has struck; the load goes on until the last one has.
        cancels: Designs cancelled afterwards, each at a moment of its own.
        per_s: Submits a second.
        ack_wait_s: As the topology says it.
        deadline_s: Time an attempt may take.
        seed: Of everything that is drawn by lot.
    """

    designs: int = 500
    cancels: int = 200
    per_s: float = 3.0
    ack_wait_s: float = 30.0
    deadline_s: float = 120.0
    seed: int = 1

    @property
    def patience_s(self) -> float:
        """After this a design counts as lost: every attempt of a poisoned one, with pauses of up to 30 s between."""
        return 5 * (self.deadline_s + self.ack_wait_s + 30.0)

    def plan(self) -> FarmPlan:
        """The farm for it."""
        settings = {
            "CUTLINE_JOB_DEADLINE": f"{self.deadline_s:g}s",
            "CUTLINE_IMAGING_MEMORY_BYTES": str(MEMORY_BYTES),
        }
        return FarmPlan(ack_wait_s=self.ack_wait_s, settings=settings)


@dataclass(frozen=True, slots=True)
class Found:
    """What a run of the schedule found.

    Attributes:
        recoveries: One for each fault.
        cancels: What cancelling at random moments came to.
        accounts: The books at the end.
        wrong: What they say is wrong; nothing is right.
    """

    recoveries: tuple[Recovery, ...]
    cancels: Cancels
    accounts: Accounts
    wrong: tuple[str, ...]


async def run(schedule: Schedule, folder: Path) -> Found:
    """Runs a schedule.

    Raises:
        TimeoutError: Something never recovered, or a design never ended.
    """
    rng = random.Random(schedule.seed)  # noqa: S311  (a seeded schedule, no secret)
    async with Farm(folder, schedule.plan()) as farm:
        load = Load(farm)
        struck = asyncio.Event()
        submits = asyncio.create_task(load.steadily(_orders(schedule, rng, struck), per_s=schedule.per_s))
        # Poison first and to its end: a fault that met it would tell how long a hang takes, not a recovery.
        poison = await _poison(load)
        await load.ended(poison, within_s=schedule.patience_s)
        sys.stdout.write(f"{len(poison)} poisoned designs given up\n")
        recoveries = []
        for fault in all_faults(farm):
            recovery = await fault.strike(farm, rng)
            _print(recovery)
            recoveries.append(recovery)
        struck.set()
        await submits
        await farm.all_ended(within_s=schedule.patience_s)
        cancels = await cancel_at_random(load, rng, count=schedule.cancels, per_s=CANCELS_PER_S, first=CANCELS_FROM)
        await farm.all_ended(within_s=schedule.patience_s)
        accounts = await balance(farm, frozenset(load.designs))
    return Found(tuple(recoveries), cancels, accounts, tuple(_wrong(recoveries, cancels, accounts, poison)))


def _wrong(
    recoveries: Sequence[Recovery], cancels: Cancels, accounts: Accounts, poison: frozenset[UUID]
) -> Iterator[str]:
    yield from accounts.faults(poison)
    yield from (f"late: {recovery.fault}" for recovery in recoveries if not recovery.kept)
    if cancels.visible or cancels.started_later:
        yield f"cancelled work left {len(cancels.visible)} artifacts and {len(cancels.started_later)} later attempts"
    if cancels.slowest_s > SLOT_FREE_S:
        yield f"a slot was free only {cancels.slowest_s:.2f} s after its work was cancelled"


async def _poison(load: Load) -> frozenset[UUID]:
    return frozenset([await load.submit(Order(-number, deed=deed)) for number, deed in enumerate(POISON, start=1)])


def _orders(schedule: Schedule, rng: random.Random, struck: asyncio.Event) -> Iterator[Order]:
    number = 0
    while number < schedule.designs or not struck.is_set():
        number += 1
        yield Order(number, hold_s=LONG_HOLD_S if rng.random() < LONG_SHARE else rng.random() / 20)


def _print(recovery: Recovery) -> None:
    took = "nothing to redo" if recovery.took_s is None else f"{recovery.took_s:8.2f} s"
    sys.stdout.write(
        f"{recovery.fault:32} {took:>16}  of {recovery.limit_s:g} s  {'ok' if recovery.kept else 'LATE'}\n"
    )
    sys.stdout.flush()


def main() -> int:
    """Prints the table; exit code 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="ack_wait 2 s, an attempt at most 4 s, 40 designs")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    schedule = Schedule(seed=chosen.seed)
    if chosen.quick:
        schedule = Schedule(designs=40, cancels=40, ack_wait_s=2.0, deadline_s=4.0, seed=chosen.seed)
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)  # the observer's connection is lost on purpose
    with tempfile.TemporaryDirectory(prefix="cutline-faults-") as folder:
        found = asyncio.run(run(schedule, Path(folder)))
    sys.stdout.write(f"\n{found.cancels}\n{found.accounts}\n\n")
    sys.stdout.write("".join(f"WRONG  {line}\n" for line in found.wrong) or GOOD)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(_plain(schedule, found), indent=2) + "\n", encoding="utf-8")
    return 1 if found.wrong else 0


def _plain(schedule: Schedule, found: Found) -> dict[str, object]:
    return {
        "schedule": asdict(schedule),
        "recoveries": [asdict(recovery) for recovery in found.recoveries],
        "cancelled": found.cancels.cancelled,
        "slot_free_after_cancel_s": found.cancels.slowest_s,
        "attempts": dict(found.accounts.attempts),
        "wrong": found.wrong,
    }


if __name__ == "__main__":
    sys.exit(main())
