"""Rules of what leads to pods: Services, routes of a gateway, what Prometheus scrapes, and the sidecars of a mesh."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cutline.v1 import ingest_service_pb2, queue_service_pb2, status_service_pb2
from deploy.checks.manifests import Manifests, name_of, pod_template, port_number, ports_of, selected, title
from deploy.checks.policies.policy import everywhere
from deploy.checks.policies.workloads import GRPC_PORT, HTTP_PORT, ours, services

SERVER_FIRST_PORTS: Final = frozenset({4222, 5432})
"""Of NATS, whose server speaks first, and PostgreSQL, whose TLS begins inside of its own protocol."""

_SERVED_BY: Final = {
    ingest_service_pb2.DESCRIPTOR.services_by_name["IngestService"].full_name: "ingest-api",
    queue_service_pb2.DESCRIPTOR.services_by_name["QueueService"].full_name: "ingest-admin",
    status_service_pb2.DESCRIPTOR.services_by_name["StatusService"].full_name: "status",
}
_AROUND_INBOUND: Final = ("traffic.sidecar.istio.io/excludeInboundPorts", "config.linkerd.io/skip-inbound-ports")
_AROUND_OUTBOUND: Final = ("traffic.sidecar.istio.io/excludeOutboundPorts", "config.linkerd.io/skip-outbound-ports")


@everywhere
def services_reach_pods(manifests: Manifests) -> Iterator[str]:
    """Every Service leads to the pods of one Deployment, at ports that they have, and says when it speaks gRPC."""
    for service in manifests.of_kind("Service"):
        spec = service["spec"]
        targets = [] if not spec.get("selector") else list(selected(manifests, {"matchLabels": spec["selector"]}))
        if len(targets) != 1:
            yield f"{title(service)}: leads to {', '.join(map(title, targets)) or 'nobody'}"
            continue
        known = ports_of(targets[0])
        for port in spec["ports"]:
            number = port_number(port.get("targetPort", port["port"]), known)
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
        if GRPC_PORT not in ports_of(deployment):
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
def routes_complete(manifests: Manifests) -> Iterator[str]:
    """Where there is a gateway, every service of the contract has a route, which leads to who serves it."""
    routes = manifests.of_kind("GRPCRoute")
    for contract, backend in _SERVED_BY.items() if routes else ():
        leads = {
            reference["name"]
            for route in routes
            for rule in route["spec"].get("rules", [])
            if any(match.get("method", {}).get("service") == contract for match in rule.get("matches", []))
            for reference in rule.get("backendRefs", [])
        }
        if leads != {backend}:
            yield f"GRPCRoute: {contract} leads to {', '.join(sorted(leads)) or 'nobody'}, not to {backend}"


@everywhere
def monitors_reach_pods(manifests: Manifests) -> Iterator[str]:
    """What Prometheus is told to scrape is a port of every service, and nothing else's."""
    for monitor in manifests.of_kind("PodMonitor"):
        scraped = [name_of(workload) for workload in selected(manifests, monitor["spec"]["selector"])]
        for deployment in services(manifests):
            if name_of(deployment) not in scraped:
                yield f"{title(monitor)}: leaves out {title(deployment)}"
            for endpoint in monitor["spec"]["podMetricsEndpoints"]:
                if endpoint.get("port") not in ports_of(deployment) or endpoint.get("path") != "/metrics":
                    asked = f"{endpoint.get('path')} at {endpoint.get('port')}"
                    yield f"{title(monitor)}: {title(deployment)} has no {asked}"


@everywhere
def mesh(manifests: Manifests) -> Iterator[str]:
    """A sidecar leaves alone what it would break: probes, metrics, and protocols in which the server speaks first."""
    for workload in ours(manifests):
        template = pod_template(workload).get("metadata", {})
        labels, notes = template.get("labels") or {}, template.get("annotations") or {}
        if workload["kind"] == "Job" and labels.get("sidecar.istio.io/inject") != "false":
            yield f"{title(workload)}: a sidecar would outlive it, and it would never be complete"
        if labels.get("sidecar.istio.io/inject") != "true":
            continue
        inbound, outbound = {ports_of(workload)[HTTP_PORT]}, SERVER_FIRST_PORTS
        for names, ports in ((_AROUND_INBOUND, inbound), (_AROUND_OUTBOUND, outbound)):
            for name in names:
                around = {int(port) for port in str(notes.get(name, "")).split(",") if port.strip().isdecimal()}
                if missing := ports - around:
                    yield f"{title(workload)}: {name} leaves out {', '.join(map(str, sorted(missing)))}"


POLICIES: Final = (
    services_reach_pods,
    services_complete,
    routes_reach_services,
    routes_complete,
    monitors_reach_pods,
    mesh,
)
