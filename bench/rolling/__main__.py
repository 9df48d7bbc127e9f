"""Every service restarted in turn under 20 designs a second, on the secured stack: `python -m bench.rolling`.

Two replicas of everything, three nodes of NATS, TLS everywhere. `--quick` has one replica and two designs a second;
`--pixels` the real pipeline on small artworks, whose backlog is drained afterwards. Exit code 1 where a promise is
broken: nothing lost or done twice, no error that the SDK does not get over by itself, every watcher served to the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bench.rolling.rollout import Restart
from bench.rolling.run import FULL, PIXELS, QUICK, Outcome, Schedule, run
from cutline.embedded.stack import EmbeddedStack

RESULTS: Final = Path(__file__).parents[1] / "results" / "rolling.json"


async def rolled(schedule: Schedule) -> Outcome:
    """Runs a schedule on a stack of its own."""
    with tempfile.TemporaryDirectory(prefix="cutline-rolling-") as folder:
        async with EmbeddedStack(Path(folder), plan=schedule.plan(), report=_say) as stack:
            return await run(stack, schedule, report=_say_restart)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def _say_restart(restart: Restart) -> None:
    sys.stdout.write(
        f"{restart.deployment:22} ready after {restart.started_s:5.1f} s,"
        f" the old one gone after {restart.stopped_s:5.1f} s\n"
    )
    sys.stdout.flush()


def _print(outcome: Outcome) -> None:
    books, calm, rolling = outcome.books, outcome.calm, outcome.rolling
    sys.stdout.write(
        f"\naccepted {books.accepted}, finished {books.finished}, lost {len(books.lost)}, doubled {len(books.doubled)};"
        f" client errors {len(books.client_errors)}, watch errors {len(books.watch_errors)}, watchers unserved"
        f" {books.unserved} of {outcome.watchers}\n"
        f"attempts: {', '.join(f'{name} {number}' for name, number in books.attempts.items())}\n"
        f"submit with upload, undisturbed: p50 {calm.p50_ms} ms, p99 {calm.p99_ms} ms, longest {calm.longest_ms} ms\n"
        f"while services restart:          p50 {rolling.p50_ms} ms, p99 {rolling.p99_ms} ms,"
        f" longest {rolling.longest_ms} ms\n"
        f"{outcome.took_s:.1f} s for {len(outcome.restarts)} restarts,"
        f" drained {outcome.drained_s:.1f} s after the last submit\n"
    )
    sys.stdout.write("".join(f"WRONG  {line}\n" for line in books.wrong) or "every promise was kept\n")


def _plain(outcome: Outcome) -> dict[str, object]:
    return {
        **asdict(outcome),
        "restarts": {name: asdict_of(restarts) for name, restarts in _by_deployment(outcome.restarts)},
        "wrong": outcome.books.wrong,
    }


def _by_deployment(restarts: Sequence[Restart]) -> Iterable[tuple[str, list[Restart]]]:
    for name in dict.fromkeys(restart.deployment for restart in restarts):
        yield name, [restart for restart in restarts if restart.deployment == name]


def asdict_of(restarts: Sequence[Restart]) -> dict[str, float]:
    """Figures of one deployment's restarts."""
    return {
        "processes": len(restarts),
        "ready_after_s": round(statistics.fmean(restart.started_s for restart in restarts), 2),
        "gone_after_s": round(statistics.fmean(restart.stopped_s for restart in restarts), 2),
        "gone_after_at_most_s": round(max(restart.stopped_s for restart in restarts), 2),
    }


def main() -> int:
    """Prints the figures; exit code 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true", help="one replica of everything, two designs a second")
    kind.add_argument("--pixels", action="store_true", help="the real pipeline on small artworks")
    parser.add_argument("--per-s", type=float, help="designs a second")
    chosen = parser.parse_args()
    schedule = QUICK if chosen.quick else PIXELS if chosen.pixels else FULL
    if chosen.per_s:
        schedule = schedule.at(chosen.per_s)
    outcome = asyncio.run(rolled(schedule))
    _print(outcome)
    if not chosen.quick:
        RESULTS.parent.mkdir(exist_ok=True)
        path = RESULTS.with_stem("rolling_pixels") if chosen.pixels else RESULTS
        path.write_text(json.dumps(_plain(outcome), indent=2) + "\n", encoding="utf-8")
    return 1 if outcome.books.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
