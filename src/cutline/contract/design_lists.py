"""Reads the conditions of a list of designs: every field within its limits, the one at fault named with its limit."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cutline.contract.fields import read_time, refuse
from cutline.contract.specs import enum_from_wire
from cutline.domain.states import DesignState
from cutline.store.design_reads import DesignFilter
from cutline.v1 import design_pb2
from cutline.v1 import status_service_pb2 as pb

__all__ = ["DesignFilter", "read_design_filter"]

MAX_TEXT_CHARACTERS: Final = 200
MAX_CONDITIONS: Final = 32


def read_design_filter(request: pb.ListDesignsRequest) -> DesignFilter:
    """The conditions of a list.

    Raises:
        InvalidInputError: One of them lies outside its limit.
    """
    for name, entries in (("states", request.states), ("labels", request.labels)):
        if len(entries) > MAX_CONDITIONS:
            refuse(name, f"{len(entries)} entries are more than {MAX_CONDITIONS}", "OUT_OF_RANGE")
    states = [
        enum_from_wire(DesignState, design_pb2.Design.State, "STATE_", number, "states") for number in request.states
    ]
    if None in states:
        refuse("states", "STATE_UNSPECIFIED is no state")
    for name in ("failure_reason", "reference", "text"):
        _check_text(name, getattr(request, name))
    for key, value in request.labels.items():
        _check_text("labels", key)
        _check_text("labels", value)
    return DesignFilter(
        states=tuple(state for state in states if state),
        failure_reason=request.failure_reason,
        labels=dict(request.labels),
        reference=request.reference,
        text=request.text,
        create_time_from=_time(request, "create_time_from"),
        create_time_before=_time(request, "create_time_before"),
    )


def _check_text(field: str, text: str) -> None:
    if len(text) > MAX_TEXT_CHARACTERS:
        refuse(field, f"{len(text)} characters are more than {MAX_TEXT_CHARACTERS}", "TOO_LONG")
    if "\x00" in text:
        refuse(field, "it contains the character NUL")


def _time(request: pb.ListDesignsRequest, field: str) -> datetime | None:
    return read_time(getattr(request, field), field) if request.HasField(field) else None  # type: ignore[arg-type]  # one of the two names above
