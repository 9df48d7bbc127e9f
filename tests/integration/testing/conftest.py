"""The real services and the fake one, side by side."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cutline.embedded.stack import EmbeddedStack
from cutline.testing import FakeServer
from tests.integration.testing.raw_api import RawApi


@pytest.fixture(scope="session")
async def stack() -> AsyncIterator[EmbeddedStack]:
    """Every real service as a process of its own."""
    with tempfile.TemporaryDirectory(prefix="cutline-same-") as folder:
        async with EmbeddedStack(Path(folder)) as running:
            yield running


@pytest.fixture
def real(stack: EmbeddedStack) -> Iterator[RawApi]:
    """The real API."""
    with RawApi(stack.ingest_target, stack.status_target, stack.api_key) as api:
        yield api


@pytest.fixture
def fake_server() -> Iterator[FakeServer]:
    """The fake, with a tenant of the same name as the real one's."""
    with FakeServer(tenant="dev") as server:
        yield server


@pytest.fixture
def fake(fake_server: FakeServer) -> Iterator[RawApi]:
    """The fake API."""
    with RawApi(fake_server.target, fake_server.target, fake_server.settings.api_key) as api:
        yield api
