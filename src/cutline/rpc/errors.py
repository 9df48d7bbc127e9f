"""From whatever a handler raised to what a client is told: the text of an unforeseen exception never gets out."""

from __future__ import annotations

from typing import Final

import asyncpg

from cutline.domain.errors import CutlineError, Reason, UnavailableError, UnimplementedError
from cutline.rpc.refusals import Refusal, refusal

_STORE_ERRORS: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
)


def refusal_of(error: Exception, *, trace_id: str = "", request_id: str = "") -> Refusal:
    """Translates what a handler raised; text of an exception that is not a CutlineError never gets out.

    Args:
        error: What was raised.
        trace_id: Trace of the call, 32 hexadecimal digits, for ErrorInfo's metadata.
        request_id: Id of the call, for ErrorInfo's metadata.
    """
    known = _known(error)
    return refusal(known, expected=known is error, trace_id=trace_id, request_id=request_id)


def _known(error: Exception) -> CutlineError | None:
    """The error for clients behind any exception; None when there is none."""
    if isinstance(error, CutlineError):
        return error
    if isinstance(error, NotImplementedError):
        return UnimplementedError(Reason.UNIMPLEMENTED, "This release does not serve this method yet.")
    if isinstance(error, _STORE_ERRORS):
        return UnavailableError(Reason.STORE_UNAVAILABLE, "The store cannot be reached; try again.")
    if isinstance(error, TimeoutError):
        return UnavailableError(Reason.DEADLINE_EXCEEDED, "The call took too long; try again.")
    if isinstance(error, ConnectionError):
        return UnavailableError(Reason.STORE_UNAVAILABLE, "Something needed cannot be reached; try again.")
    return None
