"""The accounts when everything is at rest: what the database holds, and what watchers were told of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bench.faults.ledger import DOUBLED, missing_objects
from bench.faults.polling import until
from bench.rolling.traffic import Traffic
from bench.watch_faults.watchers import SdkWatcher
from cutline.domain.states import AttemptOutcome, DesignState
from cutline.embedded.stack import EmbeddedStack
from cutline.runtime.environment import EnvReader
from cutline.runtime.settings import PostgresSettings
from cutline.store.pool import Database

_DESIGNS: Final = """
    SELECT design_id, state, revision,
           (SELECT count(*) FROM artifacts WHERE artifacts.design_id = designs.design_id) AS files
    FROM designs WHERE title = $1
"""
_ATTEMPTS: Final = """
    SELECT coalesce(outcome, 'OPEN') AS outcome, count(*) AS number
    FROM attempts JOIN jobs USING (job_id) JOIN designs USING (design_id) WHERE title = $1 GROUP BY 1
"""
_UNTOLD: Final = "SELECT count(*) FROM outbox"
_TELL_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Books:
    """What a run came to; all but the first three are promised to be nothing.

    Attributes:
        accepted: Designs that clients were answered with.
        finished: Those of them that are READY with all their files.
        attempts: Attempts by outcome.
        lost: Designs that are not, or whose files the store does not hold.
        doubled: Effects committed more than once, and designs that no client was answered with.
        untold: Messages that never left the outbox.
        disturbed: Attempts that did not succeed.
        client_errors: Calls that the SDK gave up.
        watch_errors: Watches that the SDK gave up.
        unserved: Watchers that were not told the end of what they watched.
        confused: Revisions that fell or came twice, over all watchers.
    """

    accepted: int
    finished: int
    attempts: Mapping[str, int]
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    untold: int
    disturbed: int
    client_errors: tuple[str, ...]
    watch_errors: tuple[str, ...]
    unserved: int
    confused: int

    @property
    def wrong(self) -> list[str]:
        """What is not as promised, a line each; nothing where every promise was kept."""
        return list(self._wrong())

    def _wrong(self) -> Iterator[str]:
        for name in ("lost", "doubled", "client_errors", "watch_errors"):
            if found := getattr(self, name):
                yield f"{name}: {len(found)}, such as {found[0]}"
        for name in ("untold", "disturbed", "unserved", "confused"):
            if number := getattr(self, name):
                yield f"{name}: {number}"
        if self.accepted != self.finished:
            yield f"accepted {self.accepted}, finished {self.finished}"


async def read_books(stack: EmbeddedStack, traffic: Traffic, *, files: int, unserved: int) -> Books:
    """Reads the books once the outbox is empty.

    Args:
        stack: Whose.
        traffic: What was submitted and heard, to the end.
        files: Artifacts of each design.
        unserved: Watchers of single designs that still wait.
    """
    environment = stack.servers.environment()
    database = Database.of(PostgresSettings.read(EnvReader(environment)), application_name="books")
    await database.start()
    try:
        untold = await _untold(database)
        rows = {row["design_id"]: row for row in await database.fetch(_DESIGNS, traffic.title)}
        attempts = {row["outcome"]: row["number"] for row in await database.fetch(_ATTEMPTS, traffic.title)}
        doubled = [f"{row['what']} of {row['which']}" for row in await database.fetch(DOUBLED)]
        missing = await missing_objects(database, environment, [*rows])
    finally:
        await database.stop()
    whole = {
        design_id for design_id, row in rows.items() if row["state"] == DesignState.READY and row["files"] == files
    }
    doubled += [f"{design_id}, accepted without an answer" for design_id in rows.keys() - traffic.accepted]
    watchers = [*traffic.watchers.values(), *traffic.watchers_of_all]
    ends = {str(design_id): rows[design_id]["revision"] for design_id in whole}
    return Books(
        accepted=len(traffic.accepted),
        finished=len(whole & traffic.accepted),
        attempts=attempts,
        lost=(*(str(design_id) for design_id in traffic.accepted - whole), *missing),
        doubled=tuple(doubled),
        untold=untold,
        disturbed=sum(number for outcome, number in attempts.items() if outcome != AttemptOutcome.SUCCEEDED),
        client_errors=tuple(submit.error for submit in traffic.submits if submit.error),
        watch_errors=tuple(refusal for watcher in watchers for refusal in watcher.hearing.refusals),
        unserved=unserved + await _not_told(traffic, ends),
        confused=sum(watcher.hearing.fell + watcher.hearing.repeated for watcher in watchers),
    )


async def _untold(database: Database) -> int:
    """Messages that are in the outbox still, however long it is waited for."""

    async def none() -> bool:
        return not await database.fetchval(_UNTOLD)

    try:
        async with asyncio.timeout(_TELL_S):
            await until(none)
    except TimeoutError:
        return int(await database.fetchval(_UNTOLD))
    return 0


async def _not_told(traffic: Traffic, ends: Mapping[str, int]) -> int:
    """Watchers that do not know the end of a design: its own, and those of all, which are given time to hear it."""

    async def told() -> bool:
        return not any(_misses(watcher, ends) for watcher in traffic.watchers_of_all)

    try:
        async with asyncio.timeout(_TELL_S):
            await until(told)
    except TimeoutError:
        pass
    of_all = sum(_misses(watcher, ends) for watcher in traffic.watchers_of_all)
    own = Counter(
        ends[design_id] in watcher.hearing.ends.get(design_id, ())
        for design_id, watcher in traffic.watchers.items()
        if design_id in ends
    )
    return of_all + own[False]


def _misses(watcher: SdkWatcher, ends: Mapping[str, int]) -> bool:
    return any(revision not in watcher.hearing.ends.get(design_id, ()) for design_id, revision in ends.items())
