"""What stands around every method of the fake: the record, planned faults, who calls, and errors on the wire."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import grpc
from google.protobuf.message import DecodeError, Message

from cutline.domain.errors import CutlineError, InvalidInputError, Reason, UnauthenticatedError, UnimplementedError
from cutline.domain.principal import Principal, Scope
from cutline.rpc.auth import credential_of
from cutline.rpc.policy import SERVICE_SCOPES, demand
from cutline.rpc.refusals import STATUS_DETAILS, refusal
from cutline.telemetry.propagation import TRACEPARENT, remote_span
from cutline.testing.faults import Faults

log = logging.getLogger(__name__)

REQUEST_ID: Final = "x-request-id"
TRACE_ID: Final = "x-trace-id"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")

Answer = Callable[[Principal, Any], Any]
"""Answers one method: a message or, for a stream, what `Stream` says."""


@dataclass(frozen=True, slots=True)
class ReceivedCall:
    """A call that reached the fake, whatever it was answered with.

    Attributes:
        method: Name of the method, such as SubmitDesign.
        request: The message that came.
        metadata: Its text metadata, `authorization` among it.
    """

    method: str
    request: Any
    metadata: Mapping[str, str] = field(repr=False)


class Keys:
    """Credentials by their text, and whose they are."""

    def __init__(self) -> None:
        self._principals: dict[str, Principal] = {}

    def make(self, tenant: str, scopes: frozenset[Scope]) -> str:
        """A new key."""
        key_id = secrets.token_hex(6)
        key = f"ck_{key_id}_{secrets.token_urlsafe(32)}"
        self._principals[key] = Principal(tenant, key_id, scopes)
        return key

    def principal(self, metadata: Mapping[str, str]) -> Principal:
        """Who calls.

        Raises:
            UnauthenticatedError: There is no credential, or nobody's.
        """
        credential = credential_of(metadata.get("authorization", ""), metadata.get("x-api-key", ""))
        if credential not in self._principals:
            raise UnauthenticatedError(Reason.UNAUTHENTICATED, "The API key is not valid.")
        return self._principals[credential]


class Guard:
    """Wraps the methods of one server.

    Args:
        keys: Who may call.
        faults: What is to be refused.

    Attributes:
        calls: Every call that came, first to last.
    """

    def __init__(self, keys: Keys, faults: Faults) -> None:
        self.calls: list[ReceivedCall] = []
        self._keys = keys
        self._faults = faults

    def handlers(
        self, service: str, methods: Mapping[str, tuple[type[Message], Answer]], streams: Mapping[str, Any]
    ) -> grpc.GenericRpcHandler:
        """The handlers of one service.

        Args:
            service: Full name.
            methods: Type of the request and what answers it, by method.
            streams: The same of methods that answer with a stream.
        """
        scope = SERVICE_SCOPES[service]
        found: dict[str, Any] = {
            name: grpc.unary_unary_rpc_method_handler(
                self._unary(name, scope, request, answer), response_serializer=_serialised
            )
            for name, (request, answer) in methods.items()
        }
        found |= {
            name: grpc.unary_stream_rpc_method_handler(
                self._stream(name, scope, request, answer), response_serializer=_serialised
            )
            for name, (request, answer) in streams.items()
        }
        return grpc.method_handlers_generic_handler(service, found)

    def _unary(self, name: str, scope: Scope, kind: type[Message], answer: Answer) -> Callable[..., Any]:
        def unary(body: bytes, context: grpc.ServicerContext) -> Any:
            with _answering(context) as metadata:
                request = self._record(name, kind, body, metadata)
                fault = self._faults.take(name)
                if fault is not None and fault.error is not None and not fault.after:
                    raise fault.error
                answered = answer(self._admit(scope, metadata), request())
                if fault is not None and fault.error is not None:
                    raise fault.error
                return answered

        return unary

    def _stream(
        self, name: str, scope: Scope, kind: type[Message], answer: Callable[..., Iterator[Message]]
    ) -> Callable[..., Iterator[Message]]:
        def stream(body: bytes, context: grpc.ServicerContext) -> Iterator[Message]:
            with _answering(context) as metadata:
                request = self._record(name, kind, body, metadata)
                fault = self._faults.take(name)
                if fault is not None and fault.error is not None:
                    raise fault.error
                principal = self._admit(scope, metadata)
                yield from answer(principal, request(), context)

        return stream

    def _record(
        self, name: str, kind: type[Message], body: bytes, metadata: Mapping[str, str]
    ) -> Callable[[], Message]:
        """Notes a call; reads its request only when asked, for a caller is identified first."""
        try:
            message = kind.FromString(body)
        except DecodeError:
            message = None
        self.calls.append(ReceivedCall(name, message, metadata))

        def read() -> Message:
            if message is None:
                raise InvalidInputError(
                    Reason.INVALID_ARGUMENT, "The bytes of the request are no message of this method."
                )
            return message

        return read

    def _admit(self, scope: Scope, metadata: Mapping[str, str]) -> Principal:
        principal = self._keys.principal(metadata)
        demand(scope, principal)
        return principal


def unimplemented(_principal: Principal, _request: object, _context: object = None) -> NoReturn:
    """Answers a method that the fake does not serve."""
    raise UnimplementedError(Reason.UNIMPLEMENTED, "The fake server does not serve this method.")


@contextmanager
def _answering(context: grpc.ServicerContext) -> Iterator[Mapping[str, str]]:
    """Gives a call's metadata, and refuses the call with whatever is raised inside."""
    metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
    asked, span = metadata.get(REQUEST_ID, ""), remote_span(metadata.get(TRACEPARENT))
    request_id = asked if _REQUEST_ID.fullmatch(asked) else secrets.token_hex(16)
    trace_id = f"{span.trace_id:032x}" if span else ""
    trailers: tuple[tuple[str, str | bytes], ...] = ((REQUEST_ID, request_id),)
    trailers += ((TRACE_ID, trace_id),) if trace_id else ()
    context.set_trailing_metadata(trailers)
    try:
        yield metadata
    except Exception as error:  # whatever it is, a client gets no text of it
        known = error if isinstance(error, CutlineError) else None
        if known is None:
            log.exception("the fake server failed")
        told = refusal(known, trace_id=trace_id, request_id=request_id)
        context.set_trailing_metadata((*trailers, (STATUS_DETAILS, told.details)))
        context.abort(told.code, told.message)


def _serialised(message: Message) -> bytes:
    return message.SerializeToString()
