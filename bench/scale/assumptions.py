"""What no measurement of this repository can know: each number by name, with why, and settable."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster and the object store that the stages run on.

    Attributes:
        schedule_s: From the wish for a pod to its place on a node that has room.
        image_pull_s: Pull of the image; about 300 MB, none of it on the node yet.
        probe_s: Average wait for the startup probe's next look (it looks each 2 s).
        node_start_s: A new node, from the wish to Ready, for pods that no node has room for.
        room_pods: Pods of a stage above its fewest that nodes have room for already.
        core_speed: Speed of a core against those that the costs were measured on.
        s3_call_s: Time to the first byte of a call to a remote object store.
        s3_bytes_per_s: Bytes a second of one job's transfers to or from it.
        spread: Coefficient of variation of a job's time within one kind of artwork (log-normal).
        core_hour_price: Price of a core with 4.5 GiB for an hour, in whatever currency: clouds ask 0.03 to 0.06.
    """

    schedule_s: float = 1.0
    image_pull_s: float = 12.0
    probe_s: float = 1.0
    node_start_s: float = 75.0
    room_pods: int = 12
    core_speed: float = 1.0
    s3_call_s: float = 0.02
    s3_bytes_per_s: float = 80e6
    spread: float = 0.25
    core_hour_price: float = 0.045


@dataclass(frozen=True, slots=True)
class LaunchDay:
    """Designs submitted in a burst, in three linear pieces: up, level, down.

    Attributes:
        base_per_s: Before and after; a million a day on average.
        peak_factor: Peak over base.
        burst_at_s: When it begins.
        ramp_s: Time up, and time down.
        hold_s: Time at the peak.
        duration_s: When submits end; work goes on to its end.
        tenants: Tenants of equal size.
        heavy_share: Share of what comes on top of the base that is one tenant's.
        lanes: Shares of the lanes express, standard and bulk.
    """

    base_per_s: float = 1e6 / 86_400
    peak_factor: float = 8.0
    burst_at_s: float = 600.0
    ramp_s: float = 120.0
    hold_s: float = 900.0
    duration_s: float = 2_700.0
    tenants: int = 200
    heavy_share: float = 0.5
    lanes: tuple[float, float, float] = (0.1, 0.8, 0.1)

    def rate_per_s(self, at_s: float) -> float:
        """Submits a second at a time."""
        since_s = at_s - self.burst_at_s
        up, down = since_s / self.ramp_s, (2 * self.ramp_s + self.hold_s - since_s) / self.ramp_s
        return self.base_per_s * (1 + (self.peak_factor - 1) * max(0.0, min(1.0, up, down)))
