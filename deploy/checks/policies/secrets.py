"""Rules of what pods mount: it is there, it has the keys that are read, and every file that is named lies in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from deploy.checks.manifests import Document, Manifests, containers, pod_template, title
from deploy.checks.policies.environment import environment_of
from deploy.checks.policies.policy import README, everywhere, in_production
from deploy.checks.policies.workloads import ours


def secret_at(workload: Document, path: str) -> str:
    """`name/key` of the Secret that a path in a workload's container leads to; empty where there is none."""
    found = _source(workload, path)
    return f"{found[1]}/{found[2]}" if found and found[0] == "Secret" else ""


@everywhere
def files_mounted(manifests: Manifests) -> Iterator[str]:
    """Every file that a setting names lies in something mounted."""
    for workload in ours(manifests):
        for variable, path in _paths(manifests, workload):
            if _source(workload, path) is None:
                yield f"{title(workload)}: {variable} names {path}, and nothing is mounted there"


@everywhere
def references_exist(manifests: Manifests) -> Iterator[str]:
    """Every ConfigMap and service account exists, but for those that the README tells an operator to make."""
    told = README.read_text(encoding="utf-8") if README.exists() else ""
    for workload in ours(manifests):
        for kind, name in _references(workload):
            if kind != "Secret" and manifests.find(kind, name) is None and f"`{name}`" not in told:
                yield f"{title(workload)}: there is no {kind} {name}"


@in_production
def secrets_made(manifests: Manifests) -> Iterator[str]:
    """Every Secret that is mounted is made by what is deployed, with the keys that are read."""
    made = made_secrets(manifests)
    for workload in ours(manifests):
        wanted: dict[str, set[str]] = {name: set() for kind, name in _references(workload) if kind == "Secret"}
        for name, keys in (wanted | _keys(manifests, workload)).items():
            if name not in made:
                yield f"{title(workload)}: nothing makes the Secret {name}"
            elif missing := keys - made[name]:
                yield f"{title(workload)}: the Secret {name} gets no {', '.join(sorted(missing))}"


@everywhere
def secrets_apart(manifests: Manifests) -> Iterator[str]:
    """No secret is a plain variable, and none stands in a ConfigMap."""
    for workload in ours(manifests):
        (container, *_) = containers(workload)
        for variable in container.get("env", []):
            if _is_secret(variable["name"]) and variable.get("value"):
                yield f"{title(workload)}: {variable['name']} stands in the manifest"
    for config in manifests.of_kind("ConfigMap"):
        for variable in config.get("data") or {}:
            if _is_secret(variable):
                yield f"{title(config)}: {variable} is a secret"


def made_secrets(manifests: Manifests) -> dict[str, set[str]]:
    """The Secrets that are part of a deployment, or made by what is, with their keys."""
    found: dict[str, set[str]] = {}
    for secret in manifests.of_kind("Secret"):
        keys = set(secret.get("data") or {}) | set(secret.get("stringData") or {})
        found.setdefault(secret["metadata"]["name"], set()).update(keys)
    for external in manifests.of_kind("ExternalSecret"):
        target = external["spec"].get("target") or {}
        template = (target.get("template") or {}).get("data") or {}
        keys = set(template) or {entry["secretKey"] for entry in external["spec"].get("data", [])}
        found.setdefault(target.get("name", external["metadata"]["name"]), set()).update(keys)
    for certificate in manifests.of_kind("Certificate"):
        found.setdefault(certificate["spec"]["secretName"], set()).update({"tls.crt", "tls.key", "ca.crt"})
    return found


def _is_secret(variable: str) -> bool:
    return variable.startswith("CUTLINE_") and variable.endswith(("_DSN", "_SECRET_KEY", "_ACCESS_KEY", "_SEED"))


def _paths(manifests: Manifests, workload: Document) -> Iterator[tuple[str, str]]:
    for variable, value in environment_of(manifests, workload).items():
        if variable.startswith("CUTLINE_") and variable.endswith(("_FILE", "_PATH")) and value:
            yield variable, value


def _keys(manifests: Manifests, workload: Document) -> dict[str, set[str]]:
    """The keys of Secrets that a workload's settings read."""
    found: dict[str, set[str]] = {}
    for _, path in _paths(manifests, workload):
        source = _source(workload, path)
        if source is not None and source[0] == "Secret":
            found.setdefault(source[1], set()).add(source[2])
    (container, *_) = containers(workload)
    for variable in container.get("env", []):
        if reference := (variable.get("valueFrom") or {}).get("secretKeyRef"):
            found.setdefault(reference["name"], set()).add(reference["key"])
    return found


def _references(workload: Document) -> Iterator[tuple[str, str]]:
    """Kind and name of what a workload's pods cannot start without."""
    spec = pod_template(workload)["spec"]
    yield "ServiceAccount", spec.get("serviceAccountName", "default")
    for volume in spec.get("volumes", []):
        for part in (volume, *(volume.get("projected") or {}).get("sources", [])):
            if "secret" in part and not part["secret"].get("optional"):
                yield "Secret", part["secret"].get("secretName") or part["secret"]["name"]
            if "configMap" in part and not part["configMap"].get("optional"):
                yield "ConfigMap", part["configMap"]["name"]
    for container in containers(workload):
        for source in container.get("envFrom", []):
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if field in source and not source[field].get("optional"):
                    yield kind, source[field]["name"]


def _source(workload: Document, path: str) -> tuple[str, str, str] | None:
    """Kind, name and key of what lies at a path of a workload's container; None where nothing does."""
    volumes = {volume["name"]: volume for volume in pod_template(workload)["spec"].get("volumes", [])}
    for mount in containers(workload)[0].get("volumeMounts", []):
        folder = PurePosixPath(mount["mountPath"])
        if PurePosixPath(path).is_relative_to(folder) and mount["name"] in volumes:
            key = mount.get("subPath") or str(PurePosixPath(path).relative_to(folder))
            volume = volumes[mount["name"]]
            for part in (volume, *(volume.get("projected") or {}).get("sources", [])):
                if found := _of_volume(part, key):
                    return found
    return None


def _of_volume(part: Mapping[str, Any], path: str) -> tuple[str, str, str] | None:
    for field, kind in (("secret", "Secret"), ("configMap", "ConfigMap")):
        if field in part:
            source = part[field]
            name = source.get("secretName") or source.get("name")
            items = {item["path"]: item["key"] for item in source.get("items", [])}
            if not items or path in items:
                return kind, name, items.get(path, path)
    return None


POLICIES: Final = (files_mounted, references_exist, secrets_made, secrets_apart)
