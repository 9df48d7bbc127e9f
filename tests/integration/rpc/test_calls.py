"""What stands around every call: identity, scope, error mapping, trace and metrics."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status as RpcStatus
from opentelemetry.trace import SpanKind, StatusCode

from cutline.domain.errors import InvalidInputError, NotFoundError, Reason, UnavailableError
from cutline.domain.principal import Scope
from cutline.rpc.call import current_principal, current_request_id
from cutline.v1 import ingest_service_pb2, ingest_service_pb2_grpc
from tests.integration.rpc.conftest import Serving
from tests.support.polling import eventually

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = ("traceparent", f"00-{TRACE}-b7ad6b7169203331-01")


async def _error_info(call: Any) -> ErrorInfo:
    trailers = dict(await call.trailing_metadata())
    status = RpcStatus.FromString(trailers["grpc-status-details-bin"])
    assert status.message == await call.details()
    return ErrorInfo.FromString(status.details[0].value)


async def test_a_handler_knows_who_calls(serving: Serving) -> None:
    """Principal and request id are there for the handler, and ids come back in the trailers."""

    async def answer() -> str:
        return f"{current_principal().tenant} {current_request_id()}"

    async with serving(answer) as served:
        call = await served.create_upload(("x-request-id", "r-1"), SAMPLED)
        assert (await call).id == "acme r-1"
        trailers = dict(await call.trailing_metadata())
        assert (trailers["x-request-id"], trailers["x-trace-id"]) == ("r-1", TRACE)
        made = dict(await (await served.create_upload(("x-request-id", "not an id!"))).trailing_metadata())
        assert len(made["x-request-id"]) == 32


async def test_principals_do_not_leak_between_calls(serving: Serving) -> None:
    """Calls that run at the same time each see their own principal, before and after they wait."""

    async def answer() -> str:
        before = current_principal().tenant
        await asyncio.sleep(0)
        assert current_principal().tenant == before
        return before

    async with serving(answer) as served:
        tenants = [f"tenant-{number}" for number in range(50)]
        calls = await asyncio.gather(
            *(served.create_upload(credential=f"{tenant}:designs:write") for tenant in tenants)
        )
        assert tenants == [(await call).id for call in calls]


@pytest.mark.parametrize("metadata", [(), (("x-api-key", "acme:designs:write"),)])
async def test_api_key_header(serving: Serving, metadata: tuple[tuple[str, str], ...]) -> None:
    """x-api-key is as good as a bearer token; nothing at all is refused with how to do better."""
    async with serving() as served:
        call = await served.create_upload(*metadata, credential="")
        if metadata:
            assert await call.code() is grpc.StatusCode.OK
        else:
            assert await call.code() is grpc.StatusCode.UNAUTHENTICATED
            assert (await _error_info(call)).reason == Reason.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("credential", "code", "reason"),
    [
        ("nobody", grpc.StatusCode.UNAUTHENTICATED, Reason.UNAUTHENTICATED),
        ("acme:designs:read", grpc.StatusCode.PERMISSION_DENIED, Reason.SCOPE_MISSING),
        ("acme:admin", grpc.StatusCode.PERMISSION_DENIED, Reason.SCOPE_MISSING),
    ],
)
async def test_who_may_not_call_is_refused(
    serving: Serving, credential: str, code: grpc.StatusCode, reason: Reason
) -> None:
    """A bad key and a missing scope are refused before the handler runs, on calls and on streams."""
    ran: list[str] = []

    async def answer() -> str:
        ran.append("ran")
        return ""

    async with serving(answer) as served:
        call = await served.create_upload(credential=credential)
        assert (await call.code(), (await _error_info(call)).reason) == (code, reason)
        assert ran == []
        watch = served.watch(credential=credential.replace("read", "write"))
        assert (await watch.code(), (await _error_info(watch)).reason) == (code, reason)
        assert not served.status.opened.is_set()


async def test_domain_errors_reach_the_client_whole(serving: Serving) -> None:
    """Code, message, reason, facts and ids of a domain error arrive; the ids are those of the call."""

    async def answer() -> str:
        raise NotFoundError(Reason.DESIGN_NOT_FOUND, "There is no design 'x'.", metadata={"design": "x"})

    async with serving(answer) as served:
        call = await served.create_upload(("x-request-id", "r-1"), SAMPLED)
        info = await _error_info(call)
        assert (await call.code(), await call.details()) == (grpc.StatusCode.NOT_FOUND, "There is no design 'x'.")
        assert (info.reason, info.domain) == ("DESIGN_NOT_FOUND", "cutline")
        assert dict(info.metadata) == {"design": "x", "trace_id": TRACE, "request_id": "r-1"}


async def test_unforeseen_errors_are_logged_and_hidden(serving: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    """A bug is INTERNAL for the client, without its text, and a logged stack for us."""

    async def answer() -> str:
        msg = "password=hunter2"
        raise ValueError(msg)

    async with serving(answer) as served:
        call = await served.create_upload()
        assert await call.code() is grpc.StatusCode.INTERNAL
        assert "hunter2" not in repr((await call.details(), await call.trailing_metadata()))
    assert "rpc.failed" in (logged := capsys.readouterr().out)
    assert "hunter2" in logged


async def test_inherited_methods_are_unimplemented(serving: Serving) -> None:
    """A method of the contract that the servicer does not define says so, authenticated as any other."""
    async with serving() as served:
        stub: Any = ingest_service_pb2_grpc.IngestServiceStub(served.channel)
        call = stub.SubmitDesign(
            ingest_service_pb2.SubmitDesignRequest(), metadata=(("authorization", "Bearer acme:designs:write"),)
        )
        assert await call.code() is grpc.StatusCode.UNIMPLEMENTED
        assert (await _error_info(call)).reason == Reason.UNIMPLEMENTED
        anonymous = stub.SubmitDesign(ingest_service_pb2.SubmitDesignRequest())
        assert await anonymous.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_handler_that_would_block_is_refused_at_the_start(serving: Serving) -> None:
    """A synchronous method never gets to serve: it would hold up every other call."""

    def blocking(_request: object, _context: object) -> None:
        pass

    handler: Any = grpc.unary_unary_rpc_method_handler(blocking)
    async with serving() as served:
        with pytest.raises(TypeError, match="not asynchronous"):
            served.server._guard.guarded("a.B/C", Scope.ADMIN, handler)


async def test_bytes_that_are_no_request_are_refused_without_a_trace_of_the_parser(serving: Serving) -> None:
    """Garbage is the caller's mistake like any other, on calls and on streams, and only a known caller is read."""
    async with serving() as served:
        for method, scope in (("IngestService/CreateUpload", "write"), ("StatusService/WatchDesign", "read")):
            raw = served.channel.unary_unary if scope == "write" else served.channel.unary_stream
            call: Any = raw(f"/cutline.v1.{method}")(
                b"\x0a\x02\xff\xfe", metadata=(("authorization", f"Bearer acme:designs:{scope}"),)
            )
            assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert (await _error_info(call)).reason == Reason.INVALID_ARGUMENT
            assert "Error" not in await call.details()
            anonymous: Any = raw(f"/cutline.v1.{method}")(b"\xff")
            assert await anonymous.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_request_over_the_limit_is_refused(serving: Serving) -> None:
    """A message larger than the setting never reaches a handler."""
    async with serving(max_message_bytes=65_536) as served:
        stub: Any = ingest_service_pb2_grpc.IngestServiceStub(served.channel)
        call = stub.CreateUpload(
            ingest_service_pb2.CreateUploadRequest(filename="x" * 70_000),
            metadata=(("authorization", "Bearer acme:designs:write"),),
        )
        assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_cancelled_call_cancels_its_handler(serving: Serving) -> None:
    """When the client goes away the handler sees CancelledError, and the call counts as CANCELLED."""
    began, ended = asyncio.Event(), asyncio.Event()

    async def answer() -> str:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return ""

    async with serving(answer) as served:
        stub: Any = ingest_service_pb2_grpc.IngestServiceStub(served.channel)
        call = stub.CreateUpload(
            ingest_service_pb2.CreateUploadRequest(), metadata=(("authorization", "Bearer acme:designs:write"),)
        )
        asyncio.get_running_loop().create_task(_settled(call))
        await began.wait()
        call.cancel()
        await ended.wait()
        await asyncio.sleep(0)
        assert 'rpc_response_status_code="CANCELLED"' in served.telemetry.exposition().decode()


