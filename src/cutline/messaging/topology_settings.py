"""The settings that shape the topology, read by whoever makes it or checks it."""

from __future__ import annotations

from cutline.messaging.topology import Topology
from cutline.runtime.environment import EnvReader


def read_topology(env: EnvReader) -> Topology:
    """The topology that the environment asks for."""
    return Topology(
        namespace=env.text("CUTLINE_NATS_NAMESPACE", ""),
        replicas=env.integer("CUTLINE_NATS_REPLICAS", 1, low=1, high=5),
        ack_wait_s=env.duration_s("CUTLINE_ACK_WAIT", 30.0, low=1, high=600),
        duplicate_window_s=env.duration_s("CUTLINE_DUPLICATE_WINDOW", 600.0, low=1, high=86_400),
        global_cap=env.integer("CUTLINE_GLOBAL_CAP", 200_000, low=1),
    )
