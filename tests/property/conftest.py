"""Gives the property tests the time their examples take."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import PROFILE

TIMEOUT_S = {"dev": 600, "long": 0}
"""Longest any of these tests may take on a busy machine; 0 is no limit."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sets the limit; the hook sees every collected test, so it looks at the path."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S[PROFILE]))
