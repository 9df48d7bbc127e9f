"""Which designs a list shows."""

from __future__ import annotations

from datetime import UTC, datetime

from cutline.contract.design_lists import DesignFilter
from cutline.v1 import design_pb2


def matches(design: design_pb2.Design, conditions: DesignFilter) -> bool:
    """Whether a design fulfils all conditions that are set."""
    state = design_pb2.Design.State.Name(design.state).removeprefix("STATE_")
    texts = (design.title, design.reference, design.artwork.filename)
    return (
        (not conditions.states or state in conditions.states)
        and (not conditions.failure_reason or design.failure.reason == conditions.failure_reason)
        and all(design.labels.get(key) == value for key, value in conditions.labels.items())
        and (not conditions.reference or design.reference == conditions.reference)
        and (not conditions.text or any(conditions.text.lower() in text.lower() for text in texts))
        and _within(design.create_time.ToDatetime(UTC), conditions)
    )


def _within(time: datetime, conditions: DesignFilter) -> bool:
    first, end = conditions.create_time_from, conditions.create_time_before
    return (first is None or time >= first) and (end is None or time < end)
