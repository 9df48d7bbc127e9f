"""A run: submits, two stages, their autoscalers, pods that start and drain, and what somebody who watches would see."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Protocol

import simpy

from bench.scale.arrivals import Job
from bench.scale.assumptions import Cluster
from bench.scale.autoscaler import SYNC_S, Autoscaler, wanted_replicas
from bench.scale.settings import DeploySettings, StageSettings
from bench.scale.stage import Stage
from cutline.domain.states import Stage as StageName

SAMPLE_S: Final = 5.0
_Process = Generator[simpy.Event, Any, None]


class Times(Protocol):
    """What jobs and starts take."""

    def draw(self, stage: StageName, kind: int, random: Random) -> float:
        """Seconds of one job of a kind of artwork in a slot."""

    def start_s(self, stage: StageName) -> float:
        """Seconds from the start of a pod's process to its readiness."""


@dataclass(slots=True)
class Sample:
    """A look at one stage at one time."""

    at_s: float
    lag: int
    held: int
    running: int
    pods: int
    ready_pods: int


@dataclass(slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        jobs: Every design that was submitted.
        samples: Looks at each stage.
        core_hours: Cores reserved by each stage's pods, times hours.
        interrupted: Jobs whose pod was gone before they ended, by stage.
        end_s: When the last design was ready, or when the run was cut.
    """

    jobs: list[Job]
    samples: dict[StageName, list[Sample]]
    core_hours: dict[StageName, float]
    interrupted: dict[StageName, int]
    end_s: float


@dataclass(frozen=True, slots=True)
class Silence:
    """A span in which nobody can read the lag."""

    from_s: float
    to_s: float

    def holds(self, at_s: float) -> bool:
        """Whether the lag cannot be read at a time."""
        return self.from_s <= at_s < self.to_s


NO_SILENCE: Final = Silence(0.0, 0.0)


class Simulation:
    """One run.

    Args:
        settings: What is deployed.
        cluster: What it runs on.
        times: What jobs take.
        random: Source of the times' spread.
        silence: When the broker's monitoring does not answer.
        first_pods: Pods of each stage that are ready at the start; None for what each stage has at least.
        autoscaled: Whether the pods follow the lag; otherwise the first ones stay.
        sample_s: Time between two looks.
    """

    def __init__(
        self,
        settings: DeploySettings,
        cluster: Cluster,
        times: Times,
        random: Random,
        *,
        silence: Silence = NO_SILENCE,
        first_pods: int | None = None,
        autoscaled: bool = True,
        sample_s: float = SAMPLE_S,
    ) -> None:
        self._env = simpy.Environment()
        self._cluster = cluster
        self._times = times
        self._silence = silence
        self._sample_s = sample_s
        self._random = random
        self.jobs: list[Job] = []
        self._unfinished = 0
        self.stages = [
            Stage(
                self._env,
                one,
                window=settings.release_window,
                target=settings.release_target,
                job_time=self._job_time(one.stage),
                done=self._done(number, last=number == len(settings.stages) - 1),
            )
            for number, one in enumerate(settings.stages)
        ]
        for stage in self.stages:
            for _ in range(stage.settings.low if first_pods is None else first_pods):
                pod = stage.add_pod()
                stage.place(pod)
                stage.open(pod)
            if autoscaled:
                self._env.process(self._autoscale(stage))
        self._samples: dict[StageName, list[Sample]] = {stage.settings.stage: [] for stage in self.stages}
        self._env.process(self._sample())

    @property
    def unfinished(self) -> int:
        """Designs in the system."""
        return self._unfinished

    def run(self, arrivals: Iterable[Job], *, until_s: float | None = None, more_s: float = 0.0) -> Outcome:
        """Runs until every design is ready, or to a time.

        Args:
            arrivals: Designs in order of time.
            until_s: When to cut; None for the end of the work.
            more_s: How long to watch on behind the end of the work, for pods that go.
        """
        everything = self._env.process(self._submit(arrivals))
        if until_s is not None:
            self._env.run(until=until_s)
        else:
            self._env.run(until=everything)
            while self._unfinished:
                self._env.step()
            end_s = self._env.now
            if more_s:
                self._env.run(until=end_s + more_s)
        return self._outcome(self._env.now if until_s is not None or not more_s else self._env.now - more_s)

    def add_pod_at(self, stage: Stage, ready_s: float) -> None:
        """A pod that somebody starts by hand, ready at a time."""

        def start() -> _Process:
            yield self._env.timeout(ready_s)
            pod = stage.add_pod()
            stage.place(pod)
            stage.open(pod)

        self._env.process(start())

    def _outcome(self, end_s: float) -> Outcome:
        for stage in self.stages:
            stage.close()
        return Outcome(
            jobs=self.jobs,
            samples=self._samples,
            core_hours={stage.settings.stage: stage.core_s / 3600 for stage in self.stages},
            interrupted={stage.settings.stage: stage.interrupted for stage in self.stages},
            end_s=end_s,
        )

    def _submit(self, arrivals: Iterable[Job]) -> _Process:
        for job in arrivals:
            yield self._env.timeout(max(0.0, job.submit_s - self._env.now))
            self.jobs.append(job)
            self._unfinished += 1
            self.stages[0].submit(job)

    def _job_time(self, stage: StageName) -> Callable[[Job], float]:
        return lambda job: self._times.draw(stage, job.artwork, self._random)

    def _done(self, number: int, *, last: bool) -> Callable[[Job], None]:
        def done(job: Job) -> None:
            if last:
                job.ready_s = self._env.now
                self._unfinished -= 1
            else:
                self.stages[number + 1].submit(job)

        return done

    def _sample(self) -> _Process:
        while True:
            for stage in self.stages:
                self._samples[stage.settings.stage].append(
                    Sample(self._env.now, stage.lag, stage.held, stage.running, len(stage.pods), stage.ready_pods)
                )
            yield self._env.timeout(self._sample_s)

    def _autoscale(self, stage: Stage) -> _Process:
        """The HPA's loop. KEDA reads the lag when the HPA asks; its own polling only wakes what stands at none."""
        own = stage.settings
        scaler = Autoscaler(low=own.low, high=own.high, up=own.up, down=own.down)
        failures = 0
        while True:
            yield self._env.timeout(SYNC_S)
            current = len(stage.pods)
            failures = failures + 1 if self._silence.holds(self._env.now) else 0
            lag = _fallback_lag(own, current, failures) if failures else float(stage.lag)
            if lag is None:
                continue
            decided = scaler.decide(self._env.now, wanted_replicas(lag, own.target, current), current)
            for _ in range(current, decided):
                self._env.process(self._start(stage))
            for _ in range(decided, current):
                stage.remove_pod()

    def _start(self, stage: Stage) -> _Process:
        """From the wish for a pod to its first job."""
        cluster, pod = self._cluster, stage.add_pod()
        yield self._env.timeout(cluster.schedule_s)
        if len(stage.pods) > stage.settings.low + cluster.room_pods:
            yield self._env.timeout(cluster.node_start_s)
        if pod.leaving:
            return
        stage.place(pod)
        yield self._env.timeout(cluster.image_pull_s)
        yield self._env.timeout(self._times.start_s(stage.settings.stage) + cluster.probe_s)
        if pod.placed_s >= 0:
            stage.open(pod)


def _fallback_lag(own: StageSettings, current: int, failures: int) -> float | None:
    """What KEDA tells the HPA while it cannot read: nothing, then what asks for the fallback's replicas."""
    if own.fallback is None or failures <= own.fallback.failures:
        return None
    replicas = max(own.fallback.replicas, current) if own.fallback.keeps_more else own.fallback.replicas
    return replicas * own.target
