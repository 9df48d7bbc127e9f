"""The whole of Cutline as real processes, started once for these tests."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from bench.rolling.run import SHORT
from cutline.client import AsyncClient, ClientSettings
from cutline.embedded.stack import EmbeddedStack
from tests.support.span_collector import SpanCollector


@pytest.fixture(scope="session")
def span_collector() -> Iterator[SpanCollector]:
    """An OTLP receiver that keeps the spans it is sent."""
    with SpanCollector() as collector:
        yield collector


@pytest.fixture(scope="session")
async def stack(span_collector: SpanCollector) -> AsyncIterator[EmbeddedStack]:
    """Three servers and four services, with their spans going to `span_collector`."""
    settings = {"CUTLINE_OTLP_ENDPOINT": span_collector.endpoint}
    with tempfile.TemporaryDirectory(prefix="cutline-e2e-") as folder:
        async with EmbeddedStack(Path(folder), settings=settings) as running:
            yield running


@pytest.fixture(scope="session")
async def secure_stack() -> AsyncIterator[EmbeddedStack]:
    """All of it secured: TLS everywhere, three nodes of NATS with users, six deployments with an address to spare."""
    with tempfile.TemporaryDirectory(prefix="cutline-secure-") as folder:
        async with EmbeddedStack(Path(folder), plan=SHORT.plan()) as running:
            yield running


@pytest.fixture
async def web(stack: EmbeddedStack) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client that trusts the stack's authority, where it has one."""
    certificates = stack.servers.certificates
    async with httpx.AsyncClient(verify=certificates.context() if certificates else True) as http:
        yield http


@pytest.fixture
async def client(stack: EmbeddedStack) -> AsyncIterator[AsyncClient]:
    """The SDK, pointed at the stack."""
    async with AsyncClient(ClientSettings.from_env(stack.client_environment())) as connected:
        yield connected
