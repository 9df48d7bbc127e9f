"""Rules of who reaches whom: Services lead to pods, and policies let through what is needed and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from deploy.checks.manifests import Document, Manifests, containers, name_of, pod_labels, selected, selects, title
from deploy.checks.policies.environment import reading_of
from deploy.checks.policies.policy import everywhere, in_production
from deploy.checks.policies.workloads import GRPC_PORT, HTTP_PORT, ours, services

NAMESPACE: Final = "cutline"


@dataclass(frozen=True, slots=True)
class Place:
    """Something that talks, or is talked to.

    Attributes:
        name: What messages call it.
        namespace: Labels of its namespace.
        labels: Labels of its pods.
        ports: Numbers of its named ports.
    """

    name: str
    namespace: Mapping[str, str]
    labels: Mapping[str, str]
    ports: Mapping[str, int]


def _elsewhere(namespace: str, **labels: str) -> Place:
    return Place(
        namespace,
        {"kubernetes.io/metadata.name": namespace},
        {key.replace("__", "/").replace("_", "."): value for key, value in labels.items()},
        {},
    )


DNS: Final = Place("DNS", {"kubernetes.io/metadata.name": "kube-system"}, {"k8s-app": "kube-dns"}, {})
NATS: Final = Place(
    "NATS", {"kubernetes.io/metadata.name": "nats"}, {"app.kubernetes.io/name": "nats"}, {"monitor": 8222}
)
POSTGRES: Final = _elsewhere("postgres")
S3: Final = _elsewhere("s3")
TRACES: Final = _elsewhere("observability")
MONITORING: Final = _elsewhere("monitoring")
GATEWAY: Final = _elsewhere("gateway")
STRANGER: Final = _elsewhere("somebody-else")
CLIENT: Final = Place("a client", {"kubernetes.io/metadata.name": "shop", "cutline.dev/client": "true"}, {}, {})
OPERATOR: Final = Place("an operator", {"kubernetes.io/metadata.name": "desk", "cutline.dev/operator": "true"}, {}, {})

_OUTSIDE: Final = (DNS, NATS, POSTGRES, S3, TRACES, MONITORING, GATEWAY, STRANGER)
_NEEDED_PORTS: Final = {
    DNS.name: {53},
    NATS.name: {4222},
    POSTGRES.name: {5432},
    S3.name: {443, 8333},
    TRACES.name: {4317},
}
_TRIED_PORTS: Final = (22, 53, 80, 443, 4222, 4317, 5432, 6222, 8222, 8333)
_CALLERS: Final = {"ingest-api": (GATEWAY, CLIENT), "status": (GATEWAY, CLIENT), "ingest-admin": (GATEWAY, OPERATOR)}


@everywhere
def services_reach_pods(manifests: Manifests) -> Iterator[str]:
    """Every Service leads to the pods of one Deployment, at ports that they have, and says when it speaks gRPC."""
    for service in manifests.of_kind("Service"):
        spec = service["spec"]
        targets = [] if not spec.get("selector") else list(selected(manifests, {"matchLabels": spec["selector"]}))
        if len(targets) != 1:
            yield f"{title(service)}: leads to {', '.join(map(title, targets)) or 'nobody'}"
            continue
        known = _ports_of(targets[0])
        for port in spec["ports"]:
            number = _number(port.get("targetPort", port["port"]), known)
            if number not in known.values():
                yield f"{title(service)}: {title(targets[0])} has no port {port.get('targetPort', port['port'])}"
            elif spec.get("clusterIP") == "None" and port["port"] != number:
                yield f"{title(service)}: is headless and maps {port['port']} to {number}, which it cannot"
            if port.get("name") == GRPC_PORT and port.get("appProtocol") != "grpc":
                yield f"{title(service)}: does not say that {port['port']} speaks gRPC"


@everywhere
def services_complete(manifests: Manifests) -> Iterator[str]:
    """Every Deployment that serves gRPC has a Service, and a headless one for clients that balance by themselves."""
    for deployment in services(manifests):
        if GRPC_PORT not in _ports_of(deployment):
            continue
        name = name_of(deployment)
        for wanted, headless in ((name, False), (f"{name}-headless", True)):
            service = manifests.find("Service", wanted)
            if service is None:
                yield f"{title(deployment)}: has no Service {wanted}"
            elif (service["spec"].get("clusterIP") == "None") is not headless:
                yield f"{title(service)}: is {'not ' if headless else ''}headless"


@everywhere
def routes_reach_services(manifests: Manifests) -> Iterator[str]:
    """Every route of a gateway leads to a Service and a port of it, through a listener that is there."""
    listeners = {
        (name_of(gateway), listener["name"])
        for gateway in manifests.of_kind("Gateway")
        for listener in gateway["spec"]["listeners"]
    }
    for route in manifests.of_kind("GRPCRoute", "HTTPRoute"):
        for parent in route["spec"].get("parentRefs", []):
            if listeners and (parent["name"], parent.get("sectionName")) not in listeners:
                yield f"{title(route)}: there is no listener {parent.get('sectionName')} of {parent['name']}"
        for rule in route["spec"].get("rules", []):
            for reference in rule.get("backendRefs", []):
                service = manifests.find("Service", reference["name"])
                if service is None or reference.get("port") not in {port["port"] for port in service["spec"]["ports"]}:
                    yield f"{title(route)}: there is no port {reference.get('port')} of a Service {reference['name']}"


@everywhere
def monitors_reach_pods(manifests: Manifests) -> Iterator[str]:
    """What Prometheus is told to scrape is a port of every service, and nothing else's."""
    for monitor in manifests.of_kind("PodMonitor"):
        scraped = [name_of(workload) for workload in selected(manifests, monitor["spec"]["selector"])]
        for deployment in services(manifests):
            if name_of(deployment) not in scraped:
                yield f"{title(monitor)}: leaves out {title(deployment)}"
            for endpoint in monitor["spec"]["podMetricsEndpoints"]:
                if endpoint.get("port") not in _ports_of(deployment) or endpoint.get("path") != "/metrics":
                    asked = f"{endpoint.get('path')} at {endpoint.get('port')}"
                    yield f"{title(monitor)}: {title(deployment)} has no {asked}"


