"""What a farm looks like where something did not recover: for the one who reads a failed run later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import chain
from typing import Final

import nats.errors
from nats.js.errors import APIError

from bench.faults.farm import Farm
from cutline.domain.errors import CutlineError

_PATIENCE_S: Final = 10.0
_LOG_LINES: Final = 15
_UNFINISHED: Final = """
    SELECT format('%s %s %s: attempt %s, %s crashes, lease %s, publication %s', stage, job_id, state, attempt,
                  crash_count, lease_time - now(), publication) AS job,
           (SELECT string_agg(format(E'\\n    %s. %s %s +%s %s %s', number, worker, start_time::time(1),
                                     finish_time - start_time, outcome, reason), '' ORDER BY number)
            FROM attempts WHERE attempts.job_id = jobs.job_id) AS attempts
    FROM jobs WHERE state IN ('QUEUED', 'WAITING', 'RUNNING') ORDER BY create_time LIMIT 20
"""


async def story(farm: Farm) -> str:
    """Unfinished jobs with their attempts, what the broker holds, and the last lines of every service's log."""
    lines: list[str] = []
    for part in (_jobs(farm), _lanes(farm), _logs(farm)):
        try:
            async with asyncio.timeout(_PATIENCE_S):
                lines += [line async for line in part]
        except (CutlineError, APIError, nats.errors.Error, OSError) as error:  # a server that is away is news too
            lines.append(f"not answered: {error!r}")
    return "\n".join(lines)


async def _jobs(farm: Farm) -> AsyncIterator[str]:
    for row in await farm.database.fetch(_UNFINISHED):
        yield f"{row['job']}{row['attempts'] or ''}"


async def _lanes(farm: Farm) -> AsyncIterator[str]:
    async with farm.jetstream() as jetstream:
        for consumer in farm.topology.consumers():
            found = await jetstream.consumer_info(consumer.stream, consumer.name)
            yield (
                f"{consumer.name}: {found.num_pending} pending, {found.num_ack_pending} out, "
                f"{found.num_redelivered} redelivered, {found.num_waiting} pulls"
            )


async def _logs(farm: Farm) -> AsyncIterator[str]:
    for name in chain.from_iterable(map(farm.replicas, farm.plan.replicas)):
        yield f"--- {name}, program {farm.server(name).program_id}"
        log = farm.servers.instance.log_path(name)
        for line in (await asyncio.to_thread(log.read_text, errors="replace")).splitlines()[-_LOG_LINES:]:
            yield line
