"""Settings that every pull worker has."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from cutline.domain.states import Lane
from cutline.messaging.lanes import DEFAULT_WEIGHTS
from cutline.messaging.topology import Topology
from cutline.messaging.topology_settings import read_topology
from cutline.runtime.environment import EnvReader
from cutline.store.release import RELEASE_WINDOW

_LANES = tuple(Lane)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a worker works.

    Attributes:
        worker_id: Its name in attempts and timelines.
        topology: The topology this worker counts on.
        slots: Jobs at a time, each in a process of its own.
        threads: Threads that native libraries may use in each of them.
        memory_limit_bytes: Heap and private pages of such a process; 0 for no bound.
        hard_deadline_s: Time an attempt may take.
        recycle_after: Jobs after which a fresh process takes over.
        stop_grace_s: How long running jobs may go on once the worker has to stop.
        lane_weights: Shares of the lanes.
        release_window: Released, unstarted jobs a tenant may have in the stage that follows, as ingest has it.
    """

    worker_id: str
    topology: Topology
    slots: int
    threads: int
    memory_limit_bytes: int
    hard_deadline_s: float
    recycle_after: int
    stop_grace_s: float
    lane_weights: Mapping[Lane, int]
    release_window: int

    @property
    def ack_wait_s(self) -> float:
        """Silence after which the broker hands a message to another worker; the consumers have the same."""
        return self.topology.ack_wait_s

    @classmethod
    def read(cls, env: EnvReader, *, slots_name: str, memory_name: str) -> WorkerSettings:
        """Reads the group.

        Args:
            env: Where from.
            slots_name: Variable with the number of slots.
            memory_name: Variable with the memory limit of each.
        """
        slots = env.integer(slots_name, 1, low=1, high=64)
        return cls(
            worker_id=env.text("CUTLINE_WORKER_ID", f"{socket.gethostname()}-{os.getpid()}"),
            topology=read_topology(env),
            slots=slots,
            threads=env.integer("CUTLINE_SLOT_THREADS", max(1, _cpus() // slots), low=1, high=64),
            memory_limit_bytes=env.integer(memory_name, 4 * 1024**3, low=0, high=2**50),
            hard_deadline_s=env.duration_s("CUTLINE_JOB_DEADLINE", 120.0, low=1, high=3600),
            recycle_after=env.integer("CUTLINE_SLOT_RECYCLE_AFTER", 500, low=1),
            stop_grace_s=env.duration_s("CUTLINE_WORKER_STOP_GRACE", 20.0, high=3600),
            lane_weights=_weights(env),
            release_window=env.integer("CUTLINE_RELEASE_WINDOW", RELEASE_WINDOW, low=1),
        )


def _weights(env: EnvReader) -> Mapping[Lane, int]:
    name = "CUTLINE_LANE_WEIGHTS"
    words = env.text(name, ",".join(str(DEFAULT_WEIGHTS[lane]) for lane in _LANES)).split(",")
    numbers = [int(word) for word in words if word.strip().isdecimal()]
    if len(numbers) != len(_LANES) or len(words) != len(_LANES) or not all(1 <= number <= 100 for number in numbers):
        env.refuse(name, f"is not three whole numbers from 1 to 100 for {', '.join(_LANES)}, such as 6,3,1")
        return DEFAULT_WEIGHTS
    return dict(zip(_LANES, numbers, strict=True))


def _cpus() -> int:
    """Processors this process may use; a container's affinity counts where the system tells it."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
