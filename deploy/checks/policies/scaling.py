"""Rules of how many pods there are, what they hold together, and how long each gets to end."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final

from cutline.domain.states import Lane, Stage
from cutline.messaging.permissions import ACCOUNT
from cutline.messaging.worker_settings import WorkerSettings
from deploy.checks.manifests import Document, Manifests, containers, name_of, pod_template, title
from deploy.checks.policies.environment import reading_of
from deploy.checks.policies.policy import README, everywhere, in_production
from deploy.checks.policies.quantities import bytes_of
from deploy.checks.policies.workloads import GRPC_PORT, ours, services
from services.ingest.settings import IngestSettings, Role

PARENT_BYTES: Final = 512 * 1024**2
"""What the process around the slots of a worker needs: itself, and the files it fetches and stores."""
SETTLE_S: Final = 5.0
"""What a worker takes after the grace of its jobs to write off what it interrupts, and to close what it holds."""
SCALED_BY_CPU: Final = ("ingest-api", "status")
_MAX_CONNECTIONS: Final = re.compile(r"max_connections\D{0,20}(\d+)")


@everywhere
def one_autoscaler(manifests: Manifests) -> Iterator[str]:
    """No Deployment has two autoscalers, and none that has one is also given a number of replicas."""
    for deployment in manifests.deployments():
        scalers = [title(scaler) for scaler in _scalers(manifests, deployment)]
        if len(scalers) > 1:
            yield f"{title(deployment)}: is scaled by {' and '.join(scalers)}"
        if scalers and "replicas" in deployment["spec"]:
            yield f"{title(deployment)}: every apply would set it back to {deployment['spec']['replicas']} replicas"


@everywhere
def scaler_targets(manifests: Manifests) -> Iterator[str]:
    """Every autoscaler scales a Deployment that is there, between two bounds."""
    for scaler in manifests.of_kind("ScaledObject", "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        if manifests.find(target.get("kind", "Deployment"), target["name"]) is None:
            yield f"{title(scaler)}: there is no {target.get('kind', 'Deployment')} {target['name']}"
        low, high = _bounds(scaler)
        if not 1 <= low <= high:
            yield f"{title(scaler)}: goes from {low} to {high} replicas"


@in_production
def scaled(manifests: Manifests) -> Iterator[str]:
    """Each stage is scaled by lag, and what serves calls by CPU."""
    for stage in Stage:
        if _scaled_object(manifests, stage) is None:
            yield f"Deployment/{stage.value}: nothing scales it by lag"
    for name in SCALED_BY_CPU:
        if not any(
            scaler["spec"]["scaleTargetRef"]["name"] == name for scaler in manifests.of_kind("HorizontalPodAutoscaler")
        ):
            yield f"Deployment/{name}: nothing scales it by CPU"


@everywhere
def lag_triggers(manifests: Manifests) -> Iterator[str]:
    """Each stage is scaled by the sum of the lags of its lanes' consumers, named as the topology names them."""
    for stage, scaled_object, worker in _stages(manifests):
        spec, topology = scaled_object["spec"], worker.topology
        wanted = {topology.consumer_name(stage, lane) for lane in Lane}
        found = [trigger["metadata"] for trigger in spec["triggers"] if trigger["type"] == "nats-jetstream"]
        if sorted(metadata.get("consumer", "") for metadata in found) != sorted(wanted):
            named = ", ".join(str(metadata.get("consumer")) for metadata in found)
            yield f"{title(scaled_object)}: looks at {named}, not at {', '.join(sorted(wanted))}"
        for metadata in found:
            if metadata.get("stream") != topology.jobs_stream:
                yield f"{title(scaled_object)}: looks at the stream {metadata.get('stream')}"
            if metadata.get("account") != ACCOUNT:
                yield f"{title(scaled_object)}: looks at the account {metadata.get('account')}"
            if not re.match(r"[\w-]*headless[\w.-]*:8222$", metadata.get("natsServerMonitoringEndpoint", "")):
                yield f"{title(scaled_object)}: does not ask the nodes of the cluster by their names"
        formula = _modifiers(scaled_object).get("formula", "")
        if sorted(re.split(r"\s*\+\s*", formula)) != sorted(str(trigger.get("name")) for trigger in spec["triggers"]):
            yield f"{title(scaled_object)}: {formula or 'nothing'!r} is not the sum of its triggers"


