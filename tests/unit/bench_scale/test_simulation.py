"""The simulation against closed forms, conservation, and the rules it plays by."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random

import pytest
import simpy

from bench.scale.arrivals import HEAVY, Job, arrivals
from bench.scale.assumptions import Cluster, LaunchDay
from bench.scale.autoscaler import Policy, Rules
from bench.scale.settings import DeploySettings, Fallback, StageSettings
from bench.scale.simulation import Silence, Simulation
from bench.scale.stage import Stage
from cutline.domain.states import Lane
from cutline.domain.states import Stage as StageName

RULES = Rules(0.0, (Policy(100, 30.0, is_percent=True), Policy(8, 30.0)))
ONE = StageSettings(
    stage=StageName.IMAGING, slots=1, cores=1.0, stop_grace_s=130.0, target=2.0, low=2, high=40,
    max_ack_pending=256, up=RULES, down=Rules(300.0, (Policy(25, 60.0, is_percent=True),)),
    fallback=Fallback(failures=3, replicas=6, keeps_more=True),
)  # fmt: skip
ALONE = DeploySettings((ONE,), release_window=256, release_target=256)
BOTH = DeploySettings((ONE, replace(ONE, stage=StageName.MOCKUP)), release_window=256, release_target=256)
UNBOUNDED = replace(ALONE, release_window=10**9, release_target=10**9)


@dataclass(frozen=True)
class Drawn:
    """Times drawn by a function."""

    by: Callable[[Random], float]
    starting_s: float = 5.0

    def draw(self, stage: StageName, kind: int, random: Random) -> float:
        """One job's time."""
        del stage, kind
        return self.by(random)

    def start_s(self, stage: StageName) -> float:
        """A pod's start."""
        del stage
        return self.starting_s


def dice(seed: int) -> Random:
    """A source that repeats."""
    return Random(seed)  # noqa: S311  (repeatable on purpose)


def poisson(per_s: float, number: int, seed: int = 1) -> Iterator[Job]:
    """Submits of one tenant in one lane at a steady rate."""
    random, at_s = dice(seed), 0.0
    for _ in range(number):
        at_s += random.expovariate(per_s)
        yield Job("one", Lane.STANDARD, 0, submit_s=at_s)


def fixed(pods: int, times: Drawn, settings: DeploySettings = UNBOUNDED) -> Simulation:
    """A run without an autoscaler."""
    return Simulation(settings, Cluster(), times, dice(7), first_pods=pods, autoscaled=False)


def erlang_c_wait_s(per_s: float, service_s: float, servers: int) -> float:
    """Mean wait in M/M/c."""
    load = per_s * service_s
    busy = load**servers / math.factorial(servers) * servers / (servers - load)
    all_busy = busy / (sum(load**k / math.factorial(k) for k in range(servers)) + busy)
    return all_busy * service_s / (servers - load)


@pytest.mark.parametrize(("servers", "per_s"), [(1, 0.6), (4, 3.2)])
def test_waits_are_those_of_erlang_with_exponential_times(servers: int, per_s: float) -> None:
    """With Poisson arrivals and exponential times the mean wait is Erlang's, within 6 %."""
    outcome = fixed(servers, Drawn(lambda random: random.expovariate(1.0))).run(poisson(per_s, 24_000))
    mean_s = sum(job.wait_s for job in outcome.jobs) / len(outcome.jobs)

    assert mean_s == pytest.approx(erlang_c_wait_s(per_s, 1.0, servers), rel=0.06)


def test_waits_are_those_of_pollaczek_and_khinchine_with_constant_times() -> None:
    """With constant times at one slot the mean wait is rho x s / 2(1 - rho), within 5 %."""
    outcome = fixed(1, Drawn(lambda _: 0.5)).run(poisson(1.4, 24_000))
    mean_s = sum(job.wait_s for job in outcome.jobs) / len(outcome.jobs)

    assert mean_s == pytest.approx(0.7 * 0.5 / (2 * 0.3), rel=0.05)


def test_what_is_in_the_system_is_rate_times_time() -> None:
    """Little's law: the mean of what is looked at is the rate times the mean stay, within 3 %."""
    outcome = fixed(4, Drawn(lambda random: random.expovariate(1.0))).run(poisson(3.2, 20_000))
    looks = [sample.lag + sample.held for sample in outcome.samples[StageName.IMAGING]]
    stay_s = sum(job.ready_s - job.submit_s for job in outcome.jobs) / len(outcome.jobs)

    assert sum(looks) / len(looks) == pytest.approx(len(outcome.jobs) / outcome.end_s * stay_s, rel=0.03)


