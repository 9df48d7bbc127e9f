"""Calls of operators go where they are served."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from cutline.client import ClientSettings, UnavailableError
from cutline.v1 import queue_service_pb2
from tests.support.sdk_clients import sdk_client

NOBODY = "127.0.0.1:1"


@pytest.fixture
def admin_target() -> Iterator[str]:
    """A server of QueueService alone, with the counts of no queue at all."""

    def get_stats(
        _request: queue_service_pb2.GetStatsRequest, _context: grpc.ServicerContext
    ) -> queue_service_pb2.Stats:
        return queue_service_pb2.Stats()

    method = grpc.unary_unary_rpc_method_handler(
        get_stats,
        request_deserializer=queue_service_pb2.GetStatsRequest.FromString,
        response_serializer=queue_service_pb2.Stats.SerializeToString,
    )
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("cutline.v1.QueueService", {"GetStats": method}),)
        )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(None).wait()


async def test_queues_are_asked_for_at_the_admin_target(admin_target: str, sdk_kind: str) -> None:
    """The queues answer there while nobody is at the ingest target; without it they are asked for at ingest."""
    apart = ClientSettings(NOBODY, NOBODY, "k", admin_target=admin_target)
    async with sdk_client(sdk_kind, apart, max_retries=0) as client:
        assert await client.queue.stats() == queue_service_pb2.Stats()
    together = ClientSettings(admin_target, NOBODY, "k")
    async with sdk_client(sdk_kind, together, max_retries=0) as client:
        assert await client.queue.stats() == queue_service_pb2.Stats()
    nowhere = ClientSettings(NOBODY, admin_target, "k")
    async with sdk_client(sdk_kind, nowhere, max_retries=0) as client:
        with pytest.raises(UnavailableError):
            await client.queue.stats()
