"""How much is under way: what admission and release are decided by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from cutline.domain.states import Lane, Stage
from cutline.store.pool import Database
from cutline.store.release import Queue, held_queues

_UNFINISHED: Final = """
SELECT tenant, count(*) AS number FROM designs WHERE state IN ('QUEUED', 'PROCESSING') GROUP BY tenant
"""
_RELEASED: Final = """
SELECT tenant, stage, lane, count(*) AS number FROM jobs WHERE state = 'QUEUED' GROUP BY tenant, stage, lane
"""


@dataclass(frozen=True, slots=True)
class BacklogCounts:
    """Unfinished designs by tenant, released, unstarted jobs by queue, and the queues where jobs wait their turn."""

    unfinished: Counter[str]
    released: Counter[Queue]
    held: frozenset[Queue] = frozenset()


async def count_backlog(database: Database) -> BacklogCounts:
    """Counts what is under way; errors as in `Database.transaction`."""
    unfinished = Counter({row["tenant"]: row["number"] for row in await database.fetch(_UNFINISHED)})
    released = Counter(
        {
            (row["tenant"], Stage(row["stage"]), Lane(row["lane"])): row["number"]
            for row in await database.fetch(_RELEASED)
        }
    )
    return BacklogCounts(unfinished, released, frozenset(await held_queues(database)))