@pytest.mark.parametrize("until_s", [50.0, 200.0, 400.0])
def test_nothing_is_lost_or_made(until_s: float) -> None:
    """At any time what was submitted is ready, waits, or is under way."""
    day = LaunchDay(base_per_s=4, burst_at_s=60, ramp_s=20, hold_s=60, duration_s=300)
    simulation = Simulation(BOTH, Cluster(), Drawn(lambda random: random.uniform(0.5, 2)), dice(3))
    outcome = simulation.run(arrivals(day, (1.0,), dice(5)), until_s=until_s)
    ready = sum(job.ready_s >= 0 for job in outcome.jobs)
    inside = sum(stage.held + stage.lag for stage in simulation.stages)

    assert len(outcome.jobs) == ready + inside
    assert inside == simulation.unfinished
    assert ready > 0


def test_the_same_seed_gives_the_same_run() -> None:
    """Two runs are equal to the last look; another seed gives another one."""
    day = LaunchDay(base_per_s=4, burst_at_s=30, ramp_s=10, hold_s=30, duration_s=90)

    def run(seed: int) -> object:
        times = Drawn(lambda random: random.uniform(0.5, 2))
        outcome = Simulation(BOTH, Cluster(), times, dice(seed)).run(arrivals(day, (0.5, 0.5), dice(seed)))
        return outcome.samples, outcome.core_hours, outcome.end_s

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_arrivals_follow_the_profile() -> None:
    """Submits in the burst are as many as its area says, and half of what comes on top is the heavy tenant's."""
    day = LaunchDay(base_per_s=10, peak_factor=5, burst_at_s=100, ramp_s=50, hold_s=200, duration_s=500)
    jobs = list(arrivals(day, (0.25, 0.75), dice(2)))
    on_top = 40 * (200 + 50)

    assert len(jobs) == pytest.approx(500 * 10 + on_top, rel=0.03)
    assert sum(job.tenant == HEAVY for job in jobs) == pytest.approx(on_top / 2, rel=0.05)
    assert sum(job.artwork == 1 for job in jobs) == pytest.approx(0.75 * len(jobs), rel=0.05)
    assert [job.submit_s for job in jobs] == sorted(job.submit_s for job in jobs)


def test_pods_follow_the_lag_and_go_again() -> None:
    """A burst brings pods, each after its start; when the window is over the fewest are left."""
    outcome = Simulation(ALONE, Cluster(node_start_s=0), Drawn(lambda _: 1.0), dice(1)).run(
        poisson(20, 6_000), more_s=1_500
    )
    samples = outcome.samples[StageName.IMAGING]

    assert samples[0].pods == 2
    assert max(one.ready_pods for one in samples) >= 20
    assert all(one.ready_pods <= one.pods for one in samples)
    assert samples[-1].pods == 2


def test_the_autoscaler_sees_no_more_than_what_is_released() -> None:
    """With a release target below what asks for more pods, the lag stays at it and the pods stay few."""
    narrow = replace(ALONE, release_window=8, release_target=8)
    times = Drawn(lambda _: 1.0)
    clipped = Simulation(narrow, Cluster(), times, dice(1)).run(poisson(20, 3_000)).samples[StageName.IMAGING]
    seen = Simulation(ALONE, Cluster(), times, dice(1)).run(poisson(20, 3_000)).samples[StageName.IMAGING]

    assert max(one.lag for one in clipped) <= 8 + max(one.running for one in clipped)
    assert max(one.held for one in clipped) > 1_000
    assert max(one.pods for one in clipped) < max(one.pods for one in seen)


def test_a_tenant_with_much_waiting_holds_up_nobody() -> None:
    """A thousand jobs of one tenant are waiting; another one's single job starts before nearly all of them."""
    crowd = [Job(HEAVY, Lane.STANDARD, 0, submit_s=0.0) for _ in range(1_000)]
    single = Job("single", Lane.STANDARD, 0, submit_s=10.0)
    fixed(2, Drawn(lambda _: 1.0), replace(ALONE, release_window=16, release_target=16)).run([*crowd, single])

    assert single.wait_s < 12
    assert max(job.wait_s for job in crowd) > 400


def test_lanes_are_dealt_by_weight() -> None:
    """With all lanes full, starts fall 6 : 3 : 1."""
    jobs = [Job(f"t{number % 5}", lane, 0, submit_s=0.0) for number in range(600) for lane in Lane]
    fixed(1, Drawn(lambda _: 1.0)).run(jobs)
    early = [job.lane for job in sorted(jobs, key=lambda job: job.start_s)[:500]]

    assert [early.count(lane) for lane in Lane] == pytest.approx([300, 150, 50], abs=3)


def test_no_lane_has_more_with_workers_than_the_broker_hands_out() -> None:
    """With room for a hundred jobs a lane gets max_ack_pending of them."""
    bounded = replace(UNBOUNDED, stages=(replace(ONE, max_ack_pending=12),))
    outcome = fixed(100, Drawn(lambda _: 10.0), bounded).run(poisson(30, 600))

    assert max(one.running for one in outcome.samples[StageName.IMAGING]) == 12


