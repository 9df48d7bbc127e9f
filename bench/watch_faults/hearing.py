"""What one watcher was told, in the order it was told."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from cutline.client.states import TERMINAL
from cutline.v1 import design_pb2

GONE: Final = 2**63
"""Stands for the revision of a deletion: nothing is told of a design after it."""


@dataclass
class Strike:
    """When the harm was done.

    Attributes:
        at_s: In seconds since the epoch; later than everything while none was.
        back_s: Time from then until everything served again; None before that.
    """

    at_s: float = float("inf")
    back_s: float | None = None

    @property
    def struck(self) -> bool:
        """Whether harm was done."""
        return self.at_s < float("inf")

    def now(self) -> None:
        """Notes that the harm is being done."""
        self.at_s = time.time()

    def over(self) -> None:
        """Notes that everything serves again."""
        self.back_s = time.time() - self.at_s


@dataclass
class Hearing:
    """The ear of one watcher.

    Attributes:
        strike: Shared by all watchers of a round.
        newest: The last revision told of each design; GONE where the last thing told is its deletion.
        ends: The terminal revisions told of each design.
        fell: How often a revision was lower than one told before, or told after the deletion.
        repeated: How often the revision told last was told once more.
        words: Messages by kind.
        resumes: Streams opened after the first of a watch; counted by watchers that see them.
        overflows: Heartbeats after the first of a stream; counted by watchers that see them.
        refusals: Errors that ended a watch for good, and ends without a reason.
        longest_silence_s: The longest time without any message while there was something to tell.
        recovered_s: Time from the strike to the first word of a change after it; None before that.
    """

    strike: Strike
    newest: dict[str, int] = field(default_factory=dict)
    ends: dict[str, set[int]] = field(default_factory=dict)
    fell: int = 0
    repeated: int = 0
    words: Counter[str] = field(default_factory=Counter)
    resumes: int = 0
    overflows: int = 0
    refusals: list[str] = field(default_factory=list)
    longest_silence_s: float = 0.0
    recovered_s: float | None = None
    _last_s: float | None = None
    _counting: bool = True

    def hear(self, design: design_pb2.Design) -> None:
        """Takes down a revision."""
        now_s = self.beat("design")
        self._note(design.id, design.revision)
        if design.state in TERMINAL:
            self.ends.setdefault(design.id, set()).add(design.revision)
        if self.recovered_s is None and _change_s(design) > self.strike.at_s:
            self.recovered_s = now_s - self.strike.at_s

    def hear_deleted(self, design_id: str) -> None:
        """Takes down a deletion."""
        self.beat("deleted")
        self._note(design_id, GONE)

    def beat(self, word: str) -> float:
        """Takes down a message of any kind; gives the time."""
        self.words[word] += 1
        return self._break_silence()

    def pause(self) -> None:
        """Does not count the silence up to here: nobody listened."""
        self._last_s = None

    def close(self) -> None:
        """Counts no silence from here on: little more will change."""
        self._break_silence()
        self._counting = False

    def _break_silence(self) -> float:
        now_s = time.time()
        if self._counting and self._last_s is not None:
            self.longest_silence_s = max(self.longest_silence_s, now_s - self._last_s)
        self._last_s = now_s
        return now_s

    def _note(self, design_id: str, revision: int) -> None:
        before = self.newest.get(design_id, 0)
        if revision < before:
            self.fell += 1
            return
        if revision == before:
            self.repeated += 1
        self.newest[design_id] = revision


def _change_s(design: design_pb2.Design) -> float:
    return design.update_time.seconds + design.update_time.nanos / 1e9
