"""The settings that the simulation reads are those that are deployed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from bench.scale.settings import MANIFESTS, read_settings
from cutline.domain.states import Stage


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The manifests, to be changed."""
    for name in ("base", "components"):
        shutil.copytree(MANIFESTS / name, tmp_path / name)
    return tmp_path


def test_both_stages_are_read_from_the_manifests() -> None:
    """Replicas, target and policies are those of each stage's ScaledObject."""
    settings = read_settings()

    assert [one.stage for one in settings.stages] == list(Stage)
    for one in settings.stages:
        spec = yaml.safe_load((MANIFESTS / "components" / "keda" / f"{one.stage.value}.yaml").read_text())["spec"]
        assert (one.low, one.high) == (spec["minReplicaCount"], spec["maxReplicaCount"])
        assert one.target == float(spec["advanced"]["scalingModifiers"]["target"])
        assert one.fallback is not None
        assert one.fallback.replicas == spec["fallback"]["replicas"]
        assert one.stop_grace_s > 0
        assert one.cores > 0


def test_a_change_of_a_manifest_is_seen(copied: Path) -> None:
    """Another target and another CPU request are read as they are written."""
    keda = copied / "components" / "keda" / "imaging.yaml"
    keda.write_text(keda.read_text().replace("maxReplicaCount: ", "maxReplicaCount: 1"))
    pod = copied / "base" / "imaging" / "deployment.yaml"
    before = read_settings().stages[0]
    text = pod.read_text()
    assert f'cpu: "{before.cores:g}"' in text
    pod.write_text(text.replace(f'cpu: "{before.cores:g}"', "cpu: 1500m"))
    after = read_settings(copied).stages[0]

    assert after.high == int(f"1{before.high}")
    assert after.cores == 1.5


def test_a_manifest_without_what_scaling_needs_is_refused(copied: Path) -> None:
    """A lost target or a policy that is not simulated stops the simulation by name."""
    keda = copied / "components" / "keda" / "mockup.yaml"
    text = keda.read_text()
    keda.write_text(text.replace("maxReplicaCount:", "mostReplicas:"))
    with pytest.raises(KeyError, match="maxReplicaCount"):
        read_settings(copied)

    keda.write_text(text.replace("selectPolicy: Max", "selectPolicy: Min"))
    with pytest.raises(ValueError, match="selectPolicy: Min"):
        read_settings(copied)
