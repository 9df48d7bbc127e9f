"""The settings that shape the topology, read by whoever makes it or checks it."""

from __future__ import annotations

from typing import Final

from cutline.domain.states import Stage
from cutline.messaging.topology import Topology
from cutline.runtime.environment import EnvReader

MAX_ACK_PENDING: Final = 256
MOST_ACK_PENDING: Final = 100_000
"""Far above what any number of workers needs; the broker keeps each unacked message in memory."""


def read_topology(env: EnvReader) -> Topology:
    """The topology that the environment asks for."""
    return Topology(
        namespace=env.text("CUTLINE_NATS_NAMESPACE", ""),
        replicas=env.integer("CUTLINE_NATS_REPLICAS", 1, low=1, high=5),
        ack_wait_s=env.duration_s("CUTLINE_ACK_WAIT", 30.0, low=1, high=600),
        max_ack_pending={
            Stage.IMAGING: _read_max_ack_pending(env, "CUTLINE_IMAGING_MAX_ACK_PENDING"),
            Stage.MOCKUP: _read_max_ack_pending(env, "CUTLINE_MOCKUP_MAX_ACK_PENDING"),
        },
        duplicate_window_s=env.duration_s("CUTLINE_DUPLICATE_WINDOW", 600.0, low=1, high=86_400),
        events_keep_s=env.duration_s("CUTLINE_EVENTS_KEEP", 7 * 86_400.0, low=60),
        global_cap=env.integer("CUTLINE_GLOBAL_CAP", 200_000, low=1),
    )


def _read_max_ack_pending(env: EnvReader, name: str) -> int:
    return env.integer(name, MAX_ACK_PENDING, low=1, high=MOST_ACK_PENDING)
