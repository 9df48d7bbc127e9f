"""Callers who do not read, do not answer, or ask too often."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import cutline.rpc.health
from cutline.client import channels
from cutline.runtime.environment import ListenAddress
from cutline.runtime.settings import GrpcSettings
from cutline.v1 import status_service_pb2
from tests.integration.rpc.conftest import Served, Serving
from tests.support.polling import eventually
from tests.support.raw_http2 import raw_caller

WATCH = "cutline.v1.StatusService/WatchDesign"
FLOOD = status_service_pb2.WatchDesignRequest(design_id="flood").SerializeToString()
QUIET = status_service_pb2.WatchDesignRequest(design_id="quiet").SerializeToString()
CREDENTIAL = (("authorization", "Bearer acme:designs:read"),)
MANY_STREAMS: dict[str, Any] = {"max_streams": 100, "max_streams_per_tenant": 100, "max_streams_per_key": 100}
CANCELLED = b"grpc-status\x011"


async def settled(served: Served) -> None:
    """Lets the server's main loop forget the first and the last call it took: it keeps them in local variables."""
    await served.create_upload()
    await served.create_upload()
    await _finished_watch(served)
    await _finished_watch(served)


async def _finished_watch(served: Served) -> None:
    watch = served.watch(credential="")
    assert await watch.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_caller_who_reads_nothing_is_cut_and_its_call_freed(serving: Serving) -> None:
    """Without room for a message the handler ends, and gRPC closes the stream; others of the connection go on."""
    async with serving(write_timeout_s=0.3, **MANY_STREAMS) as served:
        await settled(served)
        async with raw_caller(served.server.port, window_bytes=1_000) as caller:
            stuck = [caller.call(WATCH, FLOOD, CREDENTIAL) for _ in range(5)]
            quiet = caller.call(WATCH, QUIET, CREDENTIAL)
            beside = served.watch()
            assert (await beside.read()).design.id == "d1"
            assert await eventually(lambda: served.server.open_streams == 2)
            await settled(served)
            assert await eventually(lambda: caller.reset == set(stuck))
            for stream in stuck:
                assert len(caller.bodies[stream]) == 1_000
                assert CANCELLED in caller.blocks[stream][-1]
            assert caller.bodies[quiet]
            served.status.drain.set()
            assert await beside.code() is grpc.StatusCode.UNAVAILABLE
            assert await eventually(lambda: b"grpc-status\x0214" in caller.blocks[quiet][-1])
        assert re.search(r"^cutline_slow_readers_total(\{.*\})? 5.0$", _metrics(served), re.MULTILINE)


async def test_a_caller_who_takes_nothing_at_all_is_let_go(serving: Serving) -> None:
    """Without room for even the first message the call is freed as well."""
    async with serving(write_timeout_s=0.3, **MANY_STREAMS) as served:
        await settled(served)
        async with raw_caller(served.server.port, window_bytes=0) as caller:
            stuck = [caller.call(WATCH, QUIET, CREDENTIAL) for _ in range(5)]
            assert await eventually(lambda: all(caller.blocks[stream] for stream in stuck))
            await settled(served)
            assert await eventually(lambda: caller.reset == set(stuck))
            assert served.server.open_streams == 0


async def test_a_caller_who_reads_again_learns_why_it_was_cut(serving: Serving) -> None:
    """The error waits behind the unread message for a while; who makes room gets it whole."""
    async with (
        serving(write_timeout_s=60.0, **MANY_STREAMS) as served,
        raw_caller(served.server.port, window_bytes=1_000) as caller,
    ):
        stream = caller.call(WATCH, FLOOD, CREDENTIAL)
        assert await eventually(lambda: len(caller.bodies[stream]) == 1_000)
        (limit,) = served.server._patience._streams
        limit.reschedule(asyncio.get_running_loop().time())  # as if the time were over
        await asyncio.wait_for(served.status.closed.wait(), 60)
        caller.make_room(stream, 1_000)
        assert await eventually(lambda: len(caller.blocks[stream]) == 2)
        assert b"grpc-status\x018" in caller.blocks[stream][1]
        assert b"read nothing" in caller.blocks[stream][1]


async def test_a_caller_who_reads_nothing_from_its_socket_is_cut(serving: Serving) -> None:
    """A full socket ends the handler as a full window does."""
    async with (
        serving(write_timeout_s=0.3) as served,
        raw_caller(served.server.port, window_bytes=2**31 - 1, reads=False) as caller,
    ):
        stream = caller.call(WATCH, FLOOD, CREDENTIAL)
        caller.make_room(stream, 2**30)
        await asyncio.wait_for(served.status.closed.wait(), 60)
        assert await eventually(lambda: served.server.open_streams == 0)


