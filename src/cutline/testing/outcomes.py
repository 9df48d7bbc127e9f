"""What becomes of a design in the fake server: values that a test writes down before it submits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cutline.domain.outputs import CutoutMethod, Finding, OutputFormat
from cutline.domain.states import DesignState
from cutline.v1 import design_pb2

TOLD_TO_FAIL: Final = "The fake server was told to fail this design."

_REASON: Final = re.compile(r"[A-Z][A-Z0-9_]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The design ends READY.

    Attributes:
        findings: Print-readiness findings; the verdict follows from the worst of them, and is PASS without any.
        files: Bytes of some of its files, in place of the small valid ones that are made otherwise.
        cutout_method: How the background is said to have been removed.
        cutout_confidence: How sure that cutout is of itself, 0 to 1.
        mockups_fail: Whether it ends without its mockups, with the finding MOCKUPS_UNAVAILABLE.

    Raises:
        TypeError: A finding or the bytes of a file are something else.
        ValueError: A file is of no kind that there is.
    """

    findings: tuple[Finding, ...] = ()
    files: Mapping[OutputFormat, bytes] = field(default_factory=dict)
    cutout_method: CutoutMethod = CutoutMethod.ALPHA
    cutout_confidence: float = 1.0
    mockups_fail: bool = False

    def __post_init__(self) -> None:
        for finding in self.findings:
            if not isinstance(finding, Finding):
                text = f"findings: {finding!r} is no Finding"
                raise TypeError(text)
        for kind, data in self.files.items():
            if kind not in tuple(OutputFormat):
                text = f"files: {kind!r} is not one of {', '.join(OutputFormat)}"
                raise ValueError(text)
            if not isinstance(data, bytes):
                text = f"files: {kind}: {type(data).__name__} is not bytes"
                raise TypeError(text)


@dataclass(frozen=True, slots=True)
class Failed:
    """The design ends FAILED.

    Attributes:
        reason: Stable reason in UPPER_SNAKE, such as NO_SUBJECT; docs/api.md lists those of the real services.
        message: One plain sentence for people.

    Raises:
        ValueError: The reason is not UPPER_SNAKE of 1 to 63 characters.
    """

    reason: str
    message: str = TOLD_TO_FAIL

    def __post_init__(self) -> None:
        if not _REASON.fullmatch(self.reason):
            text = f"reason: {self.reason!r} is not UPPER_SNAKE of 1 to 63 characters"
            raise ValueError(text)


@dataclass(frozen=True, slots=True)
class Held:
    """The design stays unfinished until the test goes on with it: `advance`, `finish` or `fail`.

    Attributes:
        state: Where it stays: PROCESSING, or QUEUED as if no worker had started.
        then: What it ends as when it is told to go on.

    Raises:
        ValueError: The state is an end.
    """

    state: DesignState = DesignState.PROCESSING
    then: Ready | Failed = field(default_factory=Ready)

    def __post_init__(self) -> None:
        if self.state.terminal:
            text = f"state: a design cannot be held {self.state}; QUEUED and PROCESSING are no ends"
            raise ValueError(text)


Outcome = Ready | Failed | Held
"""What becomes of one run of a design."""

Outcomes = Outcome | Callable[[design_pb2.Design], Outcome]
"""What becomes of every run: the same, or what a function says of the design, which is QUEUED when it is asked."""


def checked_outcome(outcome: object) -> Outcome:
    """An outcome that is one: a slip such as `Ready` for `Ready()` would show only in what becomes of a design.

    Raises:
        TypeError: It is none.
    """
    if isinstance(outcome, Ready | Failed | Held):
        return outcome
    text = f"outcome: {outcome!r} is not one of Ready(), Failed(reason) and Held()"
    raise TypeError(text)


def checked_outcomes(outcomes: Outcomes) -> Outcomes:
    """As `checked_outcome`, where a function is good too.

    Raises:
        TypeError: It is neither.
    """
    return outcomes if callable(outcomes) and not isinstance(outcomes, type) else checked_outcome(outcomes)
