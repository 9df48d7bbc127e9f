"""Rules of what every pod is: bounded, locked up, probed, spread, and one release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from deploy.checks.manifests import (
    Document,
    Manifests,
    all_containers,
    containers,
    name_of,
    pod_labels,
    pod_template,
    selects,
    title,
)
from deploy.checks.policies.policy import everywhere
from deploy.checks.policies.quantities import bytes_of

USER: Final = 65532
"""Of every image: the user `nonroot` of distroless images."""
HTTP_PORT: Final = "http"
GRPC_PORT: Final = "grpc"
PROBES: Final = {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
SPREAD_OVER: Final = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
SERVICES: Final = {
    "ingest-api": "cutline-ingest",
    "ingest-admin": "cutline-ingest",
    "ingest-housekeeping": "cutline-ingest",
    "imaging": "cutline-imaging",
    "mockup": "cutline-mockup",
    "status": "cutline-status",
}
"""Each Deployment and its image."""
JOBS: Final = {"migrate": "cutline-ingest", "topology": "cutline-ingest"}
"""Each Job and its image."""


def ours(manifests: Manifests) -> list[Document]:
    """The workloads that run our code."""
    return [workload for workload in manifests.workloads() if name_of(workload) in SERVICES | JOBS]


def services(manifests: Manifests) -> list[Document]:
    """Our Deployments."""
    return [deployment for deployment in manifests.deployments() if name_of(deployment) in SERVICES]


def image_parts(image: str) -> tuple[str, str]:
    """Name and tag of an image; no tag is empty."""
    name, _, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    return name, tag


@everywhere
def deployments(manifests: Manifests) -> Iterator[str]:
    """The Deployments are those of the house, and everything stands in its namespace."""
    found = {name_of(deployment) for deployment in manifests.deployments()}
    for name in sorted(SERVICES.keys() - found):
        yield f"Deployment/{name}: is missing"
    for document in manifests.documents:
        if document["kind"] != "Namespace" and document["metadata"].get("namespace", "cutline") != "cutline":
            yield f"{title(document)}: is in the namespace {document['metadata']['namespace']}"


@everywhere
def disruption_budgets(manifests: Manifests) -> Iterator[str]:
    """Every Deployment has one disruption budget, which lets nodes be drained."""
    budgets = manifests.of_kind("PodDisruptionBudget")
    for deployment in services(manifests):
        own = [budget for budget in budgets if selects(budget["spec"].get("selector"), pod_labels(deployment))]
        if len(own) != 1:
            yield f"{title(deployment)}: has {len(own)} disruption budgets"
    for budget in budgets:
        spec = budget["spec"]
        if spec.get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
            yield f"{title(budget)}: holds up the drain of a node for pods that are not ready"
        if str(spec.get("maxUnavailable", "")) in {"0", "0%"} or str(spec.get("minAvailable", "")) == "100%":
            yield f"{title(budget)}: lets no pod go"


@everywhere
def resources(manifests: Manifests) -> Iterator[str]:
    """Every container asks for CPU, memory and disk, is limited to the memory it asks for, and never throttled."""
    for workload in ours(manifests):
        for container in all_containers(workload):
            asked, limits = (container.get("resources", {}).get(part, {}) for part in ("requests", "limits"))
            who = f"{title(workload)} ({container['name']})"
            for missing in {"cpu", "memory", "ephemeral-storage"} - asked.keys():
                yield f"{who}: asks for no {missing}"
            for missing in {"memory", "ephemeral-storage"} - limits.keys():
                yield f"{who}: has no limit of {missing}"
            if bytes_of(asked.get("memory", 0)) != bytes_of(limits.get("memory", 0)):
                yield f"{who}: may use {limits.get('memory')} of memory and asks for {asked.get('memory')}"
            if "cpu" in limits:
                yield f"{who}: is throttled by a limit of CPU"


@everywhere
def security_context(manifests: Manifests) -> Iterator[str]:
    """Every pod is an unprivileged user without capabilities, tokens or a root file system it could write."""
    for workload in ours(manifests):
        spec = pod_template(workload)["spec"]
        pod = spec.get("securityContext", {})
        wanted = {
            "runAsNonRoot": (pod.get("runAsNonRoot"), True),
            "runAsUser": (pod.get("runAsUser"), USER),
            "runAsGroup": (pod.get("runAsGroup"), USER),
            # Mounted Secrets belong to root and to this group.
            "fsGroup": (pod.get("fsGroup"), USER),
            "seccompProfile": (pod.get("seccompProfile", {}).get("type"), "RuntimeDefault"),
            "automountServiceAccountToken": (spec.get("automountServiceAccountToken"), False),
            "enableServiceLinks": (spec.get("enableServiceLinks"), False),
        }
        for name in ("hostNetwork", "hostPID", "hostIPC"):
            wanted[name] = (spec.get(name, False), False)
        for container in all_containers(workload):
            own = container.get("securityContext", {})
            wanted |= {
                f"{container['name']}: {field}": (own.get(field), value)
                for field, value in (("allowPrivilegeEscalation", False), ("readOnlyRootFilesystem", True))
            } | {
                f"{container['name']}: capabilities": (own.get("capabilities"), {"drop": ["ALL"]}),
                f"{container['name']}: privileged": (own.get("privileged", False), False),
                f"{container['name']}: runAsUser": (own.get("runAsUser", USER), USER),
            }
        for field, (found, value) in wanted.items():
            if found != value:
                yield f"{title(workload)}: {field} is {found}, not {value}"


@everywhere
def scratch(manifests: Manifests) -> Iterator[str]:
    """Every folder that can be written is bounded, and no pod sees its node's files."""
    for workload in ours(manifests):
        for volume in pod_template(workload)["spec"].get("volumes", []):
            if "hostPath" in volume:
                yield f"{title(workload)}: mounts {volume['hostPath'].get('path')} of its node"
            if "emptyDir" in volume and "sizeLimit" not in (volume["emptyDir"] or {}):
                yield f"{title(workload)}: the folder {volume['name']} has no bound"
        if not any(mount["mountPath"] == "/tmp" for mount in _mounts(workload)):  # noqa: S108  (where libraries write)
            yield f"{title(workload)}: has no /tmp, and its root file system cannot be written"


