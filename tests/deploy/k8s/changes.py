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

    def strike(document: Document) -> None:
        holder, last = _place(document, path)
        holder[last] = copy.deepcopy(value)

    return _each(resource, strike)


def drop(resource: str, path: str = "") -> Change:
    """Removes what lies at a path of every resource that `Kind/name*` means, or without a path the resources."""

    def strike(document: Document) -> None:
        holder, last = _place(document, path)
        del holder[last]

    def remove(manifests: Manifests) -> Manifests:
        found = _found(manifests, resource)
        return Manifests(manifests.name, tuple(one for one in manifests.documents if one not in found)).copy()

    return _each(resource, strike) if path else remove


def append(resource: str, path: str, value: object) -> Change:
    """Adds an entry to the list at a path."""
    return _each(resource, lambda document: _follow(document, _steps(path)).append(copy.deepcopy(value)))


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

    def strike(document: Document) -> None:
        (container,) = document["spec"]["template"]["spec"]["containers"]
        kept = [entry for entry in container.get("env", []) if entry["name"] != variable]
        container["env"] = [*kept, {"name": variable, "value": value}]

    return _each(workload, strike)


def shared(variable: str, value: str) -> Change:
    """Gives a variable to all, in the ConfigMap that they share."""

    def strike(document: Document) -> None:
        if any(name.startswith("CUTLINE_") for name in document["data"]):
            document["data"][variable] = value

    return _each("ConfigMap/*", strike)


def _each(resource: str, strike: Callable[[Document], None]) -> Change:
    """Strikes every resource that `Kind/name*` means, in a copy of the manifests."""

    def change(manifests: Manifests) -> Manifests:
        changed = manifests.copy()
        for document in _found(changed, resource):
            strike(document)
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


def _follow(value: Any, steps: list[str]) -> Any:
    for step in steps:
        value = value[_key(value, step)]
    return value


def _place(document: Document, path: str) -> tuple[Any, Any]:
    """What holds the end of a path, and the key or index of the end in it."""
    *before, last = _steps(path)
    holder = _follow(document, before)
    return holder, _key(holder, last)


def _key(holder: Any, step: str) -> str | int:
    """A step as a key or, in a list, as the index of an entry that is meant by its number or its name."""
    if not isinstance(holder, list):
        return step
    if step.isdecimal():
        return int(step)
    return next(place for place, entry in enumerate(holder) if isinstance(entry, dict) and entry.get("name") == step)
