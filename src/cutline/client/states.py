"""The states of a design, as names and as what ends it."""

from __future__ import annotations

from typing import Final

from cutline.v1 import design_pb2

TERMINAL: Final = frozenset(
    {design_pb2.Design.STATE_READY, design_pb2.Design.STATE_FAILED, design_pb2.Design.STATE_CANCELLED}
)


def state_name(state: design_pb2.Design.State.ValueType) -> str:
    """A state without its prefix, such as READY; its number for a state of a later release."""
    try:
        return design_pb2.Design.State.Name(state).removeprefix("STATE_")
    except ValueError:
        return str(state)
