"""Ways to break manifests, named by where they strike: `Deployment/imaging` and a path of keys, indices and names."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from deploy.checks.manifests import Document, Manifests, name_of

Change = Callable[[Manifests], Manifests]


@dataclass(frozen=True, slots=True)
class Slip:
    """A mistake somebody could make in a manifest.

    Attributes:
        reported_by: The policy that has to report it, alone.
        what: What was done.
        change: Does it.
    """

    reported_by: str
    what: str
    change: Change

    def __str__(self) -> str:
        """For the names of tests."""
        return f"{self.reported_by}: {self.what}"


def put(resource: str, path: str, value: object) -> Change:
    """Sets what lies at a path of every resource that `Kind/name*` means; what leads there has to exist."""

    def change(manifests: Manifests) -> Manifests:
        changed = manifests.copy()
        for document in _found(changed, resource):
            *before, last = _steps(path)
            holder = _follow(document, before)
            if isinstance(holder, list):
                place = _index(holder, last)
                holder[place] = copy.deepcopy(value)
            else:
                holder[last] = copy.deepcopy(value)
        return changed

    return change


def drop(resource: str, path: str = "") -> Change:
    """Removes what lies at a path of every resource that `Kind/name*` means, or without a path the resources."""

    def change(manifests: Manifests) -> Manifests:
        changed = manifests.copy()
        found = _found(changed, resource)
        if not path:
            return Manifests(changed.name, tuple(one for one in changed.documents if one not in found))
        for document in found:
            *before, last = _steps(path)
            holder = _follow(document, before)
            del holder[_index(holder, last) if isinstance(holder, list) else last]
        return changed

    return change


def append(resource: str, path: str, value: object) -> Change:
    """Adds an entry to the list at a path."""

    def change(manifests: Manifests) -> Manifests:
        changed = manifests.copy()
        for document in _found(changed, resource):
            _follow(document, _steps(path)).append(copy.deepcopy(value))
        return changed

    return change


def twin(resource: str, name: str, path: str, value: object) -> Change:
    """Adds a copy of a resource under another name, changed at a path."""

    def change(manifests: Manifests) -> Manifests:
        (document,) = copy.deepcopy(_found(manifests, resource))
        document["metadata"]["name"] = name
        added = Manifests(manifests.name, (document,))
        return Manifests(
            manifests.name, (*manifests.documents, *put(f"{document['kind']}/{name}", path, value)(added).documents)
        )

    return change


def both(*changes: Change) -> Change:
    """One change after the other."""

    def change(manifests: Manifests) -> Manifests:
        for step in changes:
            manifests = step(manifests)
        return manifests

    return change


def setting(workload: str, variable: str, value: str) -> Change:
    """Gives a variable to the container of a Deployment or Job, in place of what it was given."""

    def change(manifests: Manifests) -> Manifests:
        changed = manifests.copy()
        for document in _found(changed, workload):
            (container,) = document["spec"]["template"]["spec"]["containers"]
            kept = [entry for entry in container.get("env", []) if entry["name"] != variable]
            container["env"] = [*kept, {"name": variable, "value": value}]
        return changed

    return change


def shared(variable: str, value: str) -> Change:
    """Gives a variable to all, in the ConfigMap that they share."""

    def change(manifests: Manifests) -> Manifests:
        changed = manifests.copy()
        for document in changed.of_kind("ConfigMap"):
            if any(name.startswith("CUTLINE_") for name in document["data"]):
                document["data"][variable] = value
        return changed

    return change


def _found(manifests: Manifests, resource: str) -> list[Document]:
    kind, _, name = resource.partition("/")
    found = [document for document in manifests.of_kind(kind) if fnmatchcase(name_of(document), name)]
    if not found:
        message = f"{manifests.name} has no {resource} to break"
        raise LookupError(message)
    return found


def _steps(path: str) -> list[str]:
    """Keys along a path; `~` stands for a slash within one."""
    return [step.replace("~", "/") for step in path.split("/")]


def _follow(value: Any, path: list[str]) -> Any:
    for step in path:
        value = value[_index(value, step) if isinstance(value, list) else step]
    return value


def _index(entries: list[Any], step: str) -> int:
    """An entry by its number, or by its name."""
    if step.isdecimal():
        return int(step)
    return next(place for place, entry in enumerate(entries) if isinstance(entry, dict) and entry.get("name") == step)
