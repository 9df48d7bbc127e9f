"""What a container finds in its environment, and what our own code makes of it.

Values that come from Secrets are not in the manifests. A stand-in of the right form takes their place, in a file where
the container would find a file, so that the settings can be read by the very code that reads them in the pod.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import nkeys
import trustme

from cutline.messaging.permissions import BusUser
from cutline.messaging.topology import Topology
from cutline.messaging.topology_settings import read_topology
from cutline.runtime.environment import EnvReader, SettingsError
from cutline.runtime.settings import NatsSettings, PostgresSettings
from deploy.checks.asked import Asked
from deploy.checks.manifests import Document, Manifests, containers, name_of
from services.imaging.settings import ImagingSettings
from services.ingest.settings import IngestSettings
from services.mockup.settings import MockupSettings
from services.status.settings import StatusSettings

_REFERENCE: Final = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
_OF_FILE: Final = re.compile(r"CUTLINE_\w+_(FILE|PATH)")


@dataclass(frozen=True, slots=True)
class MigrateSettings:
    """What the job reads that brings the schema up to date."""

    postgres: PostgresSettings

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> MigrateSettings:
        """Reads them as `python -m cutline.store.migrations` does."""
        env = EnvReader(environ)
        settings = cls(PostgresSettings.read(env))
        env.finish()
        return settings


@dataclass(frozen=True, slots=True)
class TopologySettings:
    """What the job reads that makes streams and consumers."""

    nats: NatsSettings
    topology: Topology

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> TopologySettings:
        """Reads them as `python -m cutline.messaging.apply` does."""
        env = EnvReader(environ)
        settings = cls(NatsSettings.read(env, user=BusUser.TOPOLOGY), read_topology(env))
        env.finish()
        return settings


Settings = ImagingSettings | IngestSettings | MigrateSettings | MockupSettings | StatusSettings | TopologySettings

READERS: Final[Mapping[str, type[Settings]]] = {
    "ingest-api": IngestSettings,
    "ingest-admin": IngestSettings,
    "ingest-housekeeping": IngestSettings,
    "imaging": ImagingSettings,
    "mockup": MockupSettings,
    "status": StatusSettings,
    "migrate": MigrateSettings,
    "topology": TopologySettings,
}
"""Whose settings a workload's container reads."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of a container's environment.

    Attributes:
        settings: What was read; None where something is wrong.
        problems: What is wrong, one sentence for each variable.
        names: The variables that were asked for.
    """

    settings: Settings | None
    problems: tuple[str, ...]
    names: frozenset[str]


def environment_of(manifests: Manifests, workload: Document) -> dict[str, str]:
    """The variables that our container of a workload starts with, stand-ins for secrets included."""
    (container, *_) = containers(workload)
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            config = manifests.find("ConfigMap", source["configMapRef"]["name"])
            found |= {
                source.get("prefix", "") + key: value for key, value in ((config or {}).get("data") or {}).items()
            }
    for variable in container.get("env", []):
        found[variable["name"]] = _value(manifests, variable, found)
    return found


def own_variables(workload: Document) -> Iterator[str]:
    """Names of the variables that a container is given for itself."""
    (container, *_) = containers(workload)
    return (variable["name"] for variable in container.get("env", []))


def reading_of(manifests: Manifests, workload: Document) -> Reading:
    """What the code of one of our workloads makes of its environment."""
    return _read(name_of(workload), tuple(sorted(environment_of(manifests, workload).items())))


def _value(manifests: Manifests, variable: Mapping[str, Any], before: Mapping[str, str]) -> str:
    source = variable.get("valueFrom")
    if source is None:
        # Kubernetes replaces what it knows by then and leaves the rest as it is written.
        return _REFERENCE.sub(lambda match: before.get(match[1], match[0]), str(variable.get("value", "")))
    if "configMapKeyRef" in source:
        config = manifests.find("ConfigMap", source["configMapKeyRef"]["name"]) or {}
        return str((config.get("data") or {}).get(source["configMapKeyRef"]["key"], ""))
    if "secretKeyRef" in source:
        return _stand_in(variable["name"]).decode()
    return "told-by-the-kubelet"


@cache
def _read(name: str, environ: tuple[tuple[str, str], ...]) -> Reading:
    with tempfile.TemporaryDirectory(prefix="cutline-settings-") as folder:
        placed = {
            variable: str(_placed(Path(folder), variable)) if _OF_FILE.fullmatch(variable) and value else value
            for variable, value in environ
        }
        asked = Asked(placed)
        try:
            settings = READERS[name].from_env(asked)
        except SettingsError as error:
            return Reading(None, error.problems, frozenset(asked.names))
        return Reading(settings, (), frozenset(asked.names))


def _placed(folder: Path, variable: str) -> Path:
    path = folder / variable.lower()
    path.write_bytes(_stand_in(variable.removesuffix("_FILE")))
    return path


def _stand_in(variable: str) -> bytes:
    """Something of the form that a variable's secret has."""
    authority, pair = _certificates()
    match variable.removeprefix("CUTLINE_").split("_"):
        case ["POSTGRES", "DSN"]:
            return b"postgresql://cutline:secret@postgres.example:5432/cutline"
        case [*_, "NKEY", "SEED"]:
            return _seed()
        case [*_, "CA"]:
            return authority
        case [*_, "CERT"] | [*_, "KEY"] if "S3" not in variable:
            return pair
        case _:
            return b"secret-of-an-operator"


@cache
def _certificates() -> tuple[bytes, bytes]:
    """The roots, and a certificate with its key in one file."""
    authority = trustme.CA()
    return authority.cert_pem.bytes(), authority.issue_cert("cutline.example").private_key_and_cert_chain_pem.bytes()


@cache
def _seed() -> bytes:
    seed: bytes = nkeys.encode_seed(bytes(range(32)), nkeys.PREFIX_BYTE_USER)  # type: ignore[no-untyped-call]  # its lack
    return seed
