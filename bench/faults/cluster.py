"""`python -m bench.faults.cluster`: what happens to a broker of three nodes, under 200 submits a second.

Leaders are killed, hung and made lame ducks, and the quorum is lost for ten seconds. No submit may be refused or take
longer than a second; every accepted design must end, once. Real servers, two processes of ingest, two workers with all
bookkeeping whose work is nothing, so that finishing keeps up with submitting and no queue hides a recovery.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import uvloop

from bench.faults.cluster_faults import ClusterFault, Role, cluster_faults
from bench.faults.farm import MODULES, Farm, FarmPlan
from bench.faults.faults import Recovery
from bench.faults.ledger import Accounts, balance
from bench.faults.rush import Answer, Answers, Rush
from bench.submit import NO_CAPS

RESULTS: Final = Path(__file__).parents[1] / "results" / "cluster.json"
NODES: Final = 3
SLOWEST_S: Final = 1.0
_ENDED_S: Final = 300.0
_SLOTS: Final = 32

# The longest time a design accepted in a span of time waited for its work to begin.
_LONGEST_WAIT: Final = """
    SELECT extract(epoch FROM max(start_time - designs.create_time))::float8
    FROM designs JOIN jobs USING (design_id) JOIN attempts USING (job_id)
    WHERE designs.create_time BETWEEN to_timestamp($1) AND to_timestamp($2) AND number = 1
