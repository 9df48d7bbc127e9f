"""Errors on the wire: `google.rpc.Status` with ErrorInfo, and BadRequest and RetryInfo where they apply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status

from cutline.domain.errors import (
    ArtworkError,
    ConflictError,
    CutlineError,
    InvalidInputError,
    NotFoundError,
    OutOfRangeError,
    PermissionDeniedError,
    PreconditionError,
    Reason,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
)

DOMAIN: Final = "cutline"
STATUS_DETAILS: Final = "grpc-status-details-bin"
DEFAULT_RETRY_AFTER_S: Final = 1.0
# Trailers beyond 8 KiB are refused by clients, and then the caller would learn nothing at all.
MAX_VIOLATIONS: Final = 16
MAX_TEXT_CHARACTERS: Final = 200

_CODES: Final[dict[type[CutlineError], grpc.StatusCode]] = {
    InvalidInputError: grpc.StatusCode.INVALID_ARGUMENT,
    ArtworkError: grpc.StatusCode.INVALID_ARGUMENT,
    NotFoundError: grpc.StatusCode.NOT_FOUND,
    PreconditionError: grpc.StatusCode.FAILED_PRECONDITION,
    ConflictError: grpc.StatusCode.ALREADY_EXISTS,
    OutOfRangeError: grpc.StatusCode.OUT_OF_RANGE,
    UnauthenticatedError: grpc.StatusCode.UNAUTHENTICATED,
    PermissionDeniedError: grpc.StatusCode.PERMISSION_DENIED,
    ResourceExhaustedError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    UnavailableError: grpc.StatusCode.UNAVAILABLE,
    UnimplementedError: grpc.StatusCode.UNIMPLEMENTED,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error as it goes on the wire.

    Attributes:
        code: gRPC code.
        message: One plain sentence.
        reason: Stable reason.
        details: Serialized `google.rpc.Status` for the trailer STATUS_DETAILS.
        expected: Whether it is part of the contract; an unexpected one is a bug or an outage to be logged.
    """

    code: grpc.StatusCode
    message: str
    reason: str
    details: bytes
    expected: bool


def refusal(error: CutlineError | None, *, expected: bool = True, trace_id: str = "", request_id: str = "") -> Refusal:
    """An error as it goes on the wire.

    Args:
        error: What a client may be told; None where it is our fault, and nothing is told of it.
        expected: Whether it is part of the contract.
        trace_id: Trace of the call, 32 hexadecimal digits, for ErrorInfo's metadata.
        request_id: Id of the call, for ErrorInfo's metadata.
    """
    if error is None:
        code, reason, message = grpc.StatusCode.INTERNAL, Reason.INTERNAL, "Something went wrong on our side."
    else:
        code, reason, message = _code(error), error.reason, error.message[:MAX_TEXT_CHARACTERS]
    ids = {"trace_id": trace_id, "request_id": request_id}
    metadata = {name: value for name, value in ids.items() if value}
    if error is not None:
        metadata |= {name: value[:MAX_TEXT_CHARACTERS] for name, value in error.metadata.items()}
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata)]
    if error is not None:
        details += _more(error)
    status = Status(code=code.value[0], message=message, details=[_packed(detail) for detail in details])
    return Refusal(code, message, reason, status.SerializeToString(), expected=expected and error is not None)


def draining() -> UnavailableError:
    """What a stream raises to end itself when its server drains; the client resumes at another replica."""
    return UnavailableError(
        Reason.SHUTTING_DOWN, "The server is shutting down; call again to resume.", retry_after_s=0.1
    )


def _code(error: CutlineError) -> grpc.StatusCode:
    if error.reason is Reason.DEADLINE_EXCEEDED:
        return grpc.StatusCode.DEADLINE_EXCEEDED
    for kind in type(error).__mro__:
        if (code := _CODES.get(kind)) is not None:
            return code
    return grpc.StatusCode.INTERNAL


def _more(error: CutlineError) -> list[Message]:
    found: list[Message] = []
    if error.violations:
        found.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(
                        field=violation.field[:MAX_TEXT_CHARACTERS],
                        description=violation.description[:MAX_TEXT_CHARACTERS],
                        reason=violation.reason,
                    )
                    for violation in error.violations[:MAX_VIOLATIONS]
                ]
            )
        )
    if error.retryable:
        after_s = DEFAULT_RETRY_AFTER_S if error.retry_after_s is None else error.retry_after_s
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(after_s * 1e9))
        found.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return found


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
