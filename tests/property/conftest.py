"""How many examples the property tests try: HYPOTHESIS_PROFILE is dev (the default) or long."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

_ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

# The same examples in every run: `make test` tells what a change did; the long profile goes and looks for more.
settings.register_profile("dev", _ANY_SPEED, max_examples=25, derandomize=True)
settings.register_profile("long", _ANY_SPEED, max_examples=2000)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "dev")
TIMEOUT_S = {"dev": 600, "long": 0}
"""Longest any of these tests may take on a busy machine; 0 is no limit."""
settings.load_profile(PROFILE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Gives these tests the time their examples take; the hook sees every collected test, so it looks at the path."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S[PROFILE]))