"""


@dataclass(frozen=True, slots=True)
class Struck:
    """One fault and what clients saw of it.

    Attributes:
        recovery: How long until work went on.
        answers: Of the submits from a little before the fault to a little after the recovery; None without one.
        longest_wait_s: The longest time one of these designs waited for its work to begin.
    """

    recovery: Recovery
    answers: Answers
    longest_wait_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """A whole run.

    Attributes:
        calm: Answers before the first fault.
        struck: The faults, in turn.
        answers: Of all submits.
        accounts: The books at the end.
        broken: What was refused, lost or done twice, a line each.
        late: What took longer than promised.
    """

    calm: Answers
    struck: tuple[Struck, ...]
    answers: Answers
    accounts: Accounts
    broken: tuple[str, ...]
    late: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """What happens.

    Attributes:
        faults: In turn.
        per_s: Submits a second, from before each fault until after its recovery.
        ack_wait_s: As the topology says it.
        seed: Of what is drawn by lot.
        pause_s: Load before each fault and after its recovery.
    """

    faults: Sequence[ClusterFault]
    per_s: float = 200.0
    ack_wait_s: float = 30.0
    seed: int = 1
    pause_s: float = 3.0


def _plan(folder: Path, ack_wait_s: float) -> FarmPlan:
    """A cluster, two processes of ingest, two workers of imaging that keep all books and do nothing else."""
    return FarmPlan(
        ack_wait_s=ack_wait_s,
        replicas={"ingest": 2, "imaging": 2, "status": 1},
        nats_nodes=NODES,
        modules={**MODULES, "imaging": "bench.delivery.worker"},
        settings={**NO_CAPS, "BENCH_SLOTS": str(_SLOTS), "BENCH_NOTES": str(folder / "notes.json")},
    )


async def run(folder: Path, schedule: Schedule) -> Outcome:
    """Strikes the faults in turn under a steady rush and draws up the books.

    Raises:
        TimeoutError: Something never recovered, or a design never ended.
    """
    rng = random.Random(schedule.seed)  # noqa: S311  (a seeded schedule, no secret)
    struck: list[tuple[Recovery, float, float]] = []
    async with Farm(folder, _plan(folder, schedule.ack_wait_s)) as farm:
        async with Rush(farm, schedule.per_s) as rush:
            calm_s = time.time()
            async with rush.going():
                await asyncio.sleep(2 * schedule.pause_s)
            first_s = time.time()
            _print("no fault", "", Answers.of(rush.between(calm_s, first_s)))
            for fault in schedule.faults:
                # Each begins without a queue, which would hide how soon work goes on.
                await farm.all_ended(within_s=_ENDED_S)
                begin_s = time.time()
                async with rush.going():
                    await asyncio.sleep(schedule.pause_s)
                    recovery = await fault.strike(farm, rng)
                    await asyncio.sleep(schedule.pause_s)
                struck.append((recovery, begin_s, time.time()))
                took = f"{recovery.took_s:.2f} s of {recovery.limit_s:g} s"
                _print(recovery.fault, took, Answers.of(rush.between(begin_s, time.time())))
        await farm.all_ended(within_s=_ENDED_S)
        accounts = await balance(farm, rush.accepted, files=0)
        found = [
            Struck(
                recovery,
                Answers.of(rush.between(begin_s, end_s)),
                round(await farm.database.fetchval(_LONGEST_WAIT, begin_s, end_s), 3),
            )
            for recovery, begin_s, end_s in struck
        ]
    return Outcome(
        calm=Answers.of(rush.between(calm_s, first_s)),
        struck=tuple(found),
        answers=Answers.of(rush.answers),
        accounts=accounts,
        broken=tuple(_broken(rush.answers, accounts)),
        late=tuple(_late(found, rush.answers)),
    )


def _broken(answers: Sequence[Answer], accounts: Accounts) -> list[str]:
    broken = accounts.faults(frozenset[UUID]())
    refused = [answer.refusal for answer in answers if answer.design_id is None]
    if refused:
        broken.append(f"{len(refused)} submits refused, such as {refused[0]}")
    ready, accepted = accounts.states.get("READY", 0), len({answer.design_id for answer in answers} - {None})
    if (ready, accounts.accepted) != (accepted, accepted):
        broken.append(f"{accepted} designs accepted, {accounts.accepted} stored, {ready} finished")
    return broken


def _late(struck: Sequence[Struck], answers: Sequence[Answer]) -> list[str]:
    late = [f"late: {each.recovery.fault}" for each in struck if not each.recovery.kept]
    slow = [answer.took_s for answer in answers if answer.took_s > SLOWEST_S]
    if slow:
        late.append(f"{len(slow)} submits slower than {SLOWEST_S:g} s, the slowest {max(slow):.2f} s")
    return late


def _print(name: str, took: str, answers: Answers) -> None:
    sys.stdout.write(
        f"{name:36}{took:>16}{answers.submits:8} submits, {answers.refused} refused, "
        f"p50 {answers.p50_ms:.0f} p99 {answers.p99_ms:.0f} longest {answers.longest_ms:.0f} ms\n"
    )
    sys.stdout.flush()


def _report(outcome: Outcome, schedule: Schedule) -> dict[str, Any]:
    return {
        "per_s": schedule.per_s,
        "ack_wait_s": schedule.ack_wait_s,
        "seed": schedule.seed,
        "calm": asdict(outcome.calm),
        "faults": [asdict(each) for each in outcome.struck],
        "all": asdict(outcome.answers),
        "accepted": outcome.accounts.accepted,
        "finished": outcome.accounts.states.get("READY", 0),
        "duplicates": len(outcome.accounts.doubled),
        "attempts": dict(outcome.accounts.attempts),
        "load_average": os.getloadavg()[0],
        "wrong": [*outcome.broken, *outcome.late],
    }


def main() -> int:
    """Prints the table and writes bench/results/cluster.json; exit code 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--per-s", type=float, default=200.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="faults whose name holds this")
    parser.add_argument("--quick", action="store_true", help="spare the meta leader")
    chosen = parser.parse_args()
    roles = (Role.JOBS,) if chosen.quick else tuple(Role)
    faults = [fault for fault in cluster_faults(*roles) if chosen.only in fault.name]
    schedule = Schedule(faults, per_s=chosen.per_s, seed=chosen.seed)
    with tempfile.TemporaryDirectory(prefix="cutline-cluster-") as folder:
        outcome = uvloop.run(run(Path(folder), schedule))
    sys.stdout.write(f"\n{outcome.accounts}\n\n")
    for each in outcome.struck:
        sys.stdout.write(f"{each.recovery.fault:36}longest wait of a design for its work {each.longest_wait_s:.1f} s\n")
    wrong = (*outcome.broken, *outcome.late)
    sys.stdout.write("".join(f"WRONG  {line}\n" for line in wrong))
    sys.stdout.write("" if wrong else "none refused, none slow, accepted = finished, duplicates 0\n")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(_report(outcome, schedule), indent=2) + "\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
