"""For tests of programs that integrate Cutline: a server that answers as the real one does, and computes nothing."""

from __future__ import annotations

from cutline.domain.outputs import Finding, FindingLevel, OutputFormat
from cutline.domain.states import DesignState
from cutline.testing.calls import ReceivedCall
from cutline.testing.outcomes import Failed, Held, Outcome, Outcomes, Ready
from cutline.testing.server import FakeServer

__all__ = [
    "DesignState",
    "Failed",
    "FakeServer",
    "Finding",
    "FindingLevel",
    "Held",
    "Outcome",
    "Outcomes",
    "OutputFormat",
    "Ready",
    "ReceivedCall",
]
