"""Repeated calls: what a request id was answered with first."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from cutline.domain.calls import CallIdentity, request_id_reused


@dataclass(frozen=True, slots=True)
class Answer:
    """What the first call of a request id was answered with."""

    body_sha256: bytes
    resource_id: UUID
    deduplicated: bool


class Answers:
    """Answers by tenant and request id; none is forgotten."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, UUID], Answer] = {}

    def first(self, call: CallIdentity) -> Answer | None:
        """The first answer given to this call, if it is a repeat.

        Raises:
            ConflictError: The id belongs to another call.
        """
        answer = None if call.request_id is None else self._answers.get((call.tenant, call.request_id))
        if answer is not None and answer.body_sha256 != call.body_sha256:
            raise request_id_reused(call.request_id)
        return answer

    def record(self, call: CallIdentity, resource_id: UUID, *, deduplicated: bool = False) -> None:
        """Remembers an answer, where the caller gave the call an id."""
        if call.request_id is not None:
            self._answers[call.tenant, call.request_id] = Answer(call.body_sha256, resource_id, deduplicated)
