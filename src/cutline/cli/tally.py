"""How many of a set of designs are where: the counts, and the lines of those under way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cutline.client import state_name
from cutline.v1 import design_pb2

_STAGES: Final = {design_pb2.STAGE_IMAGING: "imaging", design_pb2.STAGE_MOCKUP: "mockup"}


class Phase(StrEnum):
    """Where a design is, in the order it gets there; what was refused has failed."""

    WAITING = "waiting"
    UPLOADING = "uploading"
    QUEUED = "queued"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


ENDED: Final = frozenset({Phase.READY, Phase.FAILED})

_PHASES: Final = {
    design_pb2.Design.STATE_QUEUED: Phase.QUEUED,
    design_pb2.Design.STATE_READY: Phase.READY,
    design_pb2.Design.STATE_FAILED: Phase.FAILED,
    design_pb2.Design.STATE_CANCELLED: Phase.FAILED,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One design under way.

    Attributes:
        stand: Where it is, in a word or two.
        share: How much of that is done, 0 to 1; None where nobody knows.
    """

    stand: str
    share: float | None = None


class Tally:
    """Counts of designs by phase, and the lines of those under way, the longest under way first.

    Args:
        total: How many there are in all; they begin waiting.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.counts: Counter[Phase] = Counter({Phase.WAITING: total})
        self.lines: dict[str, Line] = {}
        self._phases: dict[str, Phase] = {}

    @property
    def ended(self) -> int:
        """How many are ready or failed."""
        return self.counts[Phase.READY] + self.counts[Phase.FAILED]

    def move(self, name: str, phase: Phase, line: Line | None) -> bool:
        """Puts a design into a phase; without a line it is no longer under way.

        Returns:
            Whether what its line says is new.
        """
        self.counts[self._phases.get(name, Phase.WAITING)] -= 1
        self.counts[phase] += 1
        self._phases[name] = phase
        before = self.lines.get(name)
        if line is None:
            self.lines.pop(name, None)
            return before is not None
        self.lines[name] = line
        return before is None or before.stand != line.stand


def phase_of(design: design_pb2.Design) -> Phase:
    """The phase of a design; a state of a later release counts as processing."""
    return _PHASES.get(design.state, Phase.PROCESSING)


def describe(design: design_pb2.Design) -> str:
    """Where a design stands, in a word or two."""
    state = state_name(design.state)
    stage = _STAGES.get(design.stage, "")
    if design.HasField("failure"):
        return f"{state} {design.failure.reason}"
    return f"{state} {stage}".rstrip()