@everywhere
def lag_target(manifests: Manifests) -> Iterator[str]:
    """A stage is asked for a pod for so many jobs as are a whole multiple of its slots, for each trigger alike."""
    for _, scaled_object, worker in _stages(manifests):
        target = float(_modifiers(scaled_object).get("target", 0))
        if target < worker.slots or target % worker.slots:
            yield f"{title(scaled_object)}: {target:g} jobs for a pod of {worker.slots} slots"
        if _modifiers(scaled_object).get("metricType", "AverageValue") != "AverageValue":
            yield f"{title(scaled_object)}: the target is not for each pod"
        for trigger in scaled_object["spec"]["triggers"]:
            if float(trigger["metadata"].get("lagThreshold", 10)) != target:
                yield f"{title(scaled_object)}: the trigger {trigger.get('name')} has another threshold"


@everywhere
def lag_fallback(manifests: Manifests) -> Iterator[str]:
    """A stage whose lag nobody knows keeps at least its least number of pods."""
    for _, scaled_object, _ in _stages(manifests):
        fallback = scaled_object["spec"].get("fallback")
        low, high = _bounds(scaled_object)
        if not fallback or not low <= fallback["replicas"] <= high:
            yield f"{title(scaled_object)}: has no fallback from {low} to {high} replicas"


@everywhere
def ack_pending(manifests: Manifests) -> Iterator[str]:
    """Every lane may have as many messages with workers as the greatest number of pods can hold.

    Each slot runs one, and an idle worker holds one of each other lane beyond its slots.
    """
    for stage, scaled_object, worker in _stages(manifests):
        _, most = _bounds(scaled_object)
        needed, allowed = most * worker.slots + most * (len(Lane) - 1), worker.topology.max_ack_pending[stage]
        if needed > allowed:
            yield f"{title(scaled_object)}: {most} replicas hold {needed} messages, and consumers allow {allowed}"


@everywhere
def release_target(manifests: Manifests) -> Iterator[str]:
    """So many jobs are released that the lag can ask for the greatest number of pods."""
    for _, scaled_object, _ in _stages(manifests):
        _, most = _bounds(scaled_object)
        needed = math.ceil(most * float(_modifiers(scaled_object).get("target", 0)))
        for workload in ours(manifests):
            settings = reading_of(manifests, workload).settings
            if isinstance(settings, IngestSettings) and settings.roles & {Role.API, Role.HOUSEKEEPING}:
                released = max(settings.backlog.release_target, settings.backlog.release_window)
                if released < needed:
                    yield f"{title(workload)}: releases {released}; {title(scaled_object)} needs a lag of {needed}"


@everywhere
def slot_memory(manifests: Manifests) -> Iterator[str]:
    """A worker's memory holds its slots at their limit and the process around them."""
    for deployment, worker in _workers(manifests):
        limit = bytes_of(containers(deployment)[0].get("resources", {}).get("limits", {}).get("memory", 0))
        needed = worker.slots * worker.memory_limit_bytes + PARENT_BYTES
        if not worker.memory_limit_bytes:
            yield f"{title(deployment)}: its slots have no limit of memory"
        elif limit < needed:
            yield f"{title(deployment)}: {limit} bytes of memory, and its slots with their parent may need {needed}"


@in_production
def slot_threads(manifests: Manifests) -> Iterator[str]:
    """A worker's slots start no more threads than the processors it asks for."""
    for deployment, worker in _workers(manifests):
        asked = str(containers(deployment)[0].get("resources", {}).get("requests", {}).get("cpu", 0))
        processors = float(asked.removesuffix("m")) / (1000 if asked.endswith("m") else 1)
        if worker.slots * worker.threads > processors:
            yield f"{title(deployment)}: {worker.slots} x {worker.threads} threads on {processors:g} processors"


@in_production
def connections(manifests: Manifests) -> Iterator[str]:
    """The database's max_connections, as the README says it, carries every pool at the greatest number of pods."""
    said = _MAX_CONNECTIONS.search(README.read_text(encoding="utf-8")) if README.exists() else None
    if said is None:
        yield f"{README.name}: does not say max_connections"
        return
    held = {}
    for workload in services(manifests):
        settings = reading_of(manifests, workload).settings
        scalers = _scalers(manifests, workload)
        most = max((_bounds(scaler)[1] for scaler in scalers), default=workload["spec"].get("replicas", 1))
        surge = workload["spec"].get("strategy", {}).get("rollingUpdate", {}).get("maxSurge", 1)
        extra = math.ceil(most * int(surge.rstrip("%")) / 100) if isinstance(surge, str) else surge
        if postgres := getattr(settings, "postgres", None):
            held[name_of(workload)] = (most + extra) * postgres.pool_max
    if sum(held.values()) > int(said[1]):
        parts = " + ".join(f"{name} {count}" for name, count in held.items())
        yield f"{README.name}: max_connections {said[1]} does not carry {parts} = {sum(held.values())}"


