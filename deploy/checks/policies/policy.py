"""What a policy is: a rule of ours over the manifests of one deployment, which names everything that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.checks.manifests import Manifests

PRODUCTION: Final = "overlays/production"
README: Final = Path(__file__).resolve().parents[2] / "k8s/README.md"
"""What operators go by."""

Check = Callable[[Manifests], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Policy:
    """A rule.

    Attributes:
        name: What tests and messages call it.
        fact: What is true where it is kept; the first line of its function's docstring.
        check: Names each resource that breaks it, and how.
        production: Whether it holds for production as it stands alone; the others hold for every overlay.
    """

    name: str
    fact: str
    check: Check
    production: bool

    def violations(self, manifests: Manifests) -> list[str]:
        """What breaks it; empty where it is kept or not asked for."""
        if self.production and manifests.name != PRODUCTION:
            return []
        return list(self.check(manifests))


def everywhere(check: Check) -> Policy:
    """A policy for every overlay."""
    return _policy(check, production=False)


def in_production(check: Check) -> Policy:
    """A policy for production alone: other overlays do without what it speaks of."""
    return _policy(check, production=True)


def _policy(check: Check, *, production: bool) -> Policy:
    name = getattr(check, "__name__", "")
    return Policy(name, (check.__doc__ or "").partition("\n")[0], check, production)