@in_production
def network_closed(manifests: Manifests) -> Iterator[str]:
    """Policies of both directions speak of every pod: what none of them allows is refused."""
    for workload in manifests.workloads():
        for direction in ("Ingress", "Egress"):
            if not any(_speaks(policy, direction, pod_labels(workload)) for policy in _policies(manifests)):
                yield f"{title(workload)}: no network policy bounds its {direction.lower()}"


@in_production
def network_out(manifests: Manifests) -> Iterator[str]:
    """Every workload reaches what its settings name, and nothing else."""
    for workload in ours(manifests):
        needed = _needed(manifests, workload)
        if needed is None:
            continue
        for target in _OUTSIDE:
            for port in _TRIED_PORTS:
                want = target.name in needed and port in _NEEDED_PORTS.get(target.name, ())
                if _leaves(manifests, workload, target, port) is not want:
                    yield f"{title(workload)}: {'cannot reach' if want else 'may reach'} {target.name} at {port}"


@in_production
def network_in(manifests: Manifests) -> Iterator[str]:
    """Callers and Prometheus reach the ports that are theirs, and nobody else reaches any."""
    for workload in ours(manifests):
        known = _ports_of(workload)
        callers = (*_CALLERS.get(name_of(workload), ()),)
        for source in (GATEWAY, CLIENT, OPERATOR, MONITORING, STRANGER, *_inside(manifests)):
            for name, port in known.items():
                want = (name == HTTP_PORT and source is MONITORING) or (name == GRPC_PORT and source in callers)
                if _enters(manifests, workload, source, port) is not want:
                    yield f"{title(workload)}: {source.name} {'cannot' if want else 'may'} reach its port {name}"


def _needed(manifests: Manifests, workload: Document) -> set[str] | None:
    """Whom a workload's settings name; None where they cannot be read."""
    settings = reading_of(manifests, workload).settings
    if settings is None:
        return None
    needed = {DNS.name}
    for part, place in (("nats", NATS), ("postgres", POSTGRES), ("s3", S3)):
        if getattr(settings, part, None) is not None:
            needed.add(place.name)
    shell = getattr(settings, "shell", None)
    return needed | ({TRACES.name} if shell is not None and shell.otlp_endpoint else set())


def _inside(manifests: Manifests) -> Iterator[Place]:
    for workload in ours(manifests):
        yield Place(
            title(workload), {"kubernetes.io/metadata.name": NAMESPACE}, pod_labels(workload), _ports_of(workload)
        )


def _policies(manifests: Manifests) -> list[Document]:
    return manifests.of_kind("NetworkPolicy")


def _speaks(policy: Document, direction: str, labels: Mapping[str, str]) -> bool:
    spec = policy["spec"]
    usual = ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return direction in spec.get("policyTypes", usual) and selects(spec.get("podSelector") or {}, labels)


def _leaves(manifests: Manifests, workload: Document, target: Place, port: int) -> bool:
    """Whether a connection gets out of a workload's pods."""
    own = [policy for policy in _policies(manifests) if _speaks(policy, "Egress", pod_labels(workload))]
    rules = [rule for policy in own for rule in policy["spec"].get("egress") or []]
    return not own or any(_allows(rule, "to", target, target.ports, port) for rule in rules)


def _enters(manifests: Manifests, workload: Document, source: Place, port: int) -> bool:
    """Whether a connection gets into a workload's pods."""
    own = [policy for policy in _policies(manifests) if _speaks(policy, "Ingress", pod_labels(workload))]
    rules = [rule for policy in own for rule in policy["spec"].get("ingress") or []]
    return not own or any(_allows(rule, "from", source, _ports_of(workload), port) for rule in rules)


def _allows(rule: Mapping[str, Any], side: str, peer: Place, named: Mapping[str, int], port: int) -> bool:
    """Whether one rule lets a peer through; without peers or ports it speaks of all of them."""
    peers, ports = rule.get(side), rule.get("ports")
    return (not peers or any(_is_peer(entry, peer) for entry in peers)) and (
        not ports or any(_is_port(entry, named, port) for entry in ports)
    )


def _is_peer(entry: Mapping[str, Any], peer: Place) -> bool:
    if "ipBlock" in entry:
        return False
    inside = peer.namespace.get("kubernetes.io/metadata.name") == NAMESPACE
    in_namespace = selects(entry["namespaceSelector"], peer.namespace) if "namespaceSelector" in entry else inside
    return in_namespace and selects(entry.get("podSelector") or {}, peer.labels)


def _is_port(entry: Mapping[str, Any], named: Mapping[str, int], port: int) -> bool:
    # DNS is asked over both, and only policies for it name UDP.
    if "port" not in entry:
        return True
    first = _number(entry["port"], named)
    return first is not None and first <= port <= entry.get("endPort", first)


def _ports_of(workload: Document) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in containers(workload)[0].get("ports", [])}


def _number(port: int | str, named: Mapping[str, int]) -> int | None:
    return named.get(port) if isinstance(port, str) else port


POLICIES: Final = (
    services_reach_pods,
    services_complete,
    routes_reach_services,
    monitors_reach_pods,
    network_closed,
    network_out,
    network_in,
)
