"""The accounts of a round: what the store holds at the end beside what each watcher was told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from bench.faults.farm import Farm
from bench.watch_faults.hearing import GONE, Hearing
from bench.watch_faults.stage import Stage
from bench.watch_faults.watchers import BareWatcher, SdkWatcher, Watcher

_REVISIONS: Final = "SELECT design_id, revision FROM designs WHERE design_id = ANY ($1)"
_ENDS: Final = """
    SELECT design_id, revision FROM timeline
    WHERE design_id = ANY ($1) AND state IN ('READY', 'FAILED', 'CANCELLED')
"""


@dataclass(frozen=True, slots=True)
class Truth:
    """What was to be told.

    Attributes:
        revisions: The last revision of each design; GONE where it was deleted.
        ends: The terminal revisions in each design's timeline; nothing of deleted ones.
    """

    revisions: dict[str, int]
    ends: dict[str, set[int]] = field(default_factory=dict)

    def missed_by_all(self, hearing: Hearing) -> tuple[int, int]:
        """Terminal revisions and changes that a watcher of every design was not told.

        A change counts as told where its design's last revision, or its deletion, is.
        """
        ends = sum(len(ends - hearing.ends.get(design, set())) for design, ends in self.ends.items())
        return ends, sum(hearing.newest.get(design) != revision for design, revision in self.revisions.items())

    def missed_by_one(self, watcher: Watcher) -> int:
        """Designs whose end a watcher of single designs was not told; the deletion is one, too."""
        return sum(not self._told_end(watcher.hearing, design) for design in watcher.watched)

    def _told_end(self, hearing: Hearing, design: str) -> bool:
        told = hearing.ends.get(design, set())
        if self.revisions[design] == GONE:
            return bool(told) or hearing.newest.get(design) == GONE
        return bool(told & self.ends[design])


@dataclass(frozen=True, slots=True)
class Findings:
    """What a round found; the zeros are what is promised.

    Attributes:
        fault: What was broken.
        watchers: How many listened.
        designs: Designs that changed.
        words: Messages told.
        missed_ends: Terminal states not told, over all watchers.
        missed_changes: Last revisions and deletions not told to watchers of every design.
        fell: Revisions lower than one told before.
        duplicates: Unchanged revisions told again: to any of the SDK's, or on the bare stream of one design.
        token_repeats: Unchanged revisions told again on the bare stream of every design, within a token's reach.
        resumes: Streams opened after the first, by watchers on the bare stub.
        reconnects: Reconnect messages they were told.
        overflows: How often a watcher of every design on the bare stub had to catch up within a stream, for its queue
            was full; known where no silence is long enough for a heartbeat, which tells the end of a catch-up, too.
        refusals: Watches that ended for another reason than their design's end.
        longest_silence_s: The longest time any watcher heard nothing.
        back_s: From the harm until every program served again; None without harm.
        recovered_s: From the harm until every watcher had been told a change after it; None without harm.
        sdk_recovered_s: The same of the SDK's watchers alone.
    """

    fault: str
    watchers: int
    designs: int
    words: int
    missed_ends: int
    missed_changes: int
    fell: int
    duplicates: int
    token_repeats: int
    resumes: int
    reconnects: int
    overflows: int
    refusals: tuple[str, ...]
    longest_silence_s: float
    back_s: float | None
    recovered_s: float | None
    sdk_recovered_s: float | None

    @property
    def wrong(self) -> list[str]:
        """What is not as promised, a line each."""
        promised = ("missed_ends", "missed_changes", "fell", "duplicates")
        wrong = [f"{self.fault}: {name} {count}" for name in promised if (count := getattr(self, name))]
        return wrong + [f"{self.fault}: {refusal}" for refusal in sorted(set(self.refusals))]


async def read_truth(farm: Farm, stage: Stage) -> Truth:
    """Reads what was to be told, when everything is at rest."""
    ids = [UUID(design) for design in stage.traffic.designs]
    revisions = dict.fromkeys(stage.traffic.designs, GONE)
    revisions |= {str(row["design_id"]): row["revision"] for row in await farm.database.fetch(_REVISIONS, ids)}
    ends: dict[str, set[int]] = {}
    for row in await farm.database.fetch(_ENDS, ids):
        ends.setdefault(str(row["design_id"]), set()).add(row["revision"])
    return Truth(revisions, ends)


def judge(fault: str, stage: Stage, truth: Truth) -> Findings:
    """Draws up the accounts."""
    hearings = [watcher.hearing for watcher in stage.watchers]
    missed = [truth.missed_by_all(watcher.hearing) for watcher in stage.of_all]
    bare_of_all = [watcher.hearing for watcher in stage.bare_of_all]
    token_repeats = sum(hearing.repeated for hearing in bare_of_all)
    return Findings(
        fault=fault,
        watchers=len(hearings),
        designs=len(stage.traffic.designs),
        words=_words(hearings),
        missed_ends=sum(ends for ends, _ in missed) + sum(truth.missed_by_one(watcher) for watcher in stage.of_one),
        missed_changes=sum(changes for _, changes in missed),
        fell=sum(hearing.fell for hearing in hearings),
        duplicates=sum(hearing.repeated for hearing in hearings) - token_repeats,
        token_repeats=token_repeats,
        resumes=sum(watcher.hearing.resumes for watcher in stage.watchers if isinstance(watcher, BareWatcher)),
        reconnects=_words(hearings, "reconnect"),
        overflows=sum(hearing.overflows for hearing in bare_of_all),
        refusals=tuple(refusal for hearing in hearings for refusal in hearing.refusals),
        longest_silence_s=max(hearing.longest_silence_s for hearing in hearings),
        back_s=stage.strike.back_s,
        recovered_s=_recovered_s(hearings),
        sdk_recovered_s=_recovered_s([each.hearing for each in stage.watchers if isinstance(each, SdkWatcher)]),
    )


def _words(hearings: Sequence[Hearing], *kinds: str) -> int:
    return sum(sum(hearing.words[kind] for kind in kinds or hearing.words) for hearing in hearings)


def _recovered_s(hearings: Sequence[Hearing]) -> float | None:
    return max((hearing.recovered_s for hearing in hearings if hearing.recovered_s is not None), default=None)
