"""The states of designs and jobs, and the only ways between them.

The database enforces the same tables with triggers (store/migrations); a test holds the two together.
"""

from __future__ import annotations

from enum import StrEnum


class DesignState(StrEnum):
    """Where the newest generation of a design stands."""

    QUEUED = "QUEUED"
    PROCESSING = "PROCESSING"
    READY = "READY"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        """Whether the newest generation has ended."""
        return self in _TERMINAL_DESIGN


class Stage(StrEnum):
    """A part of the work that one kind of worker does; the value is used in subjects."""

    IMAGING = "imaging"
    MOCKUP = "mockup"


class Lane(StrEnum):
    """How urgent a job is; the value is used in subjects."""

    EXPRESS = "express"
    STANDARD = "standard"
    BULK = "bulk"


LANES_BY_URGENCY = (Lane.EXPRESS, Lane.STANDARD, Lane.BULK)
"""The lanes, the most urgent first."""


class JobState(StrEnum):
    """Where one stage's work on one generation stands."""

    WAITING = "WAITING"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    DEAD = "DEAD"
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        """Whether no attempt will follow unless somebody redrives it."""
        return self in _TERMINAL_JOB


class AttemptOutcome(StrEnum):
    """How one try at a job ended."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    CRASHED = "CRASHED"
    INTERRUPTED = "INTERRUPTED"
    SUPERSEDED = "SUPERSEDED"
    CANCELLED = "CANCELLED"
    SNOOZED = "SNOOZED"


_TERMINAL_DESIGN = frozenset({DesignState.READY, DesignState.FAILED, DesignState.CANCELLED})
_TERMINAL_JOB = frozenset({JobState.SUCCEEDED, JobState.DEAD, JobState.CANCELLED})

_D = DesignState
DESIGN_TRANSITIONS: frozenset[tuple[DesignState, DesignState]] = frozenset(
    {
        (_D.QUEUED, _D.PROCESSING),
        (_D.QUEUED, _D.FAILED),
        (_D.QUEUED, _D.CANCELLED),
        (_D.PROCESSING, _D.READY),
        (_D.PROCESSING, _D.FAILED),
        (_D.PROCESSING, _D.CANCELLED),
        # A redrive takes a dead design up again within its generation.
        (_D.FAILED, _D.QUEUED),
    }
)
"""Changes of state within one generation; staying in a state is always allowed."""

# A new generation starts QUEUED from any state.
NEW_GENERATION_STATE = DesignState.QUEUED

_J = JobState
JOB_TRANSITIONS: frozenset[tuple[JobState, JobState]] = frozenset(
    {
        (_J.WAITING, _J.QUEUED),
        (_J.WAITING, _J.CANCELLED),
        (_J.QUEUED, _J.RUNNING),
        (_J.QUEUED, _J.WAITING),
        (_J.QUEUED, _J.DEAD),
        (_J.QUEUED, _J.CANCELLED),
        (_J.RUNNING, _J.SUCCEEDED),
        (_J.RUNNING, _J.WAITING),
        (_J.RUNNING, _J.QUEUED),
        (_J.RUNNING, _J.DEAD),
        (_J.RUNNING, _J.CANCELLED),
        (_J.DEAD, _J.QUEUED),
        (_J.DEAD, _J.WAITING),
        (_J.DEAD, _J.CANCELLED),
    }
)
"""Changes of a job's state; staying in a state is always allowed."""


def design_may_become(old: DesignState, new: DesignState, *, old_generation: int, new_generation: int) -> bool:
    """Whether a design may go from one state and generation to another."""
    if new_generation > old_generation:
        return new_generation == old_generation + 1 and new is NEW_GENERATION_STATE
    return new_generation == old_generation and (old is new or (old, new) in DESIGN_TRANSITIONS)


def job_may_become(old: JobState, new: JobState) -> bool:
    """Whether a job may go from one state to another."""
    return old is new or (old, new) in JOB_TRANSITIONS
