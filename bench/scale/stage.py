"""One stage: jobs that wait in the database, released ones at the broker, pods that take them lane by lane.

The release is that of docs/job-lifecycle.md: a tenant with fewer released, unstarted jobs than the window is released
at once; beyond that the tenant with the fewest comes first, and a place beyond the window is given only while the lane
holds less than its target. Lanes are dealt by the workers' own `LaneOrder`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from itertools import count

import simpy

from bench.scale.arrivals import Job
from bench.scale.settings import StageSettings
from cutline.domain.states import Lane
from cutline.messaging.lanes import DEFAULT_WEIGHTS, LaneOrder

JobTime = Callable[[Job], float]


class Pod:
    """A pod: starting, then ready, then leaving.

    Attributes:
        number: In order of creation.
        free: Slots without a job; none before it is ready.
        running: Jobs in its slots.
        ready: Whether it takes jobs.
        leaving: Whether it was told to stop.
        placed_s: Since when its requests are reserved on a node; negative while it has none.
    """

    def __init__(self, number: int, weights: dict[Lane, int]) -> None:
        self.number = number
        self.free = 0
        self.running: dict[int, Job] = {}
        self.ready = False
        self.leaving = False
        self.placed_s = -1.0
        self.order = LaneOrder(weights)


class Stage:
    """The queue and the pods of one stage.

    Args:
        env: The simulation's clock.
        settings: Of the stage.
        window: Released, unstarted jobs of one tenant in a lane.
        target: Released, unstarted jobs a lane is filled up to.
        job_time: Seconds that a job takes in a slot.
        done: Called with each job that ended.
    """

    def __init__(
        self,
        env: simpy.Environment,
        settings: StageSettings,
        *,
        window: int,
        target: int,
        job_time: JobTime,
        done: Callable[[Job], None],
    ) -> None:
        self.settings = settings
        self.pods: dict[int, Pod] = {}
        self.leaving: dict[int, Pod] = {}
        self.core_s = 0.0
        self.interrupted = 0
        self._env = env
        self._window = window
        self._target = target
        self._job_time = job_time
        self._done = done
        self._held: dict[Lane, dict[str, deque[Job]]] = {lane: {} for lane in Lane}
        self._released: dict[Lane, deque[Job]] = {lane: deque() for lane in Lane}
        self._released_of: dict[Lane, Counter[str]] = {lane: Counter() for lane in Lane}
        self._running: Counter[Lane] = Counter()
        self._idle: dict[int, Pod] = {}
        self._numbers = count()
        self._runs = count()

    @property
    def lag(self) -> int:
        """What KEDA's scaler reads: messages pending and messages not acked, of all lanes."""
        return sum(map(len, self._released.values())) + self._running.total()

    @property
    def held(self) -> int:
        """Jobs that wait in the database, which no autoscaler sees."""
        return sum(len(jobs) for tenants in self._held.values() for jobs in tenants.values())

    @property
    def running(self) -> int:
        """Jobs in slots."""
        return self._running.total()

    @property
    def ready_pods(self) -> int:
        """Pods that take jobs."""
        return sum(pod.ready for pod in self.pods.values())

    def submit(self, job: Job) -> None:
        """Takes a job: released at once where its tenant has room and nobody of the same queue waits."""
        job.queued_s = self._env.now
        lane, tenant = job.lane, job.tenant
        if tenant in self._held[lane] or self._released_of[lane][tenant] >= self._window:
            self._held[lane].setdefault(tenant, deque()).append(job)
            self._release(lane)
        else:
            self._publish(job)
        self._deal()

    def add_pod(self) -> Pod:
        """A pod that is wished for; `place` and `open` follow when it has a node and when it is ready."""
        pod = Pod(next(self._numbers), dict(DEFAULT_WEIGHTS))
        self.pods[pod.number] = pod
        return pod

    def place(self, pod: Pod) -> None:
        """The pod is on a node: what it asked for is reserved, and paid."""
        pod.placed_s = self._env.now

    def open(self, pod: Pod) -> None:
        """The pod is ready: it takes jobs."""
        pod.ready, pod.free = True, self.settings.slots
        self._idle[pod.number] = pod
        self._deal()

    def remove_pod(self) -> Pod:
        """Takes the youngest pod away, those that are not ready first, as the ReplicaSet does; its jobs may end."""
        pod = max(self.pods.values(), key=lambda one: (not one.ready, one.number))
        del self.pods[pod.number]
        self._idle.pop(pod.number, None)
        pod.leaving = True
        if pod.running:
            self.leaving[pod.number] = pod
            self._after(self.settings.stop_grace_s, lambda: self._cut(pod))
        else:
            self._end(pod)
        return pod

    def close(self) -> None:
        """Counts the pods that are still there at the end."""
        for pod in (*self.pods.values(), *self.leaving.values()):
            self._pay(pod)

    def _publish(self, job: Job) -> None:
        self._released[job.lane].append(job)
        self._released_of[job.lane][job.tenant] += 1

    def _release(self, lane: Lane) -> None:
        """Releases what has room, the tenant with the fewest released first, then whose job waits the longest."""
        held, released_of = self._held[lane], self._released_of[lane]
        while held:
            tenant = min(held, key=lambda one: (released_of[one], held[one][0].queued_s))
            if released_of[tenant] >= self._window and len(self._released[lane]) >= self._target:
                return
            self._publish(held[tenant].popleft())
            if not held[tenant]:
                del held[tenant]

    def _deal(self) -> None:
        """Gives free slots the jobs that are there, each pod the lane whose turn it is with it."""
        while self._idle:
            lanes = [
                lane
                for lane, jobs in self._released.items()
                if jobs and self._running[lane] < self.settings.max_ack_pending
            ]
            if not lanes:
                return
            pod = next(iter(self._idle.values()))
            self._start(pod, lanes[0] if len(lanes) == 1 else next(one for one in pod.order.order() if one in lanes))

    def _start(self, pod: Pod, lane: Lane) -> None:
        job = self._released[lane].popleft()
        released_of = self._released_of[lane]
        released_of[job.tenant] -= 1
        if not released_of[job.tenant]:
            del released_of[job.tenant]
        pod.order.took(lane)
        pod.free -= 1
        if not pod.free:
            del self._idle[pod.number]
        else:
            self._idle[pod.number] = self._idle.pop(pod.number)  # the next job is another pod's
        self._running[lane] += 1
        job.start_s = self._env.now
        if job.wait_s < 0:
            job.wait_s = self._env.now - job.submit_s
        run = next(self._runs)
        pod.running[run] = job
        self._after(self._job_time(job), lambda: self._finish(pod, run))
        self._release(lane)

    def _finish(self, pod: Pod, run: int) -> None:
        job = pod.running.pop(run, None)
        if job is None:
            return  # interrupted before
        self._running[job.lane] -= 1
        if pod.leaving:
            if not pod.running:
                self._end(pod)
        else:
            pod.free += 1
            self._idle[pod.number] = pod
        self._done(job)
        self._deal()

    def _cut(self, pod: Pod) -> None:
        """The grace is over: what still runs goes back to where it came from."""
        if pod.number not in self.leaving:
            return
        for job in pod.running.values():
            self.interrupted += 1
            self._running[job.lane] -= 1
            self._released[job.lane].appendleft(job)
            self._released_of[job.lane][job.tenant] += 1
        pod.running.clear()
        self._end(pod)
        self._deal()

    def _end(self, pod: Pod) -> None:
        self.leaving.pop(pod.number, None)
        self._pay(pod)

    def _pay(self, pod: Pod) -> None:
        if pod.placed_s >= 0:
            self.core_s += (self._env.now - pod.placed_s) * self.settings.cores
        pod.placed_s = -1.0

    def _after(self, delay_s: float, then: Callable[[], None]) -> None:
        self._env.timeout(delay_s).callbacks.append(lambda _event: then())
