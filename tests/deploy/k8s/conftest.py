"""The committed manifests, read once."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from deploy.checks import rendering
from deploy.checks.manifests import Manifests
from deploy.checks.rendering import Composition


@pytest.fixture(scope="session")
def committed() -> Mapping[Composition, Manifests]:
    """The committed output of everything that is deployed as it stands."""
    return rendering.committed()


@pytest.fixture(scope="session")
def overlays(committed: Mapping[Composition, Manifests]) -> Mapping[str, Manifests]:
    """Each overlay with what is applied beside it, by its name."""
    return {overlay.name: rendering.whole(overlay, committed) for overlay in rendering.overlays()}


@pytest.fixture(scope="session")
def production(overlays: Mapping[str, Manifests]) -> Manifests:
    """What runs in production."""
    return overlays["overlays/production"]
