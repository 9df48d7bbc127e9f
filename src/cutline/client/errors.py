"""What can go wrong, by what a caller can do about it.

ClientError
├── NotConfiguredError       no address or no key is known
├── ArtworkFileError         a local file cannot be read or is no picture we take
├── UploadError              the object store did not take the artwork
├── DownloadError            the object store did not give a file, or not the right bytes
├── DesignFailedError        the design ended FAILED or CANCELLED
├── DesignDeletedError       the design was deleted while it was watched
├── WaitTimeoutError         the design did not end in time
└── ApiError                 a service refused the call
    ├── InvalidArgumentError     fields are at fault; `violations` names them
    ├── UnauthenticatedError     no valid key
    ├── PermissionDeniedError    the key lacks a scope
    ├── NotFoundError            nothing of that id is the caller's
    ├── ConflictError            the request id was used for something else
    ├── PreconditionError        the state of things forbids it now
    ├── ResourceExhaustedError   a cap is reached; `retry_after_s` says when to come back
    ├── OutOfRangeError          a token can no longer be resumed from
    ├── DeadlineExceededError    the call took longer than it was given
    └── UnavailableError         the service cannot be reached or asks to come back
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from cutline.v1 import design_pb2

_STATUS_DETAILS: Final = "grpc-status-details-bin"


class ClientError(Exception):
    """Base of everything this package raises on purpose."""


class NotConfiguredError(ClientError):
    """No address or no key is known; `missing` holds the environment variables that would say."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set, and there is no running stack's"
            " .cutline/1/client.env in this folder"
        )
        self.missing = tuple(missing)


class ArtworkFileError(ClientError):
    """A local file cannot be read or is no picture we take."""


class UploadError(ClientError):
    """The object store did not take the artwork; `retryable` says whether it may another time."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class DownloadError(ClientError):
    """The object store did not give a file, or not the right bytes; `retryable` as for UploadError."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class DesignFailedError(ClientError):
    """The design ended FAILED or CANCELLED; `design` is how it ended."""

    def __init__(self, design: design_pb2.Design) -> None:
        state = design_pb2.Design.State.Name(design.state).removeprefix("STATE_")
        why = f": {design.failure.reason}: {design.failure.message}" if design.HasField("failure") else ""
        super().__init__(f"Design {design.id} is {state}{why}")
        self.design = design


class DesignDeletedError(ClientError):
    """The design was deleted while it was watched."""

    def __init__(self, design_id: str) -> None:
        super().__init__(f"Design {design_id} was deleted.")
        self.design_id = design_id


class WaitTimeoutError(ClientError, TimeoutError):
    """The design did not end in time; its work goes on."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field at fault."""

    field: str
    description: str
    reason: str


class ApiError(ClientError):
    """A service refused the call.

    Attributes:
        code: gRPC code.
        reason: Stable reason, such as DESIGN_NOT_FOUND; empty where none was sent.
        message: One plain sentence.
        metadata: Facts named in the message.
        violations: Fields at fault.
        retry_after_s: When to try again, where the service said so.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        *,
        reason: str = "",
        metadata: dict[str, str] | None = None,
        violations: tuple[FieldViolation, ...] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"{reason}: {message}" if reason else message)
        self.code = code
        self.message = message
        self.reason = reason
        self.metadata = metadata or {}
        self.violations = violations
        self.retry_after_s = retry_after_s

    @property
    def request_id(self) -> str:
        """The service's id of the call, for its logs."""
        return self.metadata.get("request_id", "")

    @property
    def trace_id(self) -> str:
        """The trace of the call."""
        return self.metadata.get("trace_id", "")


class InvalidArgumentError(ApiError):
    """Fields are at fault; `violations` names them."""


class UnauthenticatedError(ApiError):
    """No valid key."""


class PermissionDeniedError(ApiError):
    """The key lacks a scope."""


class NotFoundError(ApiError):
    """Nothing of that id is the caller's."""


class ConflictError(ApiError):
    """The request id was used for something else."""


class PreconditionError(ApiError):
    """The state of things forbids it now."""


class ResourceExhaustedError(ApiError):
    """A cap is reached; `retry_after_s` says when to come back."""


class OutOfRangeError(ApiError):
    """A token can no longer be resumed from."""


class DeadlineExceededError(ApiError):
    """The call took longer than it was given."""


class UnavailableError(ApiError):
    """The service cannot be reached or asks to come back."""


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


def api_error(error: grpc.aio.AioRpcError) -> ApiError:
    """The typed error behind a failed call, with what its details say."""
    kind = _KINDS.get(error.code(), ApiError)
    text = error.details() or error.code().name
    details: dict[str, Any] = {}
    for detail in _details(error):
        info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            details |= {"reason": info.reason, "metadata": dict(info.metadata)}
        elif detail.Unpack(bad):
            found = [FieldViolation(at.field, at.description, at.reason) for at in bad.field_violations]
            details["violations"] = tuple(found)
        elif detail.Unpack(retry):
            details["retry_after_s"] = retry.retry_delay.ToNanoseconds() / 1e9
    return kind(error.code(), text, **details)


def _details(error: grpc.aio.AioRpcError) -> Sequence[Any]:
    """The packed details of the status in the trailers; none where they are missing or cannot be read."""
    for key, value in error.trailing_metadata():
        if key == _STATUS_DETAILS and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value).details
            except DecodeError:
                return ()
    return ()
