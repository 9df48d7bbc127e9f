"""The parts of ingest around a real database and a real broker, below the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from cutline.messaging.apply import apply_topology
from cutline.runtime.lifecycle import Lifecycle
from cutline.store.submissions import Submission
from services.ingest.settings import BacklogLimits
from tests.integration.ingest.parts import NOBODY_LISTENS, Bench, make_bench, submission


@pytest.fixture
def limits() -> BacklogLimits:
    """Caps that are out of the way; tests of caps override this."""
    return BacklogLimits()


@pytest.fixture
async def bench(postgres_dsn: str, nats_url: str, limits: BacklogLimits) -> AsyncIterator[Bench]:
    """Running parts, with the broker connected and its topology applied."""
    made = make_bench(postgres_dsn, nats_url, limits)
    async with Lifecycle([made.database, made.broker, made.publisher, made.flusher]):
        assert await made.broker.wait_connected(10)
        await apply_topology(made.broker.jetstream, made.topology)
        yield made


@pytest.fixture
async def lonely_bench(postgres_dsn: str, limits: BacklogLimits) -> AsyncIterator[Bench]:
    """Running parts without a broker."""
    made = make_bench(postgres_dsn, NOBODY_LISTENS, limits)
    async with Lifecycle([made.database, made.broker, made.publisher, made.flusher]):
        yield made


@pytest.fixture
async def second_bench(
    bench: Bench,  # noqa: ARG001  (applies the topology)
    postgres_dsn: str,
    nats_url: str,
    limits: BacklogLimits,
) -> AsyncIterator[Bench]:
    """A second replica beside `bench`."""
    made = make_bench(postgres_dsn, nats_url, limits)
    async with Lifecycle([made.database, made.broker, made.publisher, made.flusher]):
        assert await made.broker.wait_connected(10)
        yield made


@pytest.fixture
def make() -> Callable[..., Submission]:
    """Makes submits; see `submission`."""
    return submission
