"""Simulates a launch day under several thresholds: `python -m bench.scale` (`make simulate-scale`).

Service times, starts and transfers come from bench/results/costs.json, every setting of autoscaling and release from
deploy/k8s; what neither knows is an assumption of `bench.scale.assumptions`, which options set. Each figure is
the median of several runs; the same seeds give the same figures. Prints a table, writes scale.json and scale.png to
bench/results.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Final

from bench.scale.assumptions import Cluster, LaunchDay
from bench.scale.chart import write_chart
from bench.scale.costs import JobTimes, read_costs
from bench.scale.scenarios import Row, as_json, middle, play, scenarios
from bench.scale.settings import DeploySettings, read_settings
from cutline.domain.states import Stage

RESULTS: Final = Path(__file__).parents[1] / "results"
_QUICK: Final = 0.2
"""Share of the rates and of the most pods that `--quick` takes."""


def main() -> None:
    """Simulates, prints and writes."""
    options = _options()
    cluster, day = _of(Cluster, options), _of(LaunchDay, options)
    if options.quick:
        day = replace(day, base_per_s=_QUICK * day.base_per_s)
    settings, times = read_settings(), JobTimes.of(read_costs(), cluster)
    _print_head(day, times)
    seeds = range(options.seed, options.seed + options.runs)
    rows = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for scenario in scenarios(settings, cluster, day, times):
            runs = [pool.submit(play, scenario, day, times, seed) for seed in seeds]
            rows.append(middle([run.result() for run in runs]))
            _print_row(rows[-1])
    if options.quick:
        return
    RESULTS.joinpath("scale.json").write_text(json.dumps(_report(seeds, settings, day, cluster, rows)) + "\n")
    write_chart(rows, day, RESULTS / "scale.png")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first run's submits and times (%(default)s)")
    parser.add_argument(
        "--runs", type=int, default=3, help="runs of each, with other seeds; medians count (%(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="a fifth of the submits; writes nothing")
    for group in (Cluster, LaunchDay):
        for one in fields(group):
            if isinstance(one.default, int | float):
                option = f"--{one.name.replace('_', '-')}"
                parser.add_argument(option, type=type(one.default), default=one.default, help="(%(default)s)")
    return parser.parse_args()


def _of(group: Any, options: argparse.Namespace) -> Any:
    """The assumptions of a group with what the options say."""
    return group(**{one.name: getattr(options, one.name) for one in fields(group) if hasattr(options, one.name)})


def _report(
    seeds: Sequence[int], settings: DeploySettings, day: LaunchDay, cluster: Cluster, rows: Sequence[Row]
) -> dict[str, Any]:
    times = JobTimes.of(read_costs(), cluster)
    return {
        "seeds": [*seeds],
        "settings": asdict(settings),
        "cluster": asdict(cluster),
        "day": asdict(day),
        "job_s": {stage.value: round(times.mean_s(stage), 4) for stage in Stage},
        "start_s": {stage.value: round(times.start_s(stage), 2) for stage in Stage},
        "rows": [as_json(row) for row in rows],
    }


def _print_head(day: LaunchDay, times: JobTimes) -> None:
    jobs = ", ".join(f"{stage.value} {1000 * times.mean_s(stage):.0f} ms" for stage in Stage)
    print(f"{day.base_per_s:.1f} designs/s, {day.peak_factor:g} times as many for {day.hold_s / 60:g} min; {jobs}")
    print(
        f"{'':40}{'designs':>9}{'wait p50':>10}{'p99':>9}{'others':>9}{'ready p50':>11}{'p99':>9}{'waiting':>9}"
        f"{'pods':>9}{'core h':>8}{'price':>8}"
    )


def _print_row(row: Row) -> None:
    pods = "+".join(str(each) for each in row.most_pods.values())
    print(
        f"{row.name:40}{row.designs:>9,}{row.wait_p50_s:>8.1f} s{row.wait_p99_s:>7.1f} s{row.others_p99_s:>7.1f} s"
        f"{row.ready_p50_s:>9.1f} s{row.ready_p99_s:>7.1f} s{row.most_waiting:>9,}{pods:>9}{row.core_hours:>8.1f}"
        f"{row.price:>8.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