async def test_an_answer_that_is_not_read_is_let_go(serving: Serving) -> None:
    """A call with one answer is freed too when nobody takes the answer."""

    async def answer() -> str:
        return "x" * 10_000

    async with serving(answer, write_timeout_s=0.3) as served:
        await settled(served)
        credential = (("authorization", "Bearer acme:designs:write"),)
        async with raw_caller(served.server.port, window_bytes=1_000) as caller:
            calls = [caller.call("cutline.v1.IngestService/CreateUpload", b"", credential) for _ in range(4)]
            assert await eventually(lambda: all(len(caller.bodies[call]) == 1_000 for call in calls))
            await settled(served)
            assert await eventually(lambda: caller.reset == set(calls))


async def test_a_stop_does_not_wait_for_a_caller_who_reads_nothing(serving: Serving) -> None:
    """A drain cuts short what slow readers are left to read, long before the grace is over."""
    async with serving(drain_grace_s=600.0, write_timeout_s=600.0, **MANY_STREAMS) as served:
        await settled(served)
        async with raw_caller(served.server.port, window_bytes=1_000) as caller:
            stream = caller.call(WATCH, FLOOD, CREDENTIAL)
            assert await eventually(lambda: len(caller.bodies[stream]) == 1_000)
            await settled(served)
            await asyncio.wait_for(served.server.stop(), 60)
            assert served.status.closed.is_set()


async def test_a_caller_who_does_not_read_its_health_watch_holds_up_nobody(serving: Serving) -> None:
    """Others are told what changes, and the server stops long before the grace is over; nobody of them has a key."""
    health: Any = health_pb2_grpc.HealthStub
    async with (
        serving(drain_grace_s=600.0, write_timeout_s=600.0) as served,
        raw_caller(served.server.port, window_bytes=0) as caller,
    ):
        stuck = caller.call("grpc.health.v1.Health/Watch", b"")
        assert await eventually(lambda: bool(caller.blocks[stuck]))
        watch = health(served.channel).Watch(health_pb2.HealthCheckRequest(service=""))
        async with asyncio.timeout(60):
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
            served.readiness.end()
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            await settled(served)
            await served.server.stop()
            assert await watch.code() is grpc.StatusCode.UNAVAILABLE


async def test_health_watches_are_capped(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than the cap is refused, and whoever goes away gives up its place."""
    monkeypatch.setattr(cutline.rpc.health, "MAX_WATCHES", 2)
    stub: Any = health_pb2_grpc.HealthStub
    async with serving() as served:

        def watch() -> Any:
            return stub(served.channel).Watch(health_pb2.HealthCheckRequest(service="liveness"))

        watches = [watch(), watch()]
        for each in watches:
            assert (await each.read()).status == health_pb2.HealthCheckResponse.SERVING
        assert await watch().code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        for each in watches:
            each.cancel()
        assert await eventually(lambda: served.server._health._servicer._watches == 0)
        assert (await watch().read()).status == health_pb2.HealthCheckResponse.SERVING


async def test_a_caller_who_pings_as_the_sdk_does_is_not_cut(serving: Serving) -> None:
    """On a silent stream pings as far apart as the server's own are welcome, and far more frequent ones are not."""
    async with serving(keepalive_s=0.3) as served, raw_caller(served.server.port) as caller:
        caller.call(WATCH, QUIET, CREDENTIAL)
        for _ in range(5):
            await caller.ping()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(caller.closed.wait(), 0.3)
        assert not caller.goaways
    async with serving(keepalive_s=3600.0) as served, raw_caller(served.server.port) as caller:
        caller.call(WATCH, QUIET, CREDENTIAL)
        async with asyncio.timeout(60):
            while not caller.closed.is_set():
                await caller.ping()
        assert caller.goaways == [b"too_many_pings"]


def test_the_sdk_pings_no_more_often_than_servers_do() -> None:
    """The interval of the SDK's pings is at least the server's own, which is three times what the server bears."""
    assert GrpcSettings(ListenAddress("127.0.0.1", 0)).keepalive_s * 1000 <= channels.KEEPALIVE_MS


async def test_a_dead_peer_is_noticed(serving: Serving) -> None:
    """A connection on which pings are not answered any more is closed, and its streams end."""
    async with (
        serving(keepalive_s=0.2, keepalive_timeout_s=0.2) as served,
        raw_caller(served.server.port, acks_pings=False) as caller,
    ):
        caller.call(WATCH, QUIET, CREDENTIAL)
        await asyncio.wait_for(served.status.closed.wait(), 60)
        assert served.status.ended == ["cancelled"]
        assert await eventually(caller.closed.is_set)


def _metrics(served: Served) -> str:
    return served.telemetry.exposition().decode()
