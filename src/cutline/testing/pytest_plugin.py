"""A fixture for pytest: name it in a conftest.py, `pytest_plugins = ["cutline.testing.pytest_plugin"]`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cutline.testing.server import FakeServer


@pytest.fixture
def cutline_server() -> Iterator[FakeServer]:
    """A fake server of this test's own."""
    with FakeServer() as server:
        yield server
