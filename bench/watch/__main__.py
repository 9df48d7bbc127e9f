"""Everything about watching at scale, measured and judged: `python -m bench.watch`.

Every program ends with the bench. Exit code 1 where a bound is missed; a quick run is not judged.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import uvloop

from bench.watch.figures import Outcome
from bench.watch.latency import fanout, latency
from bench.watch.memory import churn, hold, memory
from bench.watch.reads import reads
from bench.watch.sizes import Size
from bench.watch.slow import slow
from bench.watch.stand import Stand, raise_file_limit, stand

RESULTS: Final = Path(__file__).parents[1] / "results" / "watch.json"
MEASURES: Final[dict[str, Callable[[Stand, Size], Awaitable[Outcome]]]] = {
    "latency": latency,
    "fanout": fanout,
    "reads": reads,
    "slow": slow,
    "memory": memory,
    "hold": hold,
    "churn": churn,
}


async def measure(names: Sequence[str], size: Size) -> dict[str, Outcome]:
    """Measures one after the other and prints each as it is known."""
    outcomes: dict[str, Outcome] = {}
    limit = raise_file_limit(size.open_files)
    print(f"{os.cpu_count()} cores; RLIMIT_NOFILE {limit:,}, of which a process needs at most {size.open_files:,}")
    async with stand(size.designs) as stand_:
        for name in names:
            began_s = time.monotonic()
            outcomes[name] = await MEASURES[name](stand_, size)
            print(f"{name}, {time.monotonic() - began_s:.0f} s, load average {os.getloadavg()[0]:.2f}")
            for verdict in outcomes[name].verdicts:
                print(f"  {verdict.line()}")
            sys.stdout.flush()
    return outcomes


def write(path: Path, outcomes: dict[str, Outcome], *, quick: bool) -> None:
    """Writes what was measured; what was not stays as the file has it, unless that is of a quick run."""
    found = json.loads(path.read_text()) if path.exists() else {}
    measures = found["measures"] if found and found["quick"] == quick else {}
    about = {
        "quick": quick,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }
    measures |= {name: outcome.report() for name, outcome in outcomes.items()}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**about, "measures": measures}, indent=1) + "\n")


def main() -> int:
    """Measures, prints, writes; exit code 1 where a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[*MEASURES], default=[*MEASURES], help="measure nothing else")
    parser.add_argument("--quick", action="store_true", help="a little of everything in a minute, not judged")
    parser.add_argument("--minutes", type=float, help="length of the churn, otherwise 30")
    parser.add_argument("--runs", type=int, help="runs of which medians are told, otherwise 5")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where to write")
    options = parser.parse_args()
    size = Size.quick() if options.quick else Size()
    if options.minutes is not None:
        size = replace(size, churn_s=60 * options.minutes)
    if options.runs is not None:
        size = replace(size, runs=options.runs)
    outcomes = uvloop.run(measure(options.only, size))
    write(options.results, outcomes, quick=options.quick)
    missed = [verdict for outcome in outcomes.values() for verdict in outcome.verdicts if not verdict.reached]
    return 1 if missed and not options.quick else 0


if __name__ == "__main__":
    sys.exit(main())
