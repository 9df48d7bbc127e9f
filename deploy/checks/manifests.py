"""Rendered manifests as values: read once, found by kind and name, and copied for tests that break them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

Document = dict[str, Any]
"""One resource as parsed from YAML. Its shape is checked by its schema before anything here counts on it."""

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Manifests:
    """The resources of one deployment.

    Attributes:
        name: What they are the rendering of, for messages.
        documents: The resources, in the order of the rendering.
    """

    name: str
    documents: tuple[Document, ...]

    def of_kind(self, *kinds: str) -> list[Document]:
        """Every resource of these kinds."""
        return [document for document in self.documents if document["kind"] in kinds]

    def find(self, kind: str, name: str) -> Document | None:
        """The resource of this kind and name, where there is one."""
        return next((found for found in self.of_kind(kind) if name_of(found) == name), None)

    def deployments(self) -> list[Document]:
        """The Deployments."""
        return self.of_kind("Deployment")

    def workloads(self) -> list[Document]:
        """What makes pods: Deployments and Jobs."""
        return self.of_kind("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")

    def copy(self) -> Manifests:
        """A deep copy."""
        return Manifests(self.name, copy.deepcopy(self.documents))


def parse(name: str, text: str) -> Manifests:
    """Reads a stream of YAML documents; empty ones are dropped."""
    # The loader is one of PyYAML's safe ones, whichever is there.
    return Manifests(name, tuple(document for document in yaml.load_all(text, Loader=_LOADER) if document))


def name_of(document: Document) -> str:
    """A resource's name."""
    return str(document["metadata"]["name"])


def title(document: Document) -> str:
    """What messages call a resource: `Deployment/imaging`."""
    return f"{document['kind']}/{name_of(document)}"


def labels_of(document: Document) -> Mapping[str, str]:
    """A resource's labels."""
    found: Mapping[str, str] = document["metadata"].get("labels") or {}
    return found


def pod_template(workload: Document) -> Document:
    """The pods that a workload makes."""
    spec = workload["spec"]
    template: Document = (spec["jobTemplate"]["spec"] if workload["kind"] == "CronJob" else spec)["template"]
    return template


def pod_labels(workload: Document) -> Mapping[str, str]:
    """Labels of the pods that a workload makes."""
    found: Mapping[str, str] = pod_template(workload).get("metadata", {}).get("labels") or {}
    return found


def containers(workload: Document) -> list[Document]:
    """The containers of a workload that run as long as its pods."""
    found: list[Document] = pod_template(workload)["spec"]["containers"]
    return found


def all_containers(workload: Document) -> list[Document]:
    """Every container of a workload, those that run before the others included."""
    first: list[Document] = pod_template(workload)["spec"].get("initContainers", [])
    return [*first, *containers(workload)]


def ports_of(workload: Document) -> dict[str, int]:
    """The numbers of a workload's ports by their names."""
    return {port["name"]: port["containerPort"] for port in containers(workload)[0].get("ports", [])}


def port_number(port: int | str, named: Mapping[str, int]) -> int | None:
    """The number of a port that is said by its number or its name; None for a name that is not there."""
    return named.get(port) if isinstance(port, str) else port


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector, as in a PodDisruptionBudget, takes what has these labels; an empty one takes all."""
    if selector is None:
        return False
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _meets(expression, labels) for expression in selector.get("matchExpressions") or ()
    )


def selected(manifests: Manifests, selector: Mapping[str, Any] | None) -> Iterator[Document]:
    """The workloads whose pods a label selector takes."""
    return (workload for workload in manifests.workloads() if selects(selector, pod_labels(workload)))


def _meets(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, operator, values = expression["key"], expression["operator"], expression.get("values") or ()
    match operator:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            message = f"there is no label selector operator {operator!r}"
            raise ValueError(message)
