"""What the simulation and the page read of bench/results/costs.json."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final, Self

from bench.scale.assumptions import Cluster
from cutline.domain.states import Stage

COSTS: Final = Path(__file__).parents[1] / "results" / "costs.json"
GOT: Final = {Stage.IMAGING: (), Stage.MOCKUP: ("CUTOUT_PNG", "REPORT_JSON")}
"""Kinds of files a stage fetches; imaging fetches the artwork."""
PUT: Final = {
    Stage.IMAGING: ("CUTOUT_PNG", "CUT_LINE_SVG", "CUT_LINE_DXF", "PRINT_PDF", "PREVIEW_PNG", "REPORT_JSON"),
    Stage.MOCKUP: ("MOCKUP",),
}
_ROUND_TRIPS: Final = 2
"""A job fetches all it needs at once, and stores all it made at once."""


def read_costs(path: Path = COSTS) -> dict[str, Any]:
    """The figures of `bench.costs`."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def mean(costs: Mapping[str, Any], group: str, name: str) -> float:
    """A figure's mean over the mix; 0 where it was never seen."""
    return float(costs[group].get(name, {"mean": 0.0})["mean"])


@dataclass(frozen=True, slots=True)
class JobTimes:
    """Seconds in a slot, by stage and kind of artwork.

    Attributes:
        shares: How often each kind comes.
        seconds: By stage, the time of each kind: processor time of the slot and of its share of the parent at the
            cluster's speed, and the transfers.
        starts_s: By stage, from the start of the process to readiness.
        spread: Coefficient of variation around them.
    """

    shares: tuple[float, ...]
    seconds: Mapping[Stage, tuple[float, ...]]
    starts_s: Mapping[Stage, float]
    spread: float

    @classmethod
    def of(cls, costs: Mapping[str, Any], cluster: Cluster) -> Self:
        """What the measured costs come to on a cluster."""
        kinds = list(costs["mix"])
        return cls(
            shares=tuple(costs["mix"][kind]["share"] for kind in kinds),
            seconds={stage: tuple(_seconds(costs, cluster, stage, kind) for kind in kinds) for stage in Stage},
            starts_s={
                stage: (costs["start_cpu_s"][stage.value] + costs["start_cpu_s"][f"{stage.value} slot"])
                / cluster.core_speed
                for stage in Stage
            },
            spread=cluster.spread,
        )

    def mean_s(self, stage: Stage) -> float:
        """A job's time in the mean over the mix."""
        return sum(share * each_s for share, each_s in zip(self.shares, self.seconds[stage], strict=True))

    def start_s(self, stage: Stage) -> float:
        """From the start of a pod's process to its readiness, slots warm."""
        return self.starts_s[stage]

    def draw(self, stage: Stage, kind: int, random: Random) -> float:
        """One job's time: log-normal around its kind's."""
        mean_s = self.seconds[stage][kind]
        if not self.spread:
            return mean_s
        sigma = math.sqrt(math.log(1 + self.spread**2))
        return mean_s * random.lognormvariate(-sigma * sigma / 2, sigma)


def _seconds(costs: Mapping[str, Any], cluster: Cluster, stage: Stage, kind: str) -> float:
    cpu_s = sum(costs["cpu_s"][part]["by_artwork"][kind] for part in (stage.value, f"{stage.value} slot"))
    artwork_bytes = costs["mix"][kind]["bytes"] if stage is Stage.IMAGING else 0
    files_bytes = sum(costs["stored_bytes"][name]["by_artwork"][kind] for name in (*GOT[stage], *PUT[stage]))
    transfers_s = _ROUND_TRIPS * cluster.s3_call_s + (artwork_bytes + files_bytes) / cluster.s3_bytes_per_s
    return float(cpu_s / cluster.core_speed + transfers_s)