class Bench:
    """A stage by itself, with what became of its jobs."""

    def __init__(self, stop_grace_s: float, job_s: float, *, window: int = 256, target: int = 256) -> None:
        self.env = simpy.Environment()
        self.ended: list[float] = []
        self.stage = Stage(
            self.env, replace(ONE, stop_grace_s=stop_grace_s), window=window, target=target,
            job_time=lambda _: job_s, done=lambda _: self.ended.append(self.env.now),
        )  # fmt: skip

    def pod(self) -> None:
        """A pod that is ready at once."""
        pod = self.stage.add_pod()
        self.stage.place(pod)
        self.stage.open(pod)


def test_a_tenant_alone_fills_a_lane_to_its_target_and_others_pass_it() -> None:
    """Beyond its window a tenant is released up to the lane's target; another's job is released beyond that at once."""
    bench = Bench(stop_grace_s=130.0, job_s=60.0, window=8, target=32)
    for _ in range(100):
        bench.stage.submit(Job(HEAVY, Lane.STANDARD, 0, submit_s=0.0))
    assert (bench.stage.lag, bench.stage.held) == (32, 68)

    bench.stage.submit(Job("single", Lane.STANDARD, 0, submit_s=0.0))

    assert (bench.stage.lag, bench.stage.held) == (33, 68)


def test_the_youngest_pod_goes_first_and_before_it_one_that_is_not_ready() -> None:
    """Pods go in the order that a ReplicaSet takes them away, and one that was never placed costs nothing."""
    bench = Bench(stop_grace_s=130.0, job_s=60.0)
    bench.pod()
    bench.pod()
    bench.stage.add_pod()
    bench.env.run(until=30)

    assert [bench.stage.remove_pod().number for _ in range(3)] == [2, 1, 0]
    assert bench.stage.core_s == 60.0


def test_a_pod_taken_away_while_it_starts_never_works() -> None:
    """Pods that are wished for, and given up before they are ready, take no job."""
    slow = Drawn(lambda _: 1.0, starting_s=5_000.0)
    crowd = [Job("one", Lane.STANDARD, 0, submit_s=0.0) for _ in range(100)]
    later = [Job("one", Lane.STANDARD, 0, submit_s=6_000.0) for _ in range(50)]
    outcome = Simulation(ALONE, Cluster(), slow, dice(1)).run([*crowd, *later], until_s=6_010.5)

    assert max(one.pods for one in outcome.samples[StageName.IMAGING]) == 10
    assert sum(job.ready_s > 0 for job in later) == 20  # two pods for ten seconds


def test_a_pod_that_goes_ends_its_jobs_within_the_grace() -> None:
    """The job of a pod that goes ends there, the pod is paid until then, and it takes nothing more."""
    bench = Bench(stop_grace_s=130.0, job_s=60.0)
    bench.pod()
    for _ in range(2):
        bench.stage.submit(Job("one", Lane.STANDARD, 0, submit_s=0.0))
    bench.env.run(until=10)
    bench.stage.remove_pod()
    bench.env.run(until=500)

    assert bench.ended == [60.0]
    assert bench.stage.core_s == 60.0
    assert (bench.stage.lag, bench.stage.running, bench.stage.interrupted) == (1, 0, 0)


def test_a_job_longer_than_the_grace_goes_back_and_runs_elsewhere() -> None:
    """A grace shorter than the job interrupts it once; it is not lost, and ends at the next pod."""
    bench = Bench(stop_grace_s=20.0, job_s=60.0)
    bench.pod()
    bench.stage.submit(Job("one", Lane.STANDARD, 0, submit_s=0.0))
    bench.env.run(until=10)
    bench.stage.remove_pod()
    bench.env.run(until=100)
    assert (bench.ended, bench.stage.interrupted, bench.stage.lag) == ([], 1, 1)

    bench.pod()
    bench.env.run(until=200)

    assert bench.ended == [160.0]
    assert bench.stage.core_s == 30.0


def test_without_a_readable_lag_the_fallback_holds_after_its_failures() -> None:
    """Three failed readings change nothing; from the fourth on there are as many pods as the fallback says."""
    simulation = Simulation(ALONE, Cluster(), Drawn(lambda _: 1.0), dice(1), silence=Silence(0.0, 10_000.0))
    outcome = simulation.run(poisson(20, 10_000), until_s=200.0)
    pods = {round(one.at_s): one.pods for one in outcome.samples[StageName.IMAGING]}

    assert pods[55] == 2
    assert pods[65] == 6
    assert max(pods.values()) == 6


def test_a_fallback_that_keeps_more_takes_nobody_away() -> None:
    """Pods above the fallback's number stay while nobody can read the lag; a static fallback lets them go."""

    def left(*, keeps_more: bool) -> int:
        own = replace(ONE, fallback=Fallback(failures=3, replicas=6, keeps_more=keeps_more))
        settings = replace(ALONE, stages=(own,))
        silence = Silence(100.0, 10_000.0)
        run = Simulation(settings, Cluster(), Drawn(lambda _: 1.0), dice(1), silence=silence)
        return run.run(poisson(20, 20_000), until_s=900.0).samples[StageName.IMAGING][-1].pods

    assert left(keeps_more=True) >= 12
    assert left(keeps_more=False) == 6
