"""What ingest says of itself while something it uses is away."""

from __future__ import annotations

from cutline.runtime.lifecycle import Lifecycle, ServiceRuntime
from services.ingest.app import build
from tests.integration.ingest.parts import NOBODY_LISTENS


async def test_bus_and_object_store_that_are_away_are_named(service_environment: dict[str, str]) -> None:
    """Ingest is ready with the database alone and names the broker and the object store as degraded."""
    runtime = ServiceRuntime()
    away = {
        "CUTLINE_NATS_URL": NOBODY_LISTENS,
        "CUTLINE_S3_ENDPOINT": "http://127.0.0.1:1",
        "CUTLINE_GRPC_LISTEN": "127.0.0.1:0",
        "CUTLINE_HTTP_LISTEN": "127.0.0.1:0",
    }
    async with Lifecycle(build({**service_environment, **away}, runtime)):
        runtime.readiness.begin()

        verdict = await runtime.readiness.verdict()

        assert verdict.missing == {}
        assert set(verdict.degraded) == {"nats", "blobs"}
