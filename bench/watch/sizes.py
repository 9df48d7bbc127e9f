"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

PER_CONNECTION: Final = 50
"""Streams on one connection."""
SPARE_FILES: Final = 200
"""Files that a process holds besides the connections of its streams, those of a churn in flight included."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured; the defaults are what the goals speak of.

    Attributes:
        watchers: Watchers in the measurements of speed.
        per_s: Changes of single designs a second.
        duration_s: Length of a run.
        runs: Runs of which medians are told.
        rounds: Changes that are told to all.
        idle: Numbers of watchers whose memory is measured.
        settle_s: How long watchers are left alone before memory counts; heartbeats come every 15 s.
        hold_s: How long the last of these is held.
        slow: Readers that stop reading.
        write_timeout_s: After this the service is to cut them.
        fill_s: How long it may take until what the transport buffers is full: only then does a write begin to wait.
        churn_per_s: Watches opened and cancelled a second.
        churn_s: For how long.
        sample_s: Time between two looks at a process's memory.
    """

    watchers: int = 1000
    per_s: float = 300.0
    duration_s: float = 10.0
    runs: int = 5
    rounds: int = 20
    idle: tuple[int, ...] = (1000, 5000, 10_000)
    settle_s: float = 35.0
    hold_s: float = 300.0
    slow: int = 10
    write_timeout_s: float = 5.0
    fill_s: float = 1.0
    churn_per_s: float = 50.0
    churn_s: float = 1800.0
    sample_s: float = 5.0

    @classmethod
    def quick(cls) -> Self:
        """A little of everything: shows that it works, not how well."""
        return cls(
            watchers=100,
            per_s=100.0,
            duration_s=1.0,
            runs=1,
            rounds=2,
            idle=(100, 200),
            settle_s=0.5,
            hold_s=3.0,
            slow=2,
            write_timeout_s=0.5,
            fill_s=1.0,
            churn_per_s=20.0,
            churn_s=3.0,
            sample_s=0.2,
        )

    @property
    def open_files(self) -> int:
        """Files that a process needs at most: the status process holds all connections."""
        return max(self.watchers, *self.idle) // PER_CONNECTION + self.slow + SPARE_FILES

    @property
    def designs(self) -> int:
        """Designs that are needed at most."""
        return max(self.watchers + self.slow, *self.idle)
