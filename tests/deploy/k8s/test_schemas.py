"""Every resource keeps its schema, and what breaks a schema is found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest

from deploy.checks import npm, schemas
from deploy.checks.manifests import Document, Manifests, title
from deploy.checks.policies.policy import README
from tests.deploy.k8s.changes import Change, drop, put

POD: Final = "spec/template/spec"
SERVICE: Final = f"{POD}/containers/service"

KUBERNETES_SLIPS: Final = {
    "an unknown field": put("Deployment/imaging", f"{POD}/terminationGracePeriod", 60),
    "a field of another kind": put("Deployment/imaging", f"{SERVICE}/resources/memory", "1Gi"),
    "a number that should be text": put("Deployment/status", f"{SERVICE}/env/CUTLINE_GRPC_LISTEN/value", 7002),
    "text that should be a number": put("Deployment/status", "spec/replicas", "2"),
    "a missing selector": drop("Deployment/status", "spec/selector"),
    "a version that is gone": put("PodDisruptionBudget/imaging", "apiVersion", "policy/v1beta1"),
    "an autoscaler of years ago": put("HorizontalPodAutoscaler/status", "apiVersion", "autoscaling/v2beta2"),
    "a kind that nobody knows": put("Service/status", "kind", "Servise"),
    "a group that nobody knows": put("ScaledObject/imaging", "apiVersion", "keda.k8s.io/v1alpha1"),
}
CUSTOM_SLIPS: Final = {
    "a threshold that is a number": put("ScaledObject/imaging", "spec/triggers/0/metadata/lagThreshold", 4),
    "nothing to scale": drop("ScaledObject/imaging", "spec/scaleTargetRef"),
    "an unknown field": put("ScaledObject/imaging", "spec/minReplicas", 2),
    "an unknown field deep inside": put("ScaledObject/imaging", "spec/advanced/scalingModifiers/formulas", "a + b"),
    "a version of KEDA that is not there": put("ScaledObject/imaging", "apiVersion", "keda.sh/v1"),
    "a route's version that is gone": put("GRPCRoute/status", "apiVersion", "gateway.networking.k8s.io/v1alpha1"),
    "a port in quotes": put("GRPCRoute/status", "spec/rules/0/backendRefs/0/port", "7002"),
    "a misspelt match": put("GRPCRoute/status", "spec/rules/0/match", []),
    "an endpoint's unknown field": put("PodMonitor/cutline", "spec/podMetricsEndpoints/0/targetport", "http"),
    "a rule without an expression": drop("PrometheusRule/cutline", "spec/groups/0/rules/0/expr"),
    "a secret's unknown field": put("ExternalSecret/cutline-s3", "spec/secretStore", "cutline"),
}


@pytest.fixture(scope="session")
def schemas_of_npm() -> None:
    """The schemas of custom resources; the test is skipped where they are not installed."""
    try:
        schemas.custom_errors([])
    except npm.NpmMissingError as missing:
        pytest.skip(f"{missing}: make k8s-check installs them where npm has a registry")


def test_everything_keeps_the_schemas_of_kubernetes(overlays: Mapping[str, Manifests]) -> None:
    """No resource has an unknown field or a wrong type, and none is of a kind that nobody knows."""
    documents = schemas.unique(document for manifests in overlays.values() for document in manifests.documents)

    assert schemas.kubernetes_errors(documents) == []


def test_the_oldest_version_is_the_one_that_operators_are_told() -> None:
    """Manifests are held against the very version that their README asks for."""
    assert f"**Kubernetes {schemas.KUBERNETES_VERSIONS[0]}** or newer" in README.read_text(encoding="utf-8")


@pytest.mark.usefixtures("schemas_of_npm")
def test_everything_keeps_the_schemas_of_custom_resources(overlays: Mapping[str, Manifests]) -> None:
    """What KEDA, Gateway API, the Prometheus Operator and External Secrets read is what they understand."""
    documents = schemas.unique(document for manifests in overlays.values() for document in manifests.documents)

    assert {document["kind"] for document in documents if schemas.is_custom(document)} >= {
        "ExternalSecret",
        "GRPCRoute",
        "PodMonitor",
        "PrometheusRule",
        "ScaledObject",
    }
    assert schemas.custom_errors(documents) == []


@pytest.mark.parametrize("slip", KUBERNETES_SLIPS.values(), ids=KUBERNETES_SLIPS)
def test_a_resource_that_breaks_its_schema_is_named(production: Manifests, slip: Change) -> None:
    """The resource, and nothing else, is reported, for both versions of Kubernetes."""
    broken = _broken(production, slip)

    errors = schemas.kubernetes_errors(broken)

    assert len(errors) == len(schemas.KUBERNETES_VERSIONS)
    assert {error.partition(":")[0] for error in errors} == {title(document) for document in broken}


@pytest.mark.usefixtures("schemas_of_npm")
@pytest.mark.parametrize("slip", CUSTOM_SLIPS.values(), ids=CUSTOM_SLIPS)
def test_a_custom_resource_that_breaks_its_schema_is_named(production: Manifests, slip: Change) -> None:
    """The resource, and nothing else, is reported."""
    broken = _broken(production, slip)

    errors = schemas.custom_errors(broken)

    assert {error.partition(":")[0] for error in errors} == {title(document) for document in broken}


def _broken(manifests: Manifests, slip: Change) -> list[Document]:
    """What the slip has changed: everything else is checked by the tests above."""
    (changed,) = (document for document in slip(manifests).documents if document not in manifests.documents)
    return [changed]
