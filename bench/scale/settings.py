"""The settings of deploy/k8s that shape how the stages scale, read from the manifests so that they cannot drift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from bench.scale.autoscaler import Policy, Rules
from cutline.domain.states import Stage

MANIFESTS: Final = Path(__file__).parents[2] / "deploy" / "k8s"


@dataclass(frozen=True, slots=True)
class Fallback:
    """What KEDA says while it cannot read the lag.

    Attributes:
        failures: Failed readings in a row that it bears; at the next one it speaks. KEDA counts them as the HPA asks.
        replicas: What it asks for then.
        keeps_more: Whether more replicas than that stay.
    """

    failures: int
    replicas: int
    keeps_more: bool


@dataclass(frozen=True, slots=True)
class StageSettings:
    """One stage's Deployment and ScaledObject.

    Attributes:
        stage: The stage.
        slots: Jobs at a time in a pod.
        cores: CPU that a pod asks for.
        stop_grace_s: How long running jobs of a pod that goes may go on.
        target: Lag for each pod (KEDA's formula's target).
        low: Fewest pods.
        high: Most pods.
        max_ack_pending: Messages of a lane with workers at a time.
        up: Rules of scaling up.
        down: Rules of scaling down.
        fallback: While the lag cannot be read.
    """

    stage: Stage
    slots: int
    cores: float
    stop_grace_s: float
    target: float
    low: int
    high: int
    max_ack_pending: int
    up: Rules
    down: Rules
    fallback: Fallback | None


@dataclass(frozen=True, slots=True)
class DeploySettings:
    """What is deployed.

    Attributes:
        stages: The two stages in order.
        release_window: Released, unstarted jobs of one tenant in a stage and lane.
        release_target: Released, unstarted jobs a stage and lane is filled up to.
    """

    stages: tuple[StageSettings, ...]
    release_window: int
    release_target: int


def read_settings(folder: Path = MANIFESTS) -> DeploySettings:
    """Reads deploy/k8s.

    Raises:
        KeyError: A manifest lacks a value that scaling depends on.
    """
    shared = _shared(folder)
    return DeploySettings(
        stages=tuple(_stage(folder, stage, shared) for stage in Stage),
        release_window=int(shared["CUTLINE_RELEASE_WINDOW"]),
        release_target=int(shared["CUTLINE_RELEASE_TARGET"]),
    )


def _shared(folder: Path) -> dict[str, str]:
    lines = (folder / "base" / "config" / "shared.env").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def _stage(folder: Path, stage: Stage, shared: Mapping[str, str]) -> StageSettings:
    pod = _load(folder / "base" / stage.value / "deployment.yaml")["spec"]["template"]["spec"]
    container = pod["containers"][0]
    own = {one["name"]: one.get("value", "") for one in container["env"]}
    scaled = _load(folder / "components" / "keda" / f"{stage.value}.yaml")["spec"]
    behavior = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    name = stage.value.upper()
    return StageSettings(
        stage=stage,
        slots=int(own[f"CUTLINE_{name}_SLOTS"]),
        cores=_cores(container["resources"]["requests"]["cpu"]),
        stop_grace_s=float(own["CUTLINE_WORKER_STOP_GRACE"].removesuffix("s")),
        target=float(scaled["advanced"]["scalingModifiers"]["target"]),
        low=int(scaled["minReplicaCount"]),
        high=int(scaled["maxReplicaCount"]),
        max_ack_pending=int(shared[f"CUTLINE_{name}_MAX_ACK_PENDING"]),
        up=_rules(behavior["scaleUp"]),
        down=_rules(behavior["scaleDown"]),
        fallback=_fallback(scaled.get("fallback")),
    )


def _rules(behavior: Mapping[str, Any]) -> Rules:
    if behavior.get("selectPolicy", "Max") != "Max":
        msg = f"selectPolicy: {behavior['selectPolicy']} is not simulated, only Max"
        raise ValueError(msg)
    policies = tuple(
        Policy(int(one["value"]), float(one["periodSeconds"]), is_percent=one["type"] == "Percent")
        for one in behavior["policies"]
    )
    return Rules(float(behavior["stabilizationWindowSeconds"]), policies)


def _fallback(written: Mapping[str, Any] | None) -> Fallback | None:
    if written is None:
        return None
    keeps_more = written.get("behavior", "static") in {"currentReplicas", "currentReplicasIfHigher"}
    return Fallback(int(written["failureThreshold"]), int(written["replicas"]), keeps_more)


def _cores(written: str | float) -> float:
    """A quantity of CPU: whole, with a point, or in thousandths (`500m`)."""
    text = str(written)
    return float(text.removesuffix("m")) / 1000 if text.endswith("m") else float(text)


def _load(path: Path) -> dict[str, Any]:
    """The first document of a manifest."""
    found: dict[str, Any] = next(iter(yaml.safe_load_all(path.read_text())))
    return found
