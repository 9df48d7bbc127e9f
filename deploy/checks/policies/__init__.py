"""Our own rules over manifests, each a function that names what breaks it."""

from __future__ import annotations

from typing import Final

from deploy.checks.policies import network, routing, scaling, secrets, settings, workloads
from deploy.checks.policies.policy import Policy

POLICIES: Final[tuple[Policy, ...]] = (
    *workloads.POLICIES,
    *settings.POLICIES,
    *secrets.POLICIES,
    *scaling.POLICIES,
    *routing.POLICIES,
    *network.POLICIES,
)
