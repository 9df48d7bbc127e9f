"""What can go wrong, by what a caller can do about it.

ClientError
├── NotConfiguredError       no address or no credential is known
├── BadSettingError          a setting cannot be used
├── ClientClosedError        the client was closed while it was in use, or is used after that
├── ArtworkFileError         a local file cannot be read or is no picture we take
├── UploadError              the object store did not take the artwork
├── DownloadError            the object store did not give a file, or not the right bytes
├── DesignFailedError        the design ended FAILED or CANCELLED
├── DesignDeletedError       the design was deleted while it was watched
├── WaitTimeoutError         the design did not end in time
└── ApiError                 a service refused the call
    ├── InvalidArgumentError     fields are at fault; `violations` names them
    ├── UnauthenticatedError     no valid credential
    ├── PermissionDeniedError    the credential lacks a scope
    ├── NotFoundError            nothing of that id is the caller's
    ├── ConflictError            the request id was used for something else
    ├── PreconditionError        the state of things forbids it now
    ├── ResourceExhaustedError   a cap is reached; `retry_after_s` says when to come back
    ├── OutOfRangeError          a token can no longer be resumed from
    ├── DeadlineExceededError    the call took longer than it was given
    └── UnavailableError         the service cannot be reached or asks to come back

Each is one readable line as text, and can be pickled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc

from cutline.client.states import state_name
from cutline.v1 import design_pb2

# Codes of faults that somebody has to look up in the logs of a service.
_FAULTS: Final = frozenset(
    {
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.DATA_LOSS,
    }
)


class ClientError(Exception):
    """Base of everything this package raises on purpose."""

    def __reduce__(self) -> tuple[Callable[..., ClientError], tuple[Any, ...]]:
        """Cross a process boundary whole: exceptions pickle by their args otherwise."""
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[ClientError], arguments: tuple[Any, ...], attributes: dict[str, Any]) -> ClientError:
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(attributes)
    return error


class NotConfiguredError(ClientError):
    """No address or no credential is known; `missing` holds the environment variables that would say."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set, and there is no running stack's"
            " .cutline/1/client.env in this folder"
        )
        self.missing = tuple(missing)


class BadSettingError(ClientError):
    """A setting cannot be used; the message names it."""


class ClientClosedError(ClientError):
    """The client was closed while it was in use, or is used after that."""

    def __init__(self) -> None:
        super().__init__("The client is closed.")


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
        why = f": {design.failure.reason}: {design.failure.message}" if design.HasField("failure") else ""
        super().__init__(f"Design {design.id} is {state_name(design.state)}{why}")
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
        self.code = code
        self.message = message
        self.reason = reason
        self.metadata = metadata or {}
        self.violations = violations
        self.retry_after_s = retry_after_s
        super().__init__(self._line())

    @property
    def request_id(self) -> str:
        """The service's id of the call, for its logs."""
        return self.metadata.get("request_id", "")

    @property
    def trace_id(self) -> str:
        """The trace of the call."""
        return self.metadata.get("trace_id", "")

    def _line(self) -> str:
        """All that helps in one line: every field at fault, when to come back, and where to look up a fault."""
        text = self.message
        fields = "; ".join(f"{at.field}: {at.description}" for at in self.violations)
        if fields:
            text = fields if fields.startswith(text) else f"{text} ({fields})"
        if self.code is grpc.StatusCode.RESOURCE_EXHAUSTED and self.retry_after_s:
            text = f"{text} (in {self.retry_after_s:g} s)"
        if self.trace_id and self.code in _FAULTS:
            text = f"{text} [trace {self.trace_id}]"
        return " ".join((f"{self.reason}: {text}" if self.reason else text).split())


class InvalidArgumentError(ApiError):
    """Fields are at fault; `violations` names them."""


class UnauthenticatedError(ApiError):
    """No valid credential."""


class PermissionDeniedError(ApiError):
    """The credential lacks a scope."""


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
