"""A fake server and both clients of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from cutline.client import AsyncClient, Client
from cutline.testing import FakeServer


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A fake of this test's own."""
    with FakeServer() as server:
        yield server


@pytest.fixture
def client(server: FakeServer) -> Iterator[Client]:
    """The SDK for threads."""
    with Client(server.settings) as client:
        yield client


@pytest.fixture
async def async_client(server: FakeServer) -> AsyncIterator[AsyncClient]:
    """The SDK for asyncio."""
    async with AsyncClient(server.settings) as client:
        yield client