@everywhere
def grace(manifests: Manifests) -> Iterator[str]:
    """Every pod gets longer to end than its code takes, and a worker's code longer than a job may last."""
    for workload in ours(manifests):
        spec = pod_template(workload)["spec"]
        given, settings = spec.get("terminationGracePeriodSeconds", 30), reading_of(manifests, workload).settings
        hook = containers(workload)[0].get("lifecycle", {}).get("preStop", {})
        before = hook.get("sleep", {}).get("seconds", 0)
        if worker := getattr(settings, "worker", None):
            if worker.stop_grace_s <= worker.hard_deadline_s:
                yield f"{title(workload)}: jobs may last {worker.hard_deadline_s:g} s and get {worker.stop_grace_s:g} s"
            needed = before + worker.stop_grace_s + SETTLE_S
            if given < needed:
                yield f"{title(workload)}: is killed after {given} s and needs {needed:g}"
        if grpc := getattr(settings, "grpc", None):
            needed = before + grpc.drain_pause_s + grpc.drain_grace_s + SETTLE_S
            if given < needed:
                yield f"{title(workload)}: is killed after {given} s and drains for {needed:g}"
            if grpc.drain_pause_s and grpc.drain_pause_s >= grpc.drain_grace_s:
                yield f"{title(workload)}: pauses for {grpc.drain_pause_s:g} s of a drain of {grpc.drain_grace_s:g}"


@everywhere
def pre_stop(manifests: Manifests) -> Iterator[str]:
    """What is called goes on serving until balancers have heard that it ends, without a shell to sleep in."""
    for deployment in services(manifests):
        container = containers(deployment)[0]
        hook = container.get("lifecycle", {}).get("preStop", {})
        if "exec" in hook:
            yield f"{title(deployment)}: runs a command in an image that has no shell"
        called = GRPC_PORT in {port.get("name") for port in container.get("ports", [])}
        if called and not hook.get("sleep", {}).get("seconds"):
            yield f"{title(deployment)}: ends at once, while others still send to it"


def _stages(manifests: Manifests) -> Iterator[tuple[Stage, Document, WorkerSettings]]:
    """Each stage that is scaled by lag, with how and with its workers' settings."""
    for deployment, worker in _workers(manifests):
        stage = Stage(name_of(deployment))
        scaled_object = _scaled_object(manifests, stage)
        if scaled_object is not None:
            yield stage, scaled_object, worker


def _workers(manifests: Manifests) -> Iterator[tuple[Document, WorkerSettings]]:
    for stage in Stage:
        deployment = manifests.find("Deployment", stage.value)
        settings = reading_of(manifests, deployment).settings if deployment is not None else None
        worker = getattr(settings, "worker", None)
        if deployment is not None and isinstance(worker, WorkerSettings):
            yield deployment, worker


def _scaled_object(manifests: Manifests, stage: Stage) -> Document | None:
    return next(
        (
            found
            for found in manifests.of_kind("ScaledObject")
            if found["spec"]["scaleTargetRef"]["name"] == stage.value
        ),
        None,
    )


def _scalers(manifests: Manifests, deployment: Document) -> list[Document]:
    return [
        scaler
        for scaler in manifests.of_kind("ScaledObject", "HorizontalPodAutoscaler")
        if scaler["spec"]["scaleTargetRef"]["name"] == name_of(deployment)
    ]


def _bounds(scaler: Document) -> tuple[int, int]:
    """Least and greatest number of replicas; KEDA's defaults are 0 and 100."""
    spec = scaler["spec"]
    if scaler["kind"] == "ScaledObject":
        return spec.get("minReplicaCount", 0), spec.get("maxReplicaCount", 100)
    return spec.get("minReplicas", 1), spec["maxReplicas"]


def _modifiers(scaled_object: Document) -> dict[str, Any]:
    found: dict[str, Any] = scaled_object["spec"].get("advanced", {}).get("scalingModifiers", {})
    return found


POLICIES: Final = (
    one_autoscaler,
    scaler_targets,
    scaled,
    lag_triggers,
    lag_target,
    lag_fallback,
    ack_pending,
    release_target,
    slot_memory,
    slot_threads,
    connections,
    grace,
    pre_stop,
)