async def _settled(call: Any) -> None:
    await call.code()


@pytest.mark.parametrize(
    ("error", "code", "marked"),
    [
        (None, "OK", StatusCode.UNSET),
        (InvalidInputError(Reason.INVALID_ARGUMENT, "No."), "INVALID_ARGUMENT", StatusCode.UNSET),
        (UnavailableError(Reason.STORE_UNAVAILABLE, "Away."), "UNAVAILABLE", StatusCode.ERROR),
        (ValueError("bug"), "INTERNAL", StatusCode.ERROR),
    ],
)
async def test_spans_and_metrics_tell_the_outcome(
    serving: Serving, error: Exception | None, code: str, marked: StatusCode
) -> None:
    """One server span under the caller's and one measurement carry method and code; only our faults mark the span."""

    async def answer() -> str:
        if error is not None:
            raise error
        return ""

    async with serving(answer) as served:
        await served.create_upload(SAMPLED)
        # The status of a refusal is on its way before the guard has ended the span.
        assert await eventually(lambda: bool(served.spans.get_finished_spans()))
        (span,) = served.spans.get_finished_spans()
        assert span.kind is SpanKind.SERVER
        assert span.name == span.attributes["rpc.method"] == "cutline.v1.IngestService/CreateUpload"
        assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, "b7ad6b7169203331")
        assert (span.attributes["rpc.response.status_code"], span.status.status_code) == (code, marked)
        assert span.attributes["cutline.tenant"] == "acme"
        (count,) = [
            line
            for line in served.telemetry.exposition().decode().splitlines()
            if line.startswith("rpc_server_call_duration_seconds_count")
        ]
        assert f'rpc_response_status_code="{code}"' in count
        assert count.endswith(" 1.0")


async def test_a_caller_that_does_not_record_is_followed(serving: Serving) -> None:
    """Where the caller decided not to sample nothing is recorded here, but its trace id goes on."""
    async with serving() as served:
        call = await served.create_upload(("traceparent", SAMPLED[1].removesuffix("01") + "00"))
        assert dict(await call.trailing_metadata())["x-trace-id"] == TRACE
        assert served.spans.get_finished_spans() == ()
