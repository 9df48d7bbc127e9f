"""Which process of a parallel run takes which test."""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadFileScheduling

STACKS: Final = ("tests/e2e/", "tests/faults/", "tests/integration/bench_watch/")
"""Tests with a stack of their own: they wait more than they compute, and measure what waiting is for."""


class OneStackAtATime(LoadFileScheduling):
    """Files go whole to whoever is free; those with stacks go one after the other to the same process.

    So a fault is never judged beside another whole stack, and there may be a process more than cores.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "stacks" if nodeid.startswith(STACKS) else super()._split_scope(nodeid)
