"""The real services and the fake one, side by side."""

from __future__ import annotations

import os
import subprocess
import sys
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
def real(stack: EmbeddedStack, tenant: str) -> Iterator[RawApi]:
    """The real API, as a tenant of this test's own."""
    made = subprocess.run(
        (sys.executable, "-m", "cutline.rpc.keys", "make", "--tenant", tenant),
        env={**os.environ, **stack.servers.environment()},
        capture_output=True,
        text=True,
        check=True,
    )
    with RawApi(stack.ingest_target, stack.status_target, made.stdout.strip()) as api:
        yield api


@pytest.fixture
def fake_server(tenant: str) -> Iterator[FakeServer]:
    """The fake, with the same tenant."""
    with FakeServer(tenant=tenant) as server:
        yield server


@pytest.fixture
def fake(fake_server: FakeServer) -> Iterator[RawApi]:
    """The fake API."""
    with RawApi(fake_server.target, fake_server.target, fake_server.settings.api_key) as api:
        yield api
