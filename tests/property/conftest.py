"""How many examples the property tests try: HYPOTHESIS_PROFILE is dev (the default), ci or long."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

_ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

settings.register_profile("dev", _ANY_SPEED, max_examples=25)
settings.register_profile("ci", _ANY_SPEED, max_examples=60, derandomize=True)
settings.register_profile("long", _ANY_SPEED, max_examples=2000)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "dev")
settings.load_profile(PROFILE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lets the long profile take its time; the hook sees every collected test, so it looks at the path."""
    if PROFILE == "long":
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.timeout(0))
