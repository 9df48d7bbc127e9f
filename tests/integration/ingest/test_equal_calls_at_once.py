"""The same call made twice at once, as a client does whose first try has not been answered yet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import httpx
import pytest

from cutline.v1 import ingest_service_pb2 as pb
from tests.integration.ingest.service import Client, running_ingest, store_key, stub_of
from tests.support.polling import until

_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
_REQUESTS = {
    "CancelDesign": pb.CancelDesignRequest,
    "DeleteDesign": pb.DeleteDesignRequest,
    "ReprocessDesign": pb.ReprocessDesignRequest,
}


@pytest.fixture
async def client(service_environment: dict[str, str], postgres_dsn: str, tenant: str) -> AsyncIterator[Client]:
    """A client of a running ingest."""
    async with (
        running_ingest(service_environment) as target,
        grpc.aio.insecure_channel(target) as channel,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        yield Client(tenant, stub_of(channel), await store_key(postgres_dsn, tenant), http)


@pytest.mark.parametrize("method", _REQUESTS)
async def test_both_are_answered_alike(client: Client, postgres_dsn: str, method: str) -> None:
    """Both find the design held by somebody; the one that comes second is told what the first one was told."""
    design = await client.design()
    if method == "DeleteDesign":
        await client.call("CancelDesign", pb.CancelDesignRequest(design_id=design.id))
    request: Any = _REQUESTS[method](design_id=design.id, request_id=str(uuid4()))
    holder, observer = await asyncpg.connect(postgres_dsn), await asyncpg.connect(postgres_dsn)
    try:
        async with holder.transaction():
            await holder.execute("SELECT FROM designs FOR UPDATE")
            calls = [asyncio.create_task(client.call(method, request)) for _ in range(2)]

            async def both_wait() -> bool:
                return bool(await observer.fetchval(_WAITING) == len(calls))

            await until(both_wait)
        first, second = await asyncio.gather(*calls)
    finally:
        await holder.close()
        await observer.close()

    assert first == second
