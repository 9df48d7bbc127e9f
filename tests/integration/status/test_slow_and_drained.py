"""Watchers who stop reading harm nobody, and a process that ends sends every watcher elsewhere."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from google.rpc import error_details_pb2

from cutline.domain.errors import Reason
from cutline.v1 import status_service_pb2 as pb
from cutline.v1 import status_service_pb2_grpc as pb_grpc
from tests.integration.status.conftest import Stand, StandSettings
from tests.integration.status.streams import next_of, refusal
from tests.support.polling import eventually
from tests.support.raw_http2 import raw_caller

SERVICE = "cutline.v1.StatusService"


class TestSlowReader:
    """A caller without room for what it watches."""

    @pytest.fixture
    def stand_settings(self) -> StandSettings:
        """Nobody waits for readers for long."""
        return StandSettings(write_timeout_s=0.3)

    async def test_slow_readers_are_cut_and_others_told_everything(self, stand: Stand, tenant: str) -> None:
        """Both kinds of watch end, the hub forgets them, and neighbours of the connection and others hear every end."""
        design_id = await stand.add_design(tenant)
        one = pb.WatchDesignRequest(design_id=str(design_id)).SerializeToString()
        async with raw_caller(stand.rpc.port, window_bytes=1_000) as caller:
            slow = [
                caller.call(f"{SERVICE}/WatchDesign", one, stand.metadata(tenant)),
                caller.call(f"{SERVICE}/WatchDesigns", b"", stand.metadata(tenant)),
            ]
            neighbour = caller.call(f"{SERVICE}/WatchDesign", one, stand.metadata(tenant))
            caller.make_room(neighbour, 60_000)
            other = stand.watch(tenant, design_id)
            await next_of(other)
            assert await eventually(lambda: all(caller.bodies[stream] for stream in (*slow, neighbour)))
            assert stand.metric("cutline_watchers") == 4
            revision = 1
            while stand.metric("cutline_slow_readers_total") < 2:
                revision = await stand.start_imaging(design_id)
                await stand.ring(tenant, design_id, revision)
                assert (await next_of(other)).design.revision == revision
            assert await eventually(lambda: stand.metric("cutline_watchers") == 2)
            assert not stand.hub.topics.tenants
            assert all(len(caller.bodies[stream]) == 1_000 for stream in slow)
            revision = await stand.finish(design_id)
            await stand.ring(tenant, design_id, revision, "READY")
            assert (await next_of(other)).design.revision == revision
            assert await next_of(other) == grpc.aio.EOF
            assert await eventually(lambda: b"grpc-status\x010" in b"".join(caller.blocks[neighbour]))


class TestDrain:
    """A process that ends."""

    @pytest.fixture
    def stand_settings(self) -> StandSettings:
        """A grace that no test would outlast."""
        return StandSettings(drain_grace_s=3_600)

    async def test_five_hundred_watchers_are_sent_elsewhere(self, stand: Stand, tenant: str) -> None:
        """Every stream ends by itself with SHUTTING_DOWN and a RetryInfo, which alone lets the server stop."""
        designs = [await stand.add_design(tenant) for _ in range(5)]
        async with grpc.aio.insecure_channel(stand.target) as second:
            stub: pb_grpc.StatusServiceAsyncStub = pb_grpc.StatusServiceStub(second)
            watches = [stand.watch(tenant, designs[number % 5]) for number in range(400)]
            watches += [
                stub.WatchDesign(pb.WatchDesignRequest(design_id=str(design_id)), metadata=stand.metadata(tenant))
                for design_id in designs * 18
            ]
            alls = [stand.watch_all(tenant) for _ in range(10)]
            for watch in (*watches, *alls):
                await next_of(watch)
            assert stand.rpc.open_streams == 500
            async with asyncio.timeout(60):
                await stand.rpc.stop()
            assert stand.rpc.open_streams == 0
            for watch in alls:
                while not watch.done():
                    await next_of_any(watch)
            for ended in (*watches, *alls):
                code, info, details = await refusal(ended)
                assert (code, info.reason) == (grpc.StatusCode.UNAVAILABLE, Reason.SHUTTING_DOWN)
                assert details[0].type_url.endswith(error_details_pb2.RetryInfo.DESCRIPTOR.full_name)


async def next_of_any(watch: grpc.aio.UnaryStreamCall[pb.WatchDesignsRequest, pb.WatchDesignsResponse]) -> None:
    """Takes what a stream told before it ended."""
    try:
        await next_of(watch)
    except grpc.aio.AioRpcError:
        return
