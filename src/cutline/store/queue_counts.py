"""What the database knows of each stage and lane: cheap enough to be asked every second.

Every number comes from an index that holds little more than what is counted: waiting jobs, open dead letters, the head
of the unfinished ones, and the jobs that ended in the last few seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cutline.domain.states import Lane, Stage
from cutline.store.pool import Database

Queue = tuple[Stage, Lane]

RATE_WINDOW_S: Final = 60
LATE_COMMIT_S: Final = 5
"""How long after the time it bears a job's end may be committed: so many seconds are counted again."""

# Each read of the oldest job is one look at the head of an index.
_COUNTS: Final = """
WITH waiting AS (
    SELECT stage, lane, count(*) AS number FROM jobs WHERE state = 'WAITING' GROUP BY stage, lane
), dead AS (
    SELECT stage, lane, count(*) AS number FROM dead_letters WHERE resolution IS NULL GROUP BY stage, lane
)
SELECT clock_timestamp() AS time, queue.stage, queue.lane,
       coalesce(waiting.number, 0) AS waiting, coalesce(dead.number, 0) AS dead,
       (SELECT create_time FROM jobs
        WHERE state IN ('WAITING', 'QUEUED', 'RUNNING') AND jobs.stage = queue.stage AND jobs.lane = queue.lane
        ORDER BY create_time LIMIT 1) AS oldest_time
FROM unnest($1::text[], $2::text[]) AS queue (stage, lane)
LEFT JOIN waiting ON waiting.stage = queue.stage AND waiting.lane = queue.lane
LEFT JOIN dead ON dead.stage = queue.stage AND dead.lane = queue.lane
"""
_FINISHED: Final = """
SELECT stage, lane, extract(epoch FROM date_trunc('second', finish_time))::bigint AS second, count(*) AS number
FROM jobs WHERE finish_time >= to_timestamp($1::bigint) GROUP BY stage, lane, second
"""
_NOW: Final = "SELECT extract(epoch FROM clock_timestamp())::bigint"
_QUEUES: Final = tuple((stage, lane) for stage in Stage for lane in Lane)


@dataclass(frozen=True, slots=True)
class StoredCounts:
    """One stage and lane in the database; `oldest_time` is None where nothing is unfinished."""

    waiting: int
    dead: int
    oldest_time: datetime | None
    finished_per_s: float


@dataclass(frozen=True, slots=True)
class StoredReading:
    """Every stage and lane at one time of the database's clock."""

    time: datetime
    queues: Mapping[Queue, StoredCounts]


@dataclass
class QueueCounter:
    """Counts, and remembers the seconds already counted, so that each reading looks at a few seconds of ends only.

    Args:
        database: Where the jobs are.
    """

    database: Database
    _finished: dict[int, Counter[Queue]] = field(default_factory=dict)
    _counted_to: int = 0

    async def read(self) -> StoredReading:
        """The numbers of every stage and lane; errors as in `Database.transaction`."""
        rates = await self._rates()
        stages, lanes = zip(*_QUEUES, strict=True)
        rows = await self.database.fetch(_COUNTS, stages, lanes)
        queues = {
            queue: StoredCounts(row["waiting"], row["dead"], row["oldest_time"], rates[queue])
            for row in rows
            for queue in [(Stage(row["stage"]), Lane(row["lane"]))]
        }
        return StoredReading(rows[0]["time"], queues)

    async def _rates(self) -> dict[Queue, float]:
        now: int = await self.database.fetchval(_NOW)
        first = now - RATE_WINDOW_S
        again_from = max(first, self._counted_to - LATE_COMMIT_S)
        rows = await self.database.fetch(_FINISHED, again_from)
        kept = {second: ends for second, ends in self._finished.items() if first <= second < again_from}
        for row in rows:
            ends = kept.setdefault(row["second"], Counter())
            ends[Stage(row["stage"]), Lane(row["lane"])] += row["number"]
        self._finished, self._counted_to = kept, now
        totals = sum(kept.values(), Counter[Queue]())
        return {queue: totals[queue] / RATE_WINDOW_S for queue in _QUEUES}
