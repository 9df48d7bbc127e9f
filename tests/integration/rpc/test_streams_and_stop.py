"""Streams, their caps and their end; health, reflection and the order of a stop."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from cutline.domain.errors import Reason
from cutline.runtime.lifecycle import Lifecycle
from tests.integration.rpc.conftest import Served, Serving

REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def _opened(served: Served, *, credential: str = "acme:designs:read") -> Any:
    watch = served.watch(credential=credential)
    assert (await watch.read()).design.id == "d1"
    return watch


async def _details(call: Any) -> RpcStatus:
    trailers = dict(await call.trailing_metadata())
    return RpcStatus.FromString(trailers["grpc-status-details-bin"])


async def _reason(call: Any) -> str:
    return ErrorInfo.FromString((await _details(call)).details[0].value).reason


def _health(served: Served) -> Any:
    stub: Any = health_pb2_grpc.HealthStub
    return stub(served.channel)


async def test_a_client_that_goes_away_ends_its_stream(serving: Serving) -> None:
    """The handler's generator is closed by cancellation, and its place is free again."""
    async with serving() as served:
        for _ in range(4):  # more than the tenant may hold at once
            served.status.opened.clear()
            served.status.closed.clear()
            watch = await _opened(served)
            await served.status.opened.wait()  # the handler waits again: the write of its frame is over
            watch.cancel()
            await served.status.closed.wait()
        assert served.status.ended == ["cancelled"] * 4


async def test_streams_are_capped_by_key_by_tenant_and_in_all(serving: Serving) -> None:
    """The third stream of a key and of a tenant and the process's fourth are refused by name; the others go on."""
    async with serving() as served:
        watches = [await _opened(served), await _opened(served)]
        refused = served.watch()
        assert await refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await _reason(refused) == Reason.STREAM_LIMIT
        assert (await _details(refused)).details[1].type_url.endswith(RetryInfo.DESCRIPTOR.full_name)
        assert "2 streams of this key" in await refused.details()
        refused = served.watch(credential="acme/second:designs:read")
        assert "2 streams of this tenant" in await refused.details()
        watches.append(await _opened(served, credential="other:designs:read"))
        refused = served.watch(credential="third:designs:read")
        assert "3 streams" in await refused.details()
        for watch in watches:
            watch.cancel()


async def test_a_stop_drains_streams_at_once(serving: Serving) -> None:
    """Open streams end themselves with SHUTTING_DOWN and a hint when to return, long before the grace is over."""
    async with serving(drain_grace_s=600.0) as served:
        watch = await _opened(served)
        await served.status.opened.wait()
        await served.server.stop()
        assert await watch.code() is grpc.StatusCode.UNAVAILABLE
        assert await _reason(watch) == Reason.SHUTTING_DOWN
        assert served.status.ended == ["drained"]
        await served.server.stop()


async def test_a_stop_lets_running_calls_finish(serving: Serving) -> None:
    """A call that runs when the stop begins gets its answer; a new one is refused."""
    began, go_on = asyncio.Event(), asyncio.Event()

    async def answer() -> str:
        began.set()
        await go_on.wait()
        return "done"

    async with serving(answer) as served:
        running = asyncio.create_task(served.create_upload())
        await began.wait()
        stopping = asyncio.create_task(served.server.stop())
        await served.server.drain.wait()
        go_on.set()
        await stopping
        assert (await (await running)).id == "done"
        assert await (await served.create_upload()).code() is grpc.StatusCode.UNAVAILABLE


async def test_a_long_grace_is_granted(serving: Serving) -> None:
    """Running calls are answered although the stop takes longer than that of parts which wait for nobody."""
    began, go_on = asyncio.Event(), asyncio.Event()

    async def answer() -> str:
        began.set()
        await go_on.wait()
        return "done"

    async with serving(answer, drain_grace_s=600.0) as served:
        process = Lifecycle([served.server], stop_timeout_s=0.001)
        process._begun.append(served.server)
        running = asyncio.create_task(served.create_upload())
        await began.wait()
        stopping = asyncio.create_task(process.stop())
        await served.server.drain.wait()
        asyncio.get_running_loop().call_later(0.05, go_on.set)
        await stopping
        assert (await (await running)).id == "done"


async def test_health_follows_readiness(serving: Serving) -> None:
    """Whole server and each service are SERVING while ready; liveness stays; unknown names are NOT_FOUND; no key."""
    async with serving() as served:
        health = _health(served)
        for name in ("", "cutline.v1.IngestService", "cutline.v1.StatusService", "liveness"):
            assert (await health.Check(health_pb2.HealthCheckRequest(service=name))).status == SERVING, name
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health.Check(health_pb2.HealthCheckRequest(service="nothing"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND

        watch = health.Watch(health_pb2.HealthCheckRequest(service=""))
        assert (await watch.read()).status == SERVING
        served.readiness.end()
        assert (await watch.read()).status == NOT_SERVING
        alive = await health.Check(health_pb2.HealthCheckRequest(service="liveness"))
        assert alive.status == SERVING
        watch.cancel()


async def test_health_fails_before_the_server_does(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """During the pause of a stop health says NOT_SERVING while calls are still answered."""
    noticed = asyncio.Event()
    async with serving() as served:
        monkeypatch.setattr(served.server, "_pause", noticed.wait)
        watch = _health(served).Watch(health_pb2.HealthCheckRequest(service=""))
        assert (await watch.read()).status == SERVING
        stopping = asyncio.create_task(served.server.stop())
        assert (await watch.read()).status == NOT_SERVING
        assert await (await served.create_upload()).code() is grpc.StatusCode.OK
        watch.cancel()
        noticed.set()
        await stopping


async def test_reflection_lists_the_services(serving: Serving) -> None:
    """Where reflection is switched on, it lists what is served."""
    async with serving(reflection=True) as served:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub
        call = stub(served.channel).ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        )
        names = {service.name for service in (await call.read()).list_services_response.service}
        assert {"cutline.v1.IngestService", "cutline.v1.StatusService", "grpc.health.v1.Health"} <= names


async def test_reflection_can_be_off(serving: Serving) -> None:
    """Where reflection is switched off, the method does not exist."""
    async with serving(reflection=False) as served:
        # Asked with one whole message: a stream refused while it is still written may end as INTERNAL at the caller.
        call = served.channel.unary_unary(REFLECTION)(b"")
        assert await call.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_port_that_is_taken_is_an_error(serving: Serving) -> None:
    """Two servers never share a port by accident, and the second one says what would let them."""
    async with serving() as served:
        with pytest.raises(RuntimeError, match=r"another process has the port.*CUTLINE_GRPC_REUSEPORT"):
            async with serving(listen=type(served.server._settings.listen)("127.0.0.1", served.server.port)):
                pass
