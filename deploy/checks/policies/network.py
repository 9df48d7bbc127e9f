"""Rules of who reaches whom: network policies let through what the services need, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, Final
from urllib.parse import urlsplit

from deploy.checks.manifests import Document, Manifests, name_of, pod_labels, port_number, ports_of, selects, title
from deploy.checks.policies.environment import reading_of
from deploy.checks.policies.policy import in_production
from deploy.checks.policies.workloads import GRPC_PORT, HTTP_PORT, ours

NAMESPACE: Final = "cutline"


@dataclass(frozen=True, slots=True)
class Place:
    """Something that talks, or is talked to.

    Attributes:
        name: What messages call it.
        namespace: Labels of its namespace.
        labels: Labels of its pods.
        ports: Numbers of its named ports.
        address: Of something outside of the cluster, which has neither namespace nor labels; empty for pods.
    """

    name: str
    namespace: Mapping[str, str]
    labels: Mapping[str, str]
    ports: Mapping[str, int]
    address: str = ""


def _elsewhere(namespace: str) -> Place:
    return Place(namespace, {"kubernetes.io/metadata.name": namespace}, {}, {})


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
INTERNET: Final = Place("the internet", {}, {}, {}, address="203.0.113.7")
CLIENT: Final = Place("a client", {"kubernetes.io/metadata.name": "shop", "cutline.dev/client": "true"}, {}, {})
OPERATOR: Final = Place("an operator", {"kubernetes.io/metadata.name": "desk", "cutline.dev/operator": "true"}, {}, {})

_OUTSIDE: Final = (DNS, NATS, POSTGRES, S3, TRACES, MONITORING, GATEWAY, STRANGER, INTERNET)
_NEEDED_PORTS: Final = {
    DNS.name: {53},
    NATS.name: {4222},
    POSTGRES.name: {5432},
    S3.name: {443, 8333},
    TRACES.name: {4317},
}
_TCP: Final = "TCP"
_TRIED: Final = (
    *((_TCP, port) for port in (22, 53, 80, 443, 4222, 4317, 5432, 6222, 8222, 8333)),
    *(("UDP", port) for port in (53, 443)),
)
_CALLERS: Final = {"ingest-api": (GATEWAY, CLIENT), "status": (GATEWAY, CLIENT), "ingest-admin": (GATEWAY, OPERATOR)}


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
            for protocol, port in _TRIED:
                wanted = target.name in needed and port in _NEEDED_PORTS.get(target.name, ())
                want = wanted and (protocol == _TCP or target is DNS)
                if _leaves(manifests, workload, target, protocol, port) is not want:
                    can = "cannot reach" if want else "may reach"
                    yield f"{title(workload)}: {can} {target.name} at {port}/{protocol}"


@in_production
def network_in(manifests: Manifests) -> Iterator[str]:
    """Callers and Prometheus reach the ports that are theirs, and nobody else reaches any."""
    for workload in ours(manifests):
        known = ports_of(workload)
        callers = (*_CALLERS.get(name_of(workload), ()),)
        for source in (GATEWAY, CLIENT, OPERATOR, MONITORING, STRANGER, INTERNET, *_inside(manifests)):
            for name, port in known.items():
                want = (name == HTTP_PORT and source is MONITORING) or (name == GRPC_PORT and source in callers)
                if _enters(manifests, workload, source, port) is not want:
                    yield f"{title(workload)}: {source.name} {'cannot' if want else 'may'} reach its port {name}"


@in_production
def addresses(manifests: Manifests) -> Iterator[str]:
    """Every server inside of the cluster is called by the namespace and a port that policies let through."""
    for workload in ours(manifests):
        settings = reading_of(manifests, workload).settings
        nats = getattr(settings, "nats", None)
        called = [(NATS, url) for url in (nats.url.split(",") if nats else ())]
        if s3 := getattr(settings, "s3", None):
            called.append((S3, s3.endpoint))
        if (shell := getattr(settings, "shell", None)) and shell.otlp_endpoint:
            called.append((TRACES, shell.otlp_endpoint))
        for place, url in called:
            if problem := _misplaced(place, url):
                yield f"{title(workload)}: {problem}"
    for scaled_object in manifests.of_kind("ScaledObject"):
        for trigger in scaled_object["spec"]["triggers"]:
            endpoint = trigger["metadata"].get("natsServerMonitoringEndpoint", "")
            if _namespace_of(endpoint.partition(":")[0]) != NATS.namespace["kubernetes.io/metadata.name"]:
                yield f"{title(scaled_object)}: asks {endpoint}, where the bus is not"


def _misplaced(place: Place, url: str) -> str:
    """What is wrong with an address, if it is inside of the cluster."""
    parts = urlsplit(url)
    namespace = _namespace_of(parts.hostname or "")
    wanted = place.namespace["kubernetes.io/metadata.name"]
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    if namespace is not None and namespace != wanted:
        return f"calls {url}, and policies let through to the namespace {wanted}"
    if namespace is not None and port not in _NEEDED_PORTS[place.name]:
        return f"calls {url}, and policies let through to {sorted(_NEEDED_PORTS[place.name])}"
    return ""


def _namespace_of(host: str) -> str | None:
    """Of `name.namespace.svc...`, pods' own names included; None for a host outside of the cluster."""
    words = host.split(".")
    return words[words.index("svc") - 1] if "svc" in words else None


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
            title(workload), {"kubernetes.io/metadata.name": NAMESPACE}, pod_labels(workload), ports_of(workload)
        )


