"""What stands around every handler: trace, error mapping, authentication and limits, in this order.

grpc.aio runs an interceptor chain anew for each call. A guard instead wraps each method once, when it is registered,
and keeps all that does not change between calls (names, attributes, scope) in the closure.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import Any, Final

import grpc
import structlog
from google.protobuf.message import DecodeError
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanKind, Status, StatusCode, Tracer

from cutline.domain.errors import InvalidInputError, Reason, UnimplementedError
from cutline.domain.principal import Scope
from cutline.rpc.auth import Authenticator, credential_of
from cutline.rpc.call import Call, enter_call
from cutline.rpc.errors import refusal_of
from cutline.rpc.limits import StreamLimits
from cutline.rpc.patience import Patience
from cutline.rpc.policy import demand
from cutline.rpc.refusals import STATUS_DETAILS, Refusal
from cutline.runtime.logging import get_logger
from cutline.telemetry.names import Attribute
from cutline.telemetry.propagation import TRACEPARENT, remote_span
from cutline.telemetry.setup import Telemetry

log = get_logger(__name__)

REQUEST_ID: Final = "x-request-id"
TRACE_ID: Final = "x-trace-id"

_NO_CONTEXT: Final = otel_context.Context()
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
# Codes that mean the server failed; a caller's mistake leaves the span unmarked (semantic conventions for RPC).
_SERVER_FAULTS: Final = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)

Behavior = Callable[[Any, Any], Any]
Read = Callable[[bytes], Any]
Context = grpc.aio.ServicerContext[Any, Any]


class CallGuard:
    """Wraps the handlers of one server."""

    def __init__(
        self, *, authenticator: Authenticator, telemetry: Telemetry, streams: StreamLimits, patience: Patience
    ) -> None:
        self._authenticator = authenticator
        self._telemetry = telemetry
        self._streams = streams
        self._patience = patience

    def guarded(
        self, method: str, scope: Scope, handler: grpc.RpcMethodHandler[Any, Any]
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """Wraps one method.

        Args:
            method: Full name, `package.Service/Method`.
            scope: Scope a caller needs.
            handler: As generated code registers it.

        Raises:
            TypeError: The handler is not asynchronous, or takes a stream, which no method here does.
        """
        if handler.request_streaming:
            msg = f"{method} takes a stream of requests, which the guard does not cover"
            raise TypeError(msg)
        # Requests come as bytes and are read here: what gRPC itself cannot read it answers with the exception's text.
        read, codec = _reader(handler), {"response_serializer": handler.response_serializer}
        if handler.response_streaming:
            behavior = self._stream(_asynchronous(method, handler.unary_stream), scope, read)
            return grpc.unary_stream_rpc_method_handler(self._observed(method, behavior), **codec)
        behavior = self._unary(_asynchronous(method, handler.unary_unary), scope, read)
        return grpc.unary_unary_rpc_method_handler(self._observed(method, behavior), **codec)

    def _unary(self, behavior: Behavior, scope: Scope, read: Read) -> Behavior:
        async def answer(body: bytes, exchange: _Exchange) -> Any:
            await self._identify(exchange, scope)
            response = await behavior(read(body), exchange.context)
            self._patience.bound_answer()
            return response

        return answer

    def _stream(self, behavior: Behavior, scope: Scope, read: Read) -> Behavior:
        generates = inspect.isasyncgenfunction(behavior)

        async def answer(body: bytes, exchange: _Exchange) -> None:
            call = await self._identify(exchange, scope)
            request = read(body)
            with self._streams.admitted(call.principal):
                if not generates:
                    await behavior(request, exchange.context)
                    return
                async with aclosing(behavior(request, exchange.context)) as messages:
                    await self._patience.write_all(messages, exchange.context.write)

        return answer

    async def _identify(self, exchange: _Exchange, scope: Scope) -> Call:
        """Authenticates and authorizes the caller, and makes the call the current one."""
        metadata = exchange.metadata
        credential = credential_of(metadata.get("authorization", ""), metadata.get("x-api-key", ""))
        principal = await self._authenticator.authenticate(credential)
        demand(scope, principal)
        call = Call(method=exchange.method, request_id=exchange.request_id, principal=principal)
        enter_call(call)
        structlog.contextvars.bind_contextvars(request_id=exchange.request_id, tenant=principal.tenant)
        if exchange.span.is_recording():
            exchange.span.set_attribute(Attribute.TENANT, principal.tenant)
        return call

    def _observed(self, method: str, answer: Behavior) -> Behavior:
        """Adds the span, the duration and the translation of errors."""
        tracer, duration_s = self._telemetry.tracer, self._telemetry.metrics.rpc_duration_s
        named = {Attribute.RPC_SYSTEM.value: "grpc", Attribute.RPC_METHOD.value: method}
        measured = {code: named | {Attribute.RPC_STATUS_CODE.value: code.name} for code in grpc.StatusCode}

        async def observed(body: bytes, context: Context) -> Any:
            began = time.perf_counter()
            metadata = _metadata(context)
            span = _server_span(tracer, method, metadata.get(TRACEPARENT), named)
            otel_context.attach(trace.set_span_in_context(span, _NO_CONTEXT))
            exchange = _Exchange(method, context, metadata, span)
            context.set_trailing_metadata(exchange.trailers)
            code = grpc.StatusCode.OK
            try:
                return await answer(body, exchange)
            except asyncio.CancelledError:
                code = grpc.StatusCode.CANCELLED
                raise
            except grpc.aio.AbortError:
                code = _code_of(context)
                raise
            except Exception as error:  # noqa: BLE001  (whatever it is, a client gets no text of it)
                refusal = self._refusal(exchange, error)
                code = refusal.code
                trailers = (*exchange.trailers, (STATUS_DETAILS, refusal.details))
                await self._patience.say_goodbye(context.abort(code, refusal.message, trailers))
            finally:
                _finish(span, code)
                duration_s.record(time.perf_counter() - began, measured[code])

        return observed

    def _refusal(self, exchange: _Exchange, error: Exception) -> Refusal:
        """What to answer, noted on the span; what was not foreseen is logged with its stack."""
        refusal = refusal_of(error, trace_id=exchange.trace_id, request_id=exchange.request_id)
        if refusal.expected:
            log.debug("rpc.refused", method=exchange.method, code=refusal.code.name, reason=refusal.reason)
        else:
            log.error(
                "rpc.failed",
                method=exchange.method,
                request_id=exchange.request_id,
                code=refusal.code.name,
                exc_info=error,
            )
        exchange.span.set_attribute(Attribute.REASON, refusal.reason)
        exchange.span.set_attribute(Attribute.ERROR_TYPE, type(error).__name__)
        return refusal


class _Exchange:
    """One call as the guard sees it, before anybody is authenticated."""

    __slots__ = ("context", "metadata", "method", "request_id", "span", "trace_id", "trailers")

    def __init__(self, method: str, context: Context, metadata: dict[str, str], span: trace.Span) -> None:
        self.method = method
        self.context = context
        self.metadata = metadata
        self.span = span
        identity = span.get_span_context()
        self.trace_id = f"{identity.trace_id:032x}" if identity.is_valid else ""
        asked = metadata.get(REQUEST_ID, "")
        self.request_id = asked if _REQUEST_ID.fullmatch(asked) else secrets.token_hex(16)
        self.trailers: tuple[tuple[str, str | bytes], ...] = ((REQUEST_ID, self.request_id),)
        if self.trace_id:
            self.trailers += ((TRACE_ID, self.trace_id),)


def _server_span(tracer: Tracer, method: str, traceparent: str | None, attributes: dict[str, str]) -> trace.Span:
    """The span of a call; one that is not recorded only carries its identity on, and costs little."""
    context, remote = _NO_CONTEXT, remote_span(traceparent)
    if remote is not None:
        parent = NonRecordingSpan(remote)
        if not remote.trace_flags.sampled:
            return parent
        context = trace.set_span_in_context(parent, _NO_CONTEXT)
    span = tracer.start_span(method, context=context, kind=SpanKind.SERVER)
    if span.is_recording():
        span.set_attributes(attributes)
    return span


def _metadata(context: Context) -> dict[str, str]:
    """The call's text metadata; of repeated keys the last one."""
    pairs: Iterable[tuple[str, object]] = context.invocation_metadata() or ()
    return {key: value for key, value in pairs if isinstance(value, str)}


