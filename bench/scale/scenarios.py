"""The runs that are compared: several thresholds, and what else an operator may meet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import median_low
from typing import Any, Final

from bench.scale.arrivals import HEAVY, arrivals
from bench.scale.assumptions import Cluster, LaunchDay
from bench.scale.costs import JobTimes
from bench.scale.settings import DeploySettings
from bench.scale.simulation import NO_SILENCE, SAMPLE_S, Outcome, Silence, Simulation
from cutline.domain.states import Stage

THRESHOLDS: Final = (1.0, 1.5, 2.0, 4.0, 8.0)
"""Lag for each pod; what is deployed is among them."""
COOL_DOWN_S: Final = 1_200.0
"""Watched on behind the last design, so that the cost of pods that linger counts."""
_SILENT_S: Final = 600.0
_SMALL_TARGET: Final = 32
_SPARE: Final = 1.15
"""Slots over what the peak keeps busy, where the pods are fixed."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run.

    Attributes:
        name: As the table shows it.
        threshold: Lag for each pod of either stage.
        settings: What is deployed.
        cluster: What it runs on.
        silence: When the lag cannot be read.
        fixed_pods: Pods of each stage without an autoscaler; None with one.
    """

    name: str
    threshold: float
    settings: DeploySettings
    cluster: Cluster
    silence: Silence = NO_SILENCE
    fixed_pods: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What a run came to; times in seconds.

    Attributes:
        wait_p50_s: From submit to the start of the work.
        wait_p99_s: The same.
        others_p99_s: The same of all tenants but the heavy one.
        ready_p50_s: From submit to READY.
        ready_p99_s: The same.
        most_waiting: Most designs that waited for imaging or were in it, in the database or at the broker.
        most_pods: Most pods, by stage.
        core_hours: Of both stages, the time behind the burst included.
        price: Of these.
        interrupted: Jobs that a pod's end cut off.
        drained_s: From the last submit to the last READY.
        series: What the plot shows of both stages.
    """

    name: str
    threshold: float
    designs: int
    wait_p50_s: float
    wait_p99_s: float
    others_p99_s: float
    ready_p50_s: float
    ready_p99_s: float
    most_waiting: int
    most_pods: dict[str, int]
    core_hours: float
    price: float
    interrupted: int
    drained_s: float
    series: dict[str, list[float]]


def scenarios(settings: DeploySettings, cluster: Cluster, day: LaunchDay, times: JobTimes) -> list[Scenario]:
    """Every run, the thresholds first."""
    deployed = settings.stages[0].target
    found = [
        Scenario(_name(each, deployed), each, with_threshold(settings, each), cluster)
        for each in sorted({*THRESHOLDS, deployed})
    ]
    small = replace(settings, release_window=_SMALL_TARGET, release_target=_SMALL_TARGET)
    silence = Silence(day.burst_at_s, day.burst_at_s + _SILENT_S)
    peak = max(math.ceil(_SPARE * day.base_per_s * day.peak_factor * times.mean_s(stage.stage) / stage.slots)
               for stage in settings.stages)  # fmt: skip
    return [
        *found,
        Scenario(f"release window and target {_SMALL_TARGET}", deployed, small, cluster),
        Scenario(f"lag unreadable for {_SILENT_S / 60:.0f} min of the burst", deployed, settings, cluster, silence),
        Scenario("every new pod needs a new node", deployed, settings, replace(cluster, room_pods=0)),
        Scenario(f"no autoscaler, {peak} pods of each", deployed, settings, cluster, fixed_pods=peak),
    ]


def with_threshold(settings: DeploySettings, threshold: float) -> DeploySettings:
    """The same with another lag for each pod; the release target stays at least the lag that asks for most pods."""
    stages = tuple(replace(stage, target=threshold) for stage in settings.stages)
    most = max(math.ceil(threshold * stage.high) for stage in stages)
    return replace(settings, stages=stages, release_target=max(settings.release_target, most))


def _name(threshold: float, deployed: float) -> str:
    return f"threshold {threshold:g}{' (as deployed)' if threshold == deployed else ''}"


def play(scenario: Scenario, day: LaunchDay, times: JobTimes, seed: int) -> Row:
    """Runs a scenario; the same seed gives the same submits to all."""
    simulation = Simulation(
        scenario.settings,
        scenario.cluster,
        times,
        Random(seed + 1),  # noqa: S311  (repeatable on purpose, here and below)
        silence=scenario.silence,
        first_pods=scenario.fixed_pods,
        autoscaled=scenario.fixed_pods is None,
    )
    submits = arrivals(day, times.shares, Random(seed))  # noqa: S311
    outcome = simulation.run(submits, more_s=COOL_DOWN_S)
    return _row(scenario, day, outcome)


def middle(rows: Sequence[Row]) -> Row:
    """Medians over runs of one scenario with other seeds; the series of the first."""
    first = rows[0]
    figures = {
        name: median_low(getattr(row, name) for row in rows)
        for name, value in as_json(first).items()
        if isinstance(value, int | float)
    }
    most_pods = {stage: median_low(row.most_pods[stage] for row in rows) for stage in first.most_pods}
    return replace(first, **figures, most_pods=most_pods)


def _row(scenario: Scenario, day: LaunchDay, outcome: Outcome) -> Row:
    waits_s = [job.wait_s for job in outcome.jobs]
    readies_s = [job.ready_s - job.submit_s for job in outcome.jobs]
    imaging = outcome.samples[Stage.IMAGING]
    core_hours = sum(outcome.core_hours.values())
    return Row(
        name=scenario.name,
        threshold=scenario.threshold,
        designs=len(outcome.jobs),
        wait_p50_s=round(percentile(waits_s, 50), 2),
        wait_p99_s=round(percentile(waits_s, 99), 2),
        others_p99_s=round(percentile([job.wait_s for job in outcome.jobs if job.tenant != HEAVY], 99), 2),
        ready_p50_s=round(percentile(readies_s, 50), 2),
        ready_p99_s=round(percentile(readies_s, 99), 2),
        most_waiting=max(sample.lag + sample.held for sample in imaging),
        most_pods={stage.value: max(one.pods for one in samples) for stage, samples in outcome.samples.items()},
        core_hours=round(core_hours, 2),
        price=round(core_hours * scenario.cluster.core_hour_price, 2),
        interrupted=sum(outcome.interrupted.values()),
        drained_s=round(max(0.0, outcome.end_s - day.duration_s), 1),
        series=_series(outcome),
    )


def _series(outcome: Outcome) -> dict[str, list[float]]:
    """Every second look, as the plot needs it."""
    found: dict[str, list[float]] = {"step_s": [2 * SAMPLE_S]}
    for stage, samples in outcome.samples.items():
        few = samples[::2]
        found[f"{stage.value} waiting"] = [one.lag + one.held for one in few]
        found[f"{stage.value} lag"] = [one.lag for one in few]
        found[f"{stage.value} pods"] = [one.ready_pods for one in few]
    return found


def percentile(values: Sequence[float], percent: float) -> float:
    """By rank: the least value that so many percent do not exceed; 0 of nothing."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def as_json(row: Row) -> dict[str, Any]:
    """A row for bench/results/scale.json."""
    return {name: getattr(row, name) for name in Row.__slots__}
