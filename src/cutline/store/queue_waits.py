"""How long jobs wait that could run."""

from __future__ import annotations

from typing import Final

from cutline.domain.states import Lane, Stage
from cutline.store.pool import Database

# A job waits for its turn since it was due; what is scheduled for later waits for nobody. While the broker holds it,
# which is short as a rule, it counts from its submit: when it was released is not kept, and update_time is renewed by
# the sweeper. Both indexes hold little else.
_WAITS: Final = """
SELECT stage, lane, max(extract(epoch FROM clock_timestamp() - since))::float8 AS wait_s
FROM (
    SELECT stage, lane, due_time AS since FROM jobs WHERE state = 'WAITING' AND due_time <= now()
    UNION ALL
    SELECT stage, lane, create_time FROM jobs WHERE state = 'QUEUED'
) AS waiting
GROUP BY stage, lane
"""


async def longest_waits_s(database: Database) -> dict[tuple[Stage, Lane], float]:
    """The longest wait of a job that could run, by stage and lane in seconds, 0 where none waits.

    Errors as in `Database.transaction`.
    """
    waits = {(stage, lane): 0.0 for stage in Stage for lane in Lane}
    rows = await database.fetch(_WAITS)
    return waits | {(Stage(row["stage"]), Lane(row["lane"])): max(0.0, row["wait_s"]) for row in rows}
