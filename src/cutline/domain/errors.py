"""Errors that know their audience.

CutlineError
├── InvalidInputError        the caller sent something that can never work
├── NotFoundError            nothing of that name is the caller's
├── PreconditionError        the state of things forbids it now
├── ConflictError            the same id was used for something else
├── OutOfRangeError          a place in a history that this service cannot go back to
├── UnauthenticatedError     no valid credential
├── PermissionDeniedError    a valid credential without the scope
├── ResourceExhaustedError   a cap is reached; try again later
├── UnavailableError         something needed is not there; try again later
├── UnimplementedError       the contract has it, this release does not
└── ArtworkError             the artwork cannot become a sticker; ends the job for good

`reason` is stable and machine-readable, the message is one plain sentence that may be shown to anyone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Every reason the API can give; docs/api.md describes each."""

    # requests
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    PAGE_TOKEN_INVALID = "PAGE_TOKEN_INVALID"  # noqa: S105  (a reason, not a password)
    RESUME_TOKEN_INVALID = "RESUME_TOKEN_INVALID"  # noqa: S105
    UNIMPLEMENTED = "UNIMPLEMENTED"
    # identity
    UNAUTHENTICATED = "UNAUTHENTICATED"
    SCOPE_MISSING = "SCOPE_MISSING"
    # things
    DESIGN_NOT_FOUND = "DESIGN_NOT_FOUND"
    UPLOAD_NOT_FOUND = "UPLOAD_NOT_FOUND"
    JOB_NOT_FOUND = "JOB_NOT_FOUND"
    DEAD_LETTER_NOT_FOUND = "DEAD_LETTER_NOT_FOUND"
    DESIGN_TERMINAL = "DESIGN_TERMINAL"
    DESIGN_RUNNING = "DESIGN_RUNNING"
    ALREADY_RUNNING = "ALREADY_RUNNING"
    SUPERSEDED = "SUPERSEDED"
    # capacity
    TENANT_BACKLOG_FULL = "TENANT_BACKLOG_FULL"
    BACKLOG_FULL = "BACKLOG_FULL"
    STREAM_LIMIT = "STREAM_LIMIT"
    SLOW_READER = "SLOW_READER"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    BLOBS_UNAVAILABLE = "BLOBS_UNAVAILABLE"
    BUS_UNAVAILABLE = "BUS_UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    # artwork
    ARTWORK_MISSING = "ARTWORK_MISSING"
    ARTWORK_EMPTY = "ARTWORK_EMPTY"
    ARTWORK_TOO_LARGE = "ARTWORK_TOO_LARGE"
    ARTWORK_UNREADABLE = "ARTWORK_UNREADABLE"
    ARTWORK_TYPE_UNSUPPORTED = "ARTWORK_TYPE_UNSUPPORTED"
    ARTWORK_MISMATCH = "ARTWORK_MISMATCH"
    NO_SUBJECT = "NO_SUBJECT"
    MODEL_UNAVAILABLE = "MODEL_UNAVAILABLE"
    SIZE_IMPOSSIBLE = "SIZE_IMPOSSIBLE"
    CUT_LINE_IMPOSSIBLE = "CUT_LINE_IMPOSSIBLE"
    SCENE_UNKNOWN = "SCENE_UNKNOWN"
    # work
    ATTEMPTS_EXHAUSTED = "ATTEMPTS_EXHAUSTED"
    WORKER_CRASHED = "WORKER_CRASHED"
    DEADLINE_HARD = "DEADLINE_HARD"
    MEMORY_LIMIT = "MEMORY_LIMIT"
    MESSAGE_UNREADABLE = "MESSAGE_UNREADABLE"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field at fault: its path in the request, what is wrong in one sentence, and a reason."""

    field: str
    description: str
    reason: str = "INVALID"


class CutlineError(Exception):
    """Base of every error that is meant for a client.

    Attributes:
        reason: Stable reason.
        message: One plain sentence, safe to show.
        retryable: Whether the same call can succeed later without a change.
        metadata: Facts named in the message, for machines.
        violations: Fields at fault.
        retry_after_s: When to try again, where that is known.
    """

    retryable = False

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        metadata: dict[str, str] | None = None,
        violations: tuple[FieldViolation, ...] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = metadata or {}
        self.violations = violations
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[object, ...]:
        """Cross a process boundary whole: exceptions pickle by their args otherwise."""
        return (
            _rebuild,
            (
                type(self),
                self.reason,
                self.message,
                self.metadata,
                self.violations,
                self.retry_after_s,
            ),
        )


def _rebuild(  # noqa: PLR0917  (pickle calls it with positions)
    kind: type[CutlineError],
    reason: Reason,
    message: str,
    metadata: dict[str, str],
    violations: tuple[FieldViolation, ...],
    retry_after_s: float | None,
) -> CutlineError:
    return kind(reason, message, metadata=metadata, violations=violations, retry_after_s=retry_after_s)


class InvalidInputError(CutlineError):
    """The caller sent something that can never work."""

    @classmethod
    def of_fields(cls, *violations: FieldViolation) -> InvalidInputError:
        """Builds the error from the fields at fault; the message names the first."""
        first = violations[0]
        return cls(
            Reason.INVALID_ARGUMENT,
            f"{first.field}: {first.description}",
            violations=violations,
        )


class NotFoundError(CutlineError):
    """Nothing of that name is the caller's."""


class PreconditionError(CutlineError):
    """The state of things forbids it now."""


class ConflictError(CutlineError):
    """The same id was used for something else."""


class OutOfRangeError(CutlineError):
    """A place in a history that this service cannot go back to."""


class UnauthenticatedError(CutlineError):
    """No valid credential."""


class PermissionDeniedError(CutlineError):
    """A valid credential without the scope."""


class ResourceExhaustedError(CutlineError):
    """A cap is reached; try again later."""

    retryable = True


class UnavailableError(CutlineError):
    """Something needed is not there; try again later."""

    retryable = True


class UnimplementedError(CutlineError):
    """The contract has it, this release does not."""


class ArtworkError(CutlineError):
    """The artwork cannot become a sticker; no second try will change that."""
