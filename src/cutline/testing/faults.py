"""Faults that a test has planned: which call is to be refused next, how, and how often."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import grpc

from cutline.domain.errors import (
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

TRANSFERS: Final = frozenset({"PUT", "GET"})
STREAMS: Final = frozenset({"WatchDesign", "WatchDesigns"})
METHODS: Final = frozenset(
    {
        "CreateUpload",
        "SubmitDesign",
        "ReprocessDesign",
        "CancelDesign",
        "DeleteDesign",
        "GetDesign",
        "ListDesigns",
        *STREAMS,
    }
)

_NO_STATUS: Final = 600

# What each code is raised as, and the reason it has where the test names none.
_ERRORS: Final[dict[grpc.StatusCode, tuple[type[CutlineError], Reason]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: (InvalidInputError, Reason.INVALID_ARGUMENT),
    grpc.StatusCode.NOT_FOUND: (NotFoundError, Reason.DESIGN_NOT_FOUND),
    grpc.StatusCode.FAILED_PRECONDITION: (PreconditionError, Reason.DESIGN_TERMINAL),
    grpc.StatusCode.ALREADY_EXISTS: (ConflictError, Reason.REQUEST_ID_REUSED),
    grpc.StatusCode.OUT_OF_RANGE: (OutOfRangeError, Reason.RESUME_TOKEN_INVALID),
    grpc.StatusCode.UNAUTHENTICATED: (UnauthenticatedError, Reason.UNAUTHENTICATED),
    grpc.StatusCode.PERMISSION_DENIED: (PermissionDeniedError, Reason.SCOPE_MISSING),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (ResourceExhaustedError, Reason.TENANT_BACKLOG_FULL),
    grpc.StatusCode.UNAVAILABLE: (UnavailableError, Reason.STORE_UNAVAILABLE),
    grpc.StatusCode.DEADLINE_EXCEEDED: (UnavailableError, Reason.DEADLINE_EXCEEDED),
    grpc.StatusCode.UNIMPLEMENTED: (UnimplementedError, Reason.UNIMPLEMENTED),
    grpc.StatusCode.INTERNAL: (CutlineError, Reason.INTERNAL),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One refusal: an error of a call, or the HTTP status of a transfer.

    Attributes:
        after: Whether the call is done all the same and only its answer is lost.
    """

    error: CutlineError | None = None
    http_status: int = 0
    after: bool = False


class Faults:
    """Faults by method, first to last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: dict[str, list[Fault]] = {}

    def plan(self, method: str, fault: Fault, *, times: int) -> None:
        """Has the next calls of a method refused.

        Raises:
            ValueError: There is no such method, its answer cannot be lost, or the number is not 1 or more.
        """
        if method not in METHODS | TRANSFERS:
            text = f"method: {method!r} is not one of {', '.join(sorted(METHODS | TRANSFERS))}"
            raise ValueError(text)
        if fault.after and method in STREAMS:
            text = f"after: {method} has no answer that could be lost; drop_streams ends what is open"
            raise ValueError(text)
        if times < 1:
            text = f"times: {times} is not 1 or more"
            raise ValueError(text)
        with self._lock:
            self._planned.setdefault(method, []).extend([fault] * times)

    def take(self, method: str) -> Fault | None:
        """The fault planned for this call, if there is one."""
        with self._lock:
            planned = self._planned.get(method)
            return planned.pop(0) if planned else None


def call_fault(
    code: grpc.StatusCode | int, reason: str, message: str, *, retry_after_s: float | None, after: bool
) -> Fault:
    """A refusal as the services would answer it.

    Args:
        code: What to answer.
        reason: Stable reason; empty takes the usual one of the code.
        message: One plain sentence; empty takes one that says that this is a test.
        retry_after_s: When to try again, for the codes that tell it.
        after: Whether the call is done all the same.

    Raises:
        ValueError: The services never answer so, or the reason is none of theirs.
    """
    known = _ERRORS.get(code) if isinstance(code, grpc.StatusCode) else None
    if known is None:
        text = f"code: {code} is not one of {', '.join(each.name for each in _ERRORS)}"
        raise ValueError(text)
    kind, usual = known
    try:
        named = Reason(reason) if reason else usual
    except ValueError:
        text = f"reason: {reason!r} is not one that the API gives"
        raise ValueError(text) from None
    error = kind(named, message or "The fake server was told to refuse this call.", retry_after_s=retry_after_s)
    return Fault(error=error, after=after)


def transfer_fault(code: grpc.StatusCode | int) -> Fault:
    """A refusal of a transfer, by its HTTP status; UNAVAILABLE means 503.

    Raises:
        ValueError: It is no status that refuses.
    """
    status = HTTPStatus.SERVICE_UNAVAILABLE if code is grpc.StatusCode.UNAVAILABLE else code
    if not isinstance(status, int) or not HTTPStatus.BAD_REQUEST <= status < _NO_STATUS:
        text = f"code: {code} is no HTTP status from 400 to 599, which is what a transfer is refused with"
        raise ValueError(text)
    return Fault(http_status=status)
