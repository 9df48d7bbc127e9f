"""The bus that the chart's values describe is the one that the services and the autoscaler call."""

from __future__ import annotations

from typing import Any, Final

import pytest
import yaml

from deploy.checks.manifests import Manifests, name_of
from deploy.checks.policies.environment import TopologySettings, reading_of
from deploy.k8s.generate import VALUES

HOSTS: Final = "nats-headless.nats.svc.cluster.local"


@pytest.fixture(scope="session")
def chart() -> dict[str, Any]:
    """The values of the NATS chart."""
    values: dict[str, Any] = yaml.safe_load(VALUES.read_text(encoding="utf-8"))
    return values


@pytest.fixture(scope="session")
def topology_job(production: Manifests) -> TopologySettings:
    """What the job that makes the streams is told."""
    (job,) = (workload for workload in production.workloads() if name_of(workload) == "topology")
    settings = reading_of(production, job).settings
    assert isinstance(settings, TopologySettings)
    return settings


def test_services_know_every_node(chart: dict[str, Any], topology_job: TopologySettings) -> None:
    """Each pod of the cluster is named, so that a service that starts finds one whichever is away."""
    nodes = range(chart["config"]["cluster"]["replicas"])

    assert topology_job.nats.url.split(",") == [f"tls://nats-{node}.{HOSTS}:4222" for node in nodes]


def test_every_node_has_a_copy_of_every_stream(chart: dict[str, Any], topology_job: TopologySettings) -> None:
    """As many copies as nodes: any of three may be lost, and nothing is held by fewer than could be asked."""
    assert chart["config"]["cluster"]["enabled"] is True
    assert topology_job.topology.replicas == chart["config"]["cluster"]["replicas"] == 3


def test_the_autoscaler_asks_where_the_chart_answers(chart: dict[str, Any], production: Manifests) -> None:
    """KEDA reads the lag at the monitoring port, which the headless Service always has."""
    endpoints = {
        trigger["metadata"]["natsServerMonitoringEndpoint"]
        for scaled in production.of_kind("ScaledObject")
        for trigger in scaled["spec"]["triggers"]
    }

    assert endpoints == {f"{HOSTS}:{chart['config']['monitor']['port']}"}
    assert chart["config"]["monitor"]["enabled"] is True


def test_clients_speak_tls_with_the_bus(chart: dict[str, Any]) -> None:
    """The servers show a certificate to clients and to each other."""
    assert chart["config"]["nats"]["tls"]["enabled"] is True
    assert chart["config"]["cluster"]["tls"]["enabled"] is True
