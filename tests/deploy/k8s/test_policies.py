"""Our own rules over the manifests: they hold, and each is broken by a slip that no other rule reports."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from deploy.checks import rendering
from deploy.checks.manifests import Manifests
from deploy.checks.policies import POLICIES
from deploy.checks.policies.policy import Policy
from tests.deploy.k8s.changes import Slip
from tests.deploy.k8s.slips import SLIPS


@pytest.mark.parametrize("overlay", [overlay.name for overlay in rendering.overlays()])
@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_policies_hold(overlays: Mapping[str, Manifests], overlay: str, policy: Policy) -> None:
    """Nothing that is deployed breaks the policy."""
    assert policy.violations(overlays[overlay]) == []


@pytest.fixture(scope="session")
def known(production: Manifests) -> set[str]:
    """What is wrong without any slip, so that a fault of the manifests fails its own test and not all of these."""
    return {violation for policy in POLICIES for violation in policy.violations(production)}


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_a_slip_is_reported_by_its_policy_alone(production: Manifests, known: set[str], slip: Slip) -> None:
    """A broken manifest of production is reported, and by nothing but the policy that is named."""
    broken = slip.change(production)

    reported = {policy.name: found for policy in POLICIES if (found := set(policy.violations(broken)) - known)}

    assert set(reported) == {slip.reported_by}, reported


def test_every_policy_is_shown_to_fail() -> None:
    """No policy is without a slip that it reports, and each says in one sentence what it holds."""
    assert {policy.name for policy in POLICIES} == {slip.reported_by for slip in SLIPS}
    assert [policy.name for policy in POLICIES if not policy.fact.endswith(".")] == []
