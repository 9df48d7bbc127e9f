"""Everything that the page computes from, and how it writes numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import yaml

from bench.scale.assumptions import Cluster
from bench.scale.costs import JobTimes, mean, read_costs
from bench.scale.settings import MANIFESTS, DeploySettings, read_settings

RESULTS: Final = Path(__file__).parents[1] / "results"
DAY_S: Final = 86_400
DESIGNS: Final = 1_000_000
"""Designs a day."""
PEAK: Final = 5
"""The busiest hour against the mean one."""
AVERAGE_PER_S: Final = DESIGNS / DAY_S
PEAK_PER_S: Final = PEAK * AVERAGE_PER_S
_SIZES: Final = ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_QUANTITIES: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


@dataclass(frozen=True, slots=True)
class Figures:
    """Measured costs, results of other benches, what is deployed, and the assumptions."""

    costs: Mapping[str, Any]
    submit: Mapping[str, Any]
    watch: Mapping[str, Any]
    drain: Mapping[str, Any]
    runs: Mapping[str, Any]
    real: Mapping[str, Any]
    settings: DeploySettings
    cluster: Cluster
    limits: Mapping[str, float]

    @classmethod
    def read(cls) -> Self:
        """Reads the committed results and deploy/k8s."""
        submit, watch, drain, runs, real = (
            json.loads((RESULTS / f"{name}.json").read_text())
            for name in ("submit", "watch", "drain", "scale", "scale_reality")
        )
        return cls(
            read_costs(), submit["medians"], watch["measures"], drain, runs, real, read_settings(), Cluster(), _limits()
        )

    def cpu_s(self, *parts: str) -> float:
        """Processor time of a design in some parts."""
        return sum(mean(self.costs, "cpu_s", part) for part in parts)

    def mean(self, group: str, name: str) -> float:
        """A measured figure's mean over the mix."""
        return mean(self.costs, group, name)

    @property
    def times(self) -> JobTimes:
        """Jobs on the assumed cluster."""
        return JobTimes.of(self.costs, self.cluster)

    @property
    def artwork_bytes(self) -> float:
        """Size of an artwork in the mean of the mix."""
        return float(sum(one["share"] * one["bytes"] for one in self.costs["mix"].values()))

    @property
    def stored_bytes(self) -> dict[str, float]:
        """Files made of a design, by kind."""
        return {name: one["mean"] for name, one in self.costs["stored_bytes"].items()}

    def calls(self, operation: str) -> float:
        """Calls of one operation to the object store, of all services."""
        return float(
            sum(one["mean"] for name, one in self.costs["blob_calls"].items() if name.endswith(f" {operation}"))
        )


def _limits() -> dict[str, float]:
    """Limits of deploy/k8s beside those of the stages."""
    most = {name: _yaml(f"components/hpa/{name}.yaml")["spec"]["maxReplicas"] for name in ("ingest-api", "status")}
    nats = _yaml("components/nats-cluster/values.yaml")
    container = _yaml("base/status/deployment.yaml")["spec"]["template"]["spec"]["containers"][0]
    streams = next(one["value"] for one in container["env"] if one["name"] == "CUTLINE_GRPC_MAX_STREAMS")
    return {
        "ingest pods": most["ingest-api"],
        "status pods": most["status"],
        "streams a pod": float(streams),
        "broker memory": quantity(nats["container"]["env"]["GOMEMLIMIT"].removesuffix("B")),
        "broker disk": quantity(nats["config"]["jetstream"]["fileStore"]["pvc"]["size"]),
        "broker syncs each message": float(nats["config"]["jetstream"]["merge"].get("sync_interval") == "always"),
        "broker cores": float(nats["container"]["merge"]["resources"]["requests"]["cpu"]),
    }


def quantity(written: str) -> float:
    """Bytes of a quantity such as `10Gi`."""
    return float(written[:-2]) * _QUANTITIES[written[-2:]]


def _yaml(path: str) -> dict[str, Any]:
    found: dict[str, Any] = next(iter(yaml.safe_load_all((MANIFESTS / path).read_text())))
    return found


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown; the first column to the left, the others to the right where they hold numbers."""
    listed = [list(row) for row in rows]
    numeric = [all(re_number(row[column]) for row in listed) for column in range(len(head))]
    rule = ["---:" if column and numeric[column] else "---" for column in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (list(head), rule, *listed))


def re_number(cell: str) -> bool:
    """Whether a cell begins as a number does, or says that there is none."""
    return not cell or cell[0].isdigit() or cell == "-"


def size(value_bytes: float) -> str:
    """Bytes in a unit that suits them."""
    for unit, name in _SIZES:
        if value_bytes >= unit:
            return f"{number(value_bytes / unit)} {name}"
    return f"{number(value_bytes)} B"


def number(value: float) -> str:
    """Three digits where there are fewer before the point, all of them where there are more."""
    if value >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def count(value: float) -> str:
    """A number of things: thousands and millions in words."""
    for unit, name in ((1e9, "billion"), (1e6, "million")):
        if value >= unit:
            return f"{number(value / unit)} {name}"
    return number(value)
