"""The typed error behind a failed call, with all that its details say."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, Final, Protocol, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from opentelemetry import trace

from cutline.client.errors import (
    ApiError,
    ConflictError,
    DeadlineExceededError,
    FieldViolation,
    InvalidArgumentError,
    NotFoundError,
    OutOfRangeError,
    PermissionDeniedError,
    PreconditionError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
)

_STATUS_DETAILS: Final = "grpc-status-details-bin"

_KINDS: Final[dict[grpc.StatusCode, type[ApiError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.ALREADY_EXISTS: ConflictError,
    grpc.StatusCode.FAILED_PRECONDITION: PreconditionError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhaustedError,
    grpc.StatusCode.OUT_OF_RANGE: OutOfRangeError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
}


class FailedCall(Protocol):
    """What both kinds of channel raise for a call that failed."""

    @abstractmethod
    def code(self) -> grpc.StatusCode:
        """How it ended."""

    @abstractmethod
    def details(self) -> str | None:
        """What it said."""

    @abstractmethod
    def trailing_metadata(self) -> Any:
        """What came with it."""


def api_error(failure: grpc.RpcError, target: str) -> ApiError:
    """The typed error behind a failed call.

    Args:
        failure: What the channel raised.
        target: Which service was called, for the message where none answered.
    """
    call = cast("FailedCall", failure)
    code, text = call.code(), call.details() or call.code().name
    found: dict[str, Any] = {"metadata": {}}
    for detail in _details(call):
        info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            found |= {"reason": info.reason, "metadata": dict(info.metadata)}
        elif detail.Unpack(bad):
            violations = [FieldViolation(at.field, at.description, at.reason) for at in bad.field_violations]
            found["violations"] = tuple(violations)
        elif detail.Unpack(retry):
            found["retry_after_s"] = retry.retry_delay.ToNanoseconds() / 1e9
    if code is grpc.StatusCode.UNAVAILABLE and "reason" not in found:
        text = f"The service at {target} cannot be reached: {text}"
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        found["metadata"].setdefault("trace_id", trace.format_trace_id(context.trace_id))
    error = _KINDS.get(code, ApiError)(code, text, **found)
    error.__cause__ = failure
    return error


def _details(call: FailedCall) -> Iterable[Any]:
    """The packed details of the status in the trailers; none where they are missing or cannot be read."""
    for key, value in call.trailing_metadata() or ():
        if key == _STATUS_DETAILS and isinstance(value, bytes):
            try:
                return list(status_pb2.Status.FromString(value).details)
            except DecodeError:
                return ()
    return ()
