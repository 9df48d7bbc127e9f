"""The parts of ingest around a real database and a real broker, below the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import grpc
import pytest

from cutline.blobs.store import S3BlobStore
from cutline.messaging.connection import Broker
from cutline.messaging.topology import Topology
from cutline.runtime.environment import EnvReader
from cutline.runtime.lifecycle import Lifecycle
from cutline.runtime.settings import S3Settings
from cutline.store.pool import Database
from cutline.store.submissions import Submission
from cutline.v1.queue_service_pb2_grpc import QueueServiceStub
from services.ingest.settings import BacklogLimits
from tests.integration.ingest.parts import NOBODY_LISTENS, Bench, make_bench, running, submission
from tests.integration.ingest.queue_site import Site
from tests.integration.ingest.service import OPERATOR, running_ingest, store_key


@pytest.fixture
def limits() -> BacklogLimits:
    """Caps that are out of the way; tests of caps override this."""
    return BacklogLimits()


@pytest.fixture
async def bench(postgres_dsn: str, nats_url: str, limits: BacklogLimits) -> AsyncIterator[Bench]:
    """Running parts, with the broker connected and its topology applied."""
    async with running(make_bench(postgres_dsn, nats_url, limits)) as made:
        yield made


@pytest.fixture
async def lonely_bench(postgres_dsn: str, limits: BacklogLimits) -> AsyncIterator[Bench]:
    """Running parts without a broker."""
    made = make_bench(postgres_dsn, NOBODY_LISTENS, limits)
    async with Lifecycle([made.database, made.broker, made.publisher, made.flusher]):
        yield made


@pytest.fixture
async def second_bench(postgres_dsn: str, nats_url: str, limits: BacklogLimits) -> AsyncIterator[Bench]:
    """A second replica beside `bench`."""
    async with running(make_bench(postgres_dsn, nats_url, limits)) as made:
        yield made


@pytest.fixture
async def blobs(service_environment: dict[str, str]) -> AsyncIterator[S3BlobStore]:
    """The object store."""
    store = S3BlobStore(S3Settings.read(EnvReader(service_environment)))
    async with Lifecycle([store]):
        yield store


@pytest.fixture
def make() -> Callable[..., Submission]:
    """Makes submits; see `submission`."""
    return submission


@pytest.fixture
async def site(service_environment: dict[str, str], postgres_dsn: str, tenant: str) -> AsyncIterator[Site]:
    """A running ingest and an operator of it."""
    database = Database(postgres_dsn, application_name="test")
    broker = Broker(service_environment["CUTLINE_NATS_URL"], name="test", on_fatal=lambda _: None)
    async with (
        running_ingest(service_environment) as target,
        Lifecycle([database, broker]),
        grpc.aio.insecure_channel(target) as channel,
    ):
        assert await broker.wait_connected(10)
        stub = QueueServiceStub(channel)
        key = await store_key(postgres_dsn, tenant, scopes=OPERATOR)
        yield Site(database, broker, Topology(), tenant, stub, target, key)
