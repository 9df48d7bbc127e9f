"""Rules of what the services are told: our own code accepts it, uses it, and all of them are told the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Final

from cutline.messaging.permissions import BusUser
from deploy.checks.manifests import Manifests, containers, name_of, pod_labels, title
from deploy.checks.policies.environment import environment_of, own_variables, reading_of
from deploy.checks.policies.policy import everywhere, in_production
from deploy.checks.policies.secrets import secret_at
from deploy.checks.policies.workloads import GRPC_PORT, HTTP_PORT, ours
from services.ingest.settings import IngestSettings, Role

OUR_PREFIX: Final = "CUTLINE_"
MODULES: Final = {"migrate": "cutline.store.migrations", "topology": "cutline.messaging.apply"}
"""What the Jobs run."""


@everywhere
def settings_accepted(manifests: Manifests) -> Iterator[str]:
    """The code of every workload accepts its environment."""
    for workload in ours(manifests):
        for problem in reading_of(manifests, workload).problems:
            yield f"{title(workload)}: {problem}"


@everywhere
def settings_used(manifests: Manifests) -> Iterator[str]:
    """Every variable is read: a container's own by its code, a shared one by some workload."""
    read_by_some: set[str] = set()
    for workload in ours(manifests):
        names = reading_of(manifests, workload).names
        read_by_some |= names
        for variable in own_variables(workload):
            if variable.startswith(OUR_PREFIX) and variable not in names:
                yield f"{title(workload)}: nothing there reads {variable}"
    for config in manifests.of_kind("ConfigMap"):
        for variable in config.get("data") or {}:
            if variable.startswith(OUR_PREFIX) and variable not in read_by_some:
                yield f"{title(config)}: nothing reads {variable}"


@everywhere
def settings_agree(manifests: Manifests) -> Iterator[str]:
    """All who count on the topology, and all who release, are told the same."""
    topologies, windows = {}, {}
    for workload in ours(manifests):
        settings = reading_of(manifests, workload).settings
        topology = getattr(settings, "topology", None) or getattr(getattr(settings, "worker", None), "topology", None)
        if topology is not None:
            topologies[title(workload)] = topology
        if isinstance(settings, IngestSettings):
            windows[title(workload)] = settings.backlog.release_window
        elif settings is not None and hasattr(settings, "worker"):
            windows[title(workload)] = settings.worker.release_window
    for what, told in (("topology", topologies), ("release window", windows)):
        usual = max(told.values(), key=list(told.values()).count, default=None)
        for who, value in told.items():
            if value != usual:
                yield f"{who}: counts on another {what} than the others"


@everywhere
def roles(manifests: Manifests) -> Iterator[str]:
    """Each role of ingest has its own Deployment."""
    for role in Role:
        deployment = manifests.find("Deployment", f"ingest-{role.value}")
        settings = reading_of(manifests, deployment).settings if deployment is not None else None
        if isinstance(settings, IngestSettings) and settings.roles != {role}:
            yield f"Deployment/ingest-{role.value}: has the roles {', '.join(sorted(settings.roles))}"


@everywhere
def ports(manifests: Manifests) -> Iterator[str]:
    """What a container listens on is what its ports say, on every address of the pod."""
    for workload in ours(manifests):
        settings = reading_of(manifests, workload).settings
        (container, *_) = containers(workload)
        said = {port.get("name"): port["containerPort"] for port in container.get("ports", [])}
        listens = {}
        if shell := getattr(settings, "shell", None):
            listens[HTTP_PORT] = shell.http_listen
        # What serves gRPC to nobody may listen where it likes.
        if (grpc := getattr(settings, "grpc", None)) and GRPC_PORT in said:
            listens[GRPC_PORT] = grpc.listen
        for name in sorted(said.keys() - listens.keys()) if settings is not None else ():
            yield f"{title(workload)}: nothing listens on its port {name}"
        for name, listen in listens.items():
            if said.get(name) != listen.port:
                yield f"{title(workload)}: listens on {listen} for {name}, and its port says {said.get(name)}"
            if listen.loopback:
                yield f"{title(workload)}: listens on {listen} for {name}, where no other pod reaches it"


@everywhere
def commands(manifests: Manifests) -> Iterator[str]:
    """Jobs run the modules that they are named for; services run what their image says."""
    for workload in ours(manifests):
        (container, *_) = containers(workload)
        module = MODULES.get(name_of(workload))
        words = [*container.get("command", []), *container.get("args", [])]
        if module is not None and words[-2:] != ["-m", module]:
            yield f"{title(workload)}: runs {' '.join(words) or 'its image'}, not {module}"
        if module is not None and find_spec(module) is None:
            yield f"{title(workload)}: there is no module {module}"
        if module is None and words:
            yield f"{title(workload)}: runs {' '.join(words)}, not what its image says"


@in_production
def bus_users(manifests: Manifests) -> Iterator[str]:
    """Every workload that speaks to the bus is a user of its own there, with a login that nobody else mounts."""
    holders = defaultdict(list)
    for workload in ours(manifests):
        settings = reading_of(manifests, workload).settings
        nats = getattr(settings, "nats", None)
        if nats is None:
            continue
        name, environ = name_of(workload), environment_of(manifests, workload)
        if name not in set(BusUser):
            yield f"{title(workload)}: the bus has no user of this name"
        elif nats.inbox_prefix != BusUser(name).inbox_prefix:
            yield f"{title(workload)}: hears replies at {nats.inbox_prefix}, where {name} may not listen"
        if not nats.nkey_seed and nats.creds_path is None:
            yield f"{title(workload)}: has no login for the bus"
        path = environ.get("CUTLINE_NATS_NKEY_SEED_FILE") or environ.get("CUTLINE_NATS_CREDS_FILE") or ""
        holders[secret_at(workload, path)].append(title(workload))
    for secret, who in holders.items():
        if len(who) > 1:
            yield f"{', '.join(who)}: share the login {secret}"


@in_production
def encrypted(manifests: Manifests) -> Iterator[str]:
    """Nothing crosses the network in plain text, and every server has to prove its name."""
    for workload in ours(manifests):
        settings = reading_of(manifests, workload).settings
        for part, what in (("nats", "the bus"), ("postgres", "the database")):
            server = getattr(settings, part, None)
            if server is not None and server.tls is None:
                yield f"{title(workload)}: does not make sure of {what} by TLS"
        s3, grpc = getattr(settings, "s3", None), getattr(settings, "grpc", None)
        if s3 is not None and not (s3.endpoint.startswith("https://") and s3.public_endpoint.startswith("https://")):
            yield f"{title(workload)}: reaches the object store without TLS, or tells clients to"
        meshed = pod_labels(workload).get("sidecar.istio.io/inject") == "true"
        if grpc is not None and grpc.tls is None and not meshed:
            yield f"{title(workload)}: serves gRPC in plain text, and no mesh is around it"


@everywhere
def worker_ids(manifests: Manifests) -> Iterator[str]:
    """No two pods of workers have one name: where it is set, it is the pod's."""
    for deployment in manifests.deployments():
        for variable in containers(deployment)[0].get("env", []):
            source = (variable.get("valueFrom") or {}).get("fieldRef", {})
            if variable["name"] == "CUTLINE_WORKER_ID" and source.get("fieldPath") != "metadata.name":
                yield f"{title(deployment)}: all its pods are called {variable.get('value')}"


POLICIES: Final = (
    settings_accepted,
    settings_used,
    settings_agree,
    roles,
    ports,
    commands,
    bus_users,
    encrypted,
    worker_ids,
)
