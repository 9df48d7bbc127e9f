"""States: terminal ones, and the ways between them."""

from __future__ import annotations

from cutline.domain.states import DesignState, JobState, design_may_become, job_may_become


def test_no_design_leaves_a_terminal_state_within_its_generation_but_by_redrive() -> None:
    """READY and CANCELLED are final within a generation; FAILED may only be queued again."""
    ways = {
        (old, new)
        for old in DesignState
        for new in DesignState
        if old.terminal and old is not new and design_may_become(old, new, old_generation=1, new_generation=1)
    }

    assert ways == {(DesignState.FAILED, DesignState.QUEUED)}


def test_a_new_generation_starts_queued_from_anywhere() -> None:
    """Reprocess is allowed in every state, one generation at a time."""
    for state in DesignState:
        assert design_may_become(state, DesignState.QUEUED, old_generation=1, new_generation=2)
        assert not design_may_become(state, DesignState.PROCESSING, old_generation=1, new_generation=2)
        assert not design_may_become(state, DesignState.QUEUED, old_generation=1, new_generation=3)


def test_a_succeeded_or_cancelled_job_stays_so() -> None:
    """Only a dead job can be taken up again."""
    for old in (JobState.SUCCEEDED, JobState.CANCELLED):
        assert not any(job_may_become(old, new) for new in JobState if new is not old)
    assert job_may_become(JobState.DEAD, JobState.QUEUED)
