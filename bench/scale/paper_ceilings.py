"""Table of docs/scaling.md: how many designs a second each part carries as it is deployed, the lowest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench.scale.figures import AVERAGE_PER_S, DAY_S, DESIGNS, PEAK_PER_S, Figures, number, table
from cutline.messaging.topology import Topology

BUSY: Final = 0.7
"""Share of a core that may be busy before answers queue: what the CPU autoscalers aim at."""
POSTGRES_CORES: Final = 8
POSTGRES_SYNCS_PER_S: Final = 3_000
"""A common network disk's included operations."""
BROKER_SYNC_S: Final = 0.002
"""One sync of a network SSD."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """One part's limit.

    Attributes:
        name: What is exhausted.
        per_s: Designs a second at which it is.
        formula: How that is computed.
        moved_by: What raises it.
        by_day: Whether it is a day's sum that exhausts it, not an hour's rate.
    """

    name: str
    per_s: float
    formula: str
    moved_by: str
    by_day: bool = False

    @property
    def headroom(self) -> float:
        """Against a million a day: against its peak, or against its mean where only the sum counts."""
        return self.per_s / (AVERAGE_PER_S if self.by_day else PEAK_PER_S)


def found(figures: Figures) -> list[Ceiling]:
    """Every ceiling, the lowest headroom first."""
    limits, counted = figures.limits, figures.costs["postgres_per_design"]
    live = figures.costs["kept_doorbells"]["live_memory_bytes"]
    age_days = next(one.max_age_s for one in Topology().streams() if one.name == Topology().events_stream) / DAY_S
    rings = figures.costs["streams_per_design"]["EVENTS messages"]
    ingest_s, status_s = figures.cpu_s("ingest"), figures.cpu_s("status")
    postgres_s, nats_s = figures.cpu_s("PostgreSQL"), figures.cpu_s("nats-server")
    ceilings = [
        Ceiling(
            "memory of each NATS node: subjects of kept doorbells",
            limits["broker memory"] / live / age_days / DAY_S,
            f"{limits['broker memory'] / 2**20:.0f} MiB / {live:.0f} B / {age_days:g} d",
            "a shorter age of the stream of doorbells: nothing here reads its past; more memory",
            by_day=True,
        ),
        Ceiling(
            "core of the leader of both streams",
            BUSY * limits["broker cores"] / nats_s,
            f"{BUSY} x {limits['broker cores']:g} core / {1e3 * nats_s:.1f} ms",
            "more cores (there is no limit); leaders on different nodes",
        ),
        Ceiling(
            "syncs of PostgreSQL's log, designs one by one",
            POSTGRES_SYNCS_PER_S / counted["WAL syncs"],
            f"{POSTGRES_SYNCS_PER_S:,}/s / {counted['WAL syncs']:.1f}",
            "load itself: what arrives together commits together; a disk with more operations",
        ),
        Ceiling(
            "cores of the one PostgreSQL primary",
            BUSY * POSTGRES_CORES / postgres_s,
            f"{BUSY} x {POSTGRES_CORES} cores / {1e3 * postgres_s:.1f} ms",
            "load itself (shared commits), a larger machine; not a second one",
        ),
        Ceiling(
            "pods of ingest",
            BUSY * limits["ingest pods"] / ingest_s,
            f"{BUSY} x {limits['ingest pods']} pods / {1e3 * ingest_s:.1f} ms",
            "more pods, within PostgreSQL's connections",
        ),
        Ceiling(
            "pods of status",
            BUSY * limits["status pods"] / status_s,
            f"{BUSY} x {limits['status pods']} pods / {1e3 * status_s:.1f} ms",
            "more pods, up to what hearing every doorbell costs each",
        ),
    ]
    if limits["broker syncs each message"]:
        ceilings.append(
            Ceiling(
                "disk of the leader of the doorbells, every message synced",
                1 / (rings * BROKER_SYNC_S),
                f"1 / ({rings:.2f} x {1e3 * BROKER_SYNC_S:g} ms)",
                "local NVMe (0.1 ms a sync), or a `sync_interval`: PostgreSQL publishes again what is lost",
            )
        )
    times = figures.times
    for stage in figures.settings.stages:
        seconds = times.mean_s(stage.stage)
        ceilings.append(
            Ceiling(
                f"most pods of {stage.stage.value}",
                stage.high * stage.slots / seconds,
                f"{stage.high} pods x {stage.slots} / {1e3 * seconds:.0f} ms",
                "`maxReplicaCount`, with `max_ack_pending`, the release target and PostgreSQL's connections",
            )
        )
    return sorted(ceilings, key=lambda one: one.headroom)


def ceilings(figures: Figures) -> str:
    """The table."""
    rows = [
        [
            one.name,
            f"{number(one.per_s)}/s",
            one.formula,
            f"{one.headroom:.1f}x{' of the mean' if one.by_day else ''}",
            one.moved_by,
        ]
        for one in found(figures)
    ]
    head = ["what is exhausted", "at", "computed", f"of {DESIGNS // 10**6} million a day at its peak", "what moves it"]
    return table(head, rows)
