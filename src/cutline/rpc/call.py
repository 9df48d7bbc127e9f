"""The call that is being answered; a context variable, so nothing has to pass it on."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from cutline.domain.principal import Principal


@dataclass(frozen=True, slots=True)
class Call:
    """One RPC that passed authentication.

    Attributes:
        method: Full name, `cutline.v1.IngestService/SubmitDesign`.
        request_id: The caller's `x-request-id`, or one made here; for logs, not for idempotency.
        principal: Who calls.
    """

    method: str
    request_id: str
    principal: Principal


_CURRENT: ContextVar[Call] = ContextVar("cutline_call")


def current_call() -> Call:
    """The call this task answers.

    Raises:
        LookupError: This task answers no authenticated call.
    """
    return _CURRENT.get()


def current_principal() -> Principal:
    """Who calls; see `current_call`."""
    return _CURRENT.get().principal


def current_request_id() -> str:
    """The id of the call for logs; see `current_call`."""
    return _CURRENT.get().request_id


def enter_call(call: Call) -> None:
    """Makes `call` the current one of this task; every RPC runs in a task of its own."""
    _CURRENT.set(call)