def _policies(manifests: Manifests) -> list[Document]:
    return manifests.of_kind("NetworkPolicy")


def _speaks(policy: Document, direction: str, labels: Mapping[str, str]) -> bool:
    spec = policy["spec"]
    usual = ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return direction in spec.get("policyTypes", usual) and selects(spec.get("podSelector") or {}, labels)


def _leaves(manifests: Manifests, workload: Document, target: Place, protocol: str, port: int) -> bool:
    """Whether a connection gets out of a workload's pods."""
    own = [policy for policy in _policies(manifests) if _speaks(policy, "Egress", pod_labels(workload))]
    rules = [rule for policy in own for rule in policy["spec"].get("egress") or []]
    return not own or any(_allows(rule, "to", target, target.ports, (protocol, port)) for rule in rules)


def _enters(manifests: Manifests, workload: Document, source: Place, port: int) -> bool:
    """Whether a connection gets into a workload's pods."""
    own = [policy for policy in _policies(manifests) if _speaks(policy, "Ingress", pod_labels(workload))]
    rules = [rule for policy in own for rule in policy["spec"].get("ingress") or []]
    return not own or any(_allows(rule, "from", source, ports_of(workload), (_TCP, port)) for rule in rules)


def _allows(rule: Mapping[str, Any], side: str, peer: Place, named: Mapping[str, int], port: tuple[str, int]) -> bool:
    """Whether one rule lets a peer through; without peers or ports it speaks of all of them."""
    peers, ports = rule.get(side), rule.get("ports")
    return (not peers or any(_is_peer(entry, peer) for entry in peers)) and (
        not ports or any(_is_port(entry, named, port) for entry in ports)
    )


def _is_peer(entry: Mapping[str, Any], peer: Place) -> bool:
    if "ipBlock" in entry or peer.address:
        return _is_in_block(entry.get("ipBlock"), peer.address)
    inside = peer.namespace.get("kubernetes.io/metadata.name") == NAMESPACE
    in_namespace = selects(entry["namespaceSelector"], peer.namespace) if "namespaceSelector" in entry else inside
    return in_namespace and selects(entry.get("podSelector") or {}, peer.labels)


def _is_in_block(block: Mapping[str, Any] | None, address: str) -> bool:
    """Whether a block of addresses has one; what pods have is nobody's to know beforehand."""
    if not block or not address:
        return False
    return ip_address(address) in ip_network(block["cidr"]) and not any(
        ip_address(address) in ip_network(left_out) for left_out in block.get("except", ())
    )


def _is_port(entry: Mapping[str, Any], named: Mapping[str, int], asked: tuple[str, int]) -> bool:
    protocol, port = asked
    if entry.get("protocol", _TCP) != protocol:
        return False
    if "port" not in entry:
        return True
    first = port_number(entry["port"], named)
    return first is not None and first <= port <= entry.get("endPort", first)


POLICIES: Final = (network_closed, network_out, network_in, addresses)