def _reader(handler: grpc.RpcMethodHandler[Any, Any]) -> Read:
    """Reads a method's request; bytes that are none are the caller's mistake."""
    deserialise = handler.request_deserializer

    def read(body: bytes) -> Any:
        try:
            return deserialise(body) if deserialise else body
        except DecodeError:
            raise InvalidInputError(
                Reason.INVALID_ARGUMENT, "The bytes of the request are no message of this method."
            ) from None

    return read


def _asynchronous(method: str, behavior: Behavior | None) -> Behavior:
    """The behavior itself, or one that answers UNIMPLEMENTED for a method the servicer only inherits."""
    if inspect.iscoroutinefunction(behavior) or inspect.isasyncgenfunction(behavior):
        return behavior
    if getattr(behavior, "__module__", "").endswith("_pb2_grpc"):
        return _unimplemented
    msg = f"the handler of {method} is not asynchronous: it would block every other call"
    raise TypeError(msg)


async def _unimplemented(_request: Any, _context: Context) -> None:
    raise UnimplementedError(Reason.UNIMPLEMENTED, "This release does not serve this method yet.")


def _code_of(context: Context) -> grpc.StatusCode:
    """The code a handler aborted with by itself."""
    found: object = context.code()  # the number or the member, as the handler gave it
    return next((code for code in grpc.StatusCode if found in {code, code.value[0]}), grpc.StatusCode.UNKNOWN)


def _finish(span: trace.Span, code: grpc.StatusCode) -> None:
    if span.is_recording():
        span.set_attribute(Attribute.RPC_STATUS_CODE, code.name)
        if code in _SERVER_FAULTS:
            span.set_status(Status(StatusCode.ERROR))
    span.end()
