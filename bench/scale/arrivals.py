"""Submits as they come: a Poisson process whose rate changes, tenants, lanes and kinds of artwork."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from bench.scale.assumptions import LaunchDay
from cutline.domain.states import Lane

HEAVY: Final = "heavy"


@dataclass(slots=True)
class Job:
    """A design on its way; times in seconds, negative before they are known.

    Attributes:
        tenant: Whose it is.
        lane: Its lane.
        artwork: Which kind of the mix it is.
        submit_s: When it was accepted.
        queued_s: When it came to the stage it is in.
        start_s: When its imaging began for the last time.
        ready_s: When its last stage ended.
        wait_s: From submit to the first start of its work.
    """

    tenant: str
    lane: Lane
    artwork: int
    submit_s: float
    queued_s: float = -1.0
    start_s: float = -1.0
    ready_s: float = -1.0
    wait_s: float = -1.0


def arrivals(day: LaunchDay, artwork_shares: tuple[float, ...], random: Random) -> Iterator[Job]:
    """Submits in order of time, by thinning: candidates at the highest rate, kept by the share of the rate at hand."""
    most_per_s = day.base_per_s * max(1.0, day.peak_factor)
    lanes, kinds = tuple(Lane), range(len(artwork_shares))
    at_s = 0.0
    while (at_s := at_s + random.expovariate(most_per_s)) < day.duration_s:
        rate_per_s = day.rate_per_s(at_s)
        if random.random() * most_per_s >= rate_per_s:
            continue
        heavy = random.random() < day.heavy_share * (1 - day.base_per_s / rate_per_s)
        tenant = HEAVY if heavy else f"tenant-{random.randrange(day.tenants)}"
        lane = random.choices(lanes, day.lanes)[0]
        yield Job(tenant, lane, random.choices(kinds, artwork_shares)[0], submit_s=at_s)