@everywhere
def spread(manifests: Manifests) -> Iterator[str]:
    """The pods of every Deployment are spread over zones and nodes."""
    for deployment in services(manifests):
        rules = pod_template(deployment)["spec"].get("topologySpreadConstraints", [])
        for key in sorted(set(SPREAD_OVER) - {rule["topologyKey"] for rule in rules}):
            yield f"{title(deployment)}: is not spread over {key}"
        # The API server refuses two of one kind; a patch that is merged adds to the list, where it should replace.
        for key in sorted({rule["topologyKey"] for rule in rules if _count(rules, rule["topologyKey"]) > 1}):
            yield f"{title(deployment)}: is spread over {key} by more than one rule"
        for rule in rules:
            if not selects(rule.get("labelSelector"), pod_labels(deployment)):
                yield f"{title(deployment)}: the spread over {rule['topologyKey']} counts other pods"


@everywhere
def probes(manifests: Manifests) -> Iterator[str]:
    """Every service is probed by HTTP: its loop for life, its servers for readiness."""
    for deployment in services(manifests):
        for container in containers(deployment):
            for kind, path in PROBES.items():
                probe = container.get(kind, {}).get("httpGet", {})
                if probe.get("path") != path or probe.get("port") != HTTP_PORT:
                    yield f"{title(deployment)}: {kind} asks {probe.get('path')} of {probe.get('port')}, not {path}"
                if probe.get("scheme", "HTTP") != "HTTP":
                    yield f"{title(deployment)}: {kind} speaks TLS, which the endpoint does not"
            start = container.get("startupProbe", {})
            if start and start.get("periodSeconds", 10) * start.get("failureThreshold", 3) < _SLOWEST_START_S:
                yield f"{title(deployment)}: a start may take less than {_SLOWEST_START_S} s"


@everywhere
def rollout(manifests: Manifests) -> Iterator[str]:
    """A rollout takes no pod away before another one is ready."""
    for deployment in services(manifests):
        strategy = deployment["spec"].get("strategy", {})
        if strategy.get("type") != "RollingUpdate" or strategy.get("rollingUpdate", {}).get("maxUnavailable") != 0:
            yield f"{title(deployment)}: a rollout may take pods away before others are ready"
        if not deployment["spec"].get("minReadySeconds"):
            yield f"{title(deployment)}: a new pod counts at its first good answer"


@everywhere
def images(manifests: Manifests) -> Iterator[str]:
    """Every workload runs its own image, and all images of a deployment are of one release."""
    tags: dict[str, str] = {}
    for workload in ours(manifests):
        for container in all_containers(workload):
            name, tag = image_parts(container["image"])
            if "@sha256:" not in container["image"]:
                tags[f"{title(workload)} ({container['name']})"] = tag
            if name != (SERVICES | JOBS)[name_of(workload)]:
                yield f"{title(workload)}: runs {name}"
            if (tag == "latest" or not tag) and "@sha256:" not in container["image"]:
                yield f"{title(workload)}: the release of {container['image']} is not said"
    usual = max(tags.values(), key=list(tags.values()).count, default="")
    for who, tag in tags.items():
        if tag != usual and tag not in {"", "latest"}:
            yield f"{who}: is of the release {tag}, not {usual}"


_SLOWEST_START_S: Final = 30
"""An interpreter, its imports and, for imaging, the compile cache of rembg, on a node that is busy."""


def _mounts(workload: Document) -> list[dict[str, Any]]:
    return [mount for container in containers(workload) for mount in container.get("volumeMounts", [])]


def _count(rules: Sequence[Mapping[str, Any]], key: str) -> int:
    return sum(rule["topologyKey"] == key for rule in rules)


POLICIES: Final = (
    deployments,
    disruption_budgets,
    resources,
    security_context,
    scratch,
    spread,
    probes,
    rollout,
    images,
)
