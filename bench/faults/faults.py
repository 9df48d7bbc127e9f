"""What can be broken: each fault does its harm, waits for recovery and says how long that took."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import psutil

from bench.faults.farm import Farm
from bench.faults.polling import until
from bench.faults.story import story
from cutline.domain.errors import CutlineError

_PATIENCE_S: Final = 180.0
S3_AWAY_S: Final = 5.0
HUNG_S: Final = 8.0
SLACK_S: Final = 5.0
"""What recovery may take beyond the time after which a worker counts as dead."""

QUIET_JOBS: Final = 2
_QUIET: Final = "SELECT count(*) <= $1 FROM jobs WHERE state IN ('QUEUED', 'WAITING')"
_RUNNING: Final = """
    SELECT job_id, number FROM attempts JOIN jobs USING (job_id)
    WHERE worker = $1 AND attempts.finish_time IS NULL AND state = 'RUNNING' AND number = attempt AND crash_count = 0
"""
# When the next attempt began; null where the job ended without any.
_NEXT_START: Final = """
    SELECT extract(epoch FROM min(start_time))::float8 AS start_s
    FROM jobs LEFT JOIN attempts ON attempts.job_id = jobs.job_id AND number > $2
    WHERE jobs.job_id = $1 GROUP BY jobs.job_id
    HAVING min(start_time) IS NOT NULL OR state IN ('SUCCEEDED', 'DEAD', 'CANCELLED')
"""
_FIRST_START: Final = (
    "SELECT extract(epoch FROM min(start_time))::float8 FROM attempts WHERE start_time > to_timestamp($1)"
)
_FIRST_SUCCESS: Final = """
    SELECT extract(epoch FROM min(finish_time))::float8 FROM attempts
    WHERE outcome = 'SUCCEEDED' AND start_time > to_timestamp($1 - 60) AND finish_time > to_timestamp($1)
"""
_FIRST_ACCEPTED: Final = """
    SELECT extract(epoch FROM min(create_time))::float8 FROM designs WHERE create_time > to_timestamp($1)
"""


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a fault went.

    Attributes:
        fault: Its name.
        took_s: From the harm, or from when what was away is back, to work going on; None where nothing had to.
        limit_s: What was promised.
    """

    fault: str
    took_s: float | None
    limit_s: float

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return self.took_s is None or self.took_s <= self.limit_s


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break something; `limit_s` counts from `act`'s own zero."""

    name: str
    act: Callable[[Farm, random.Random], Awaitable[float | None]]
    limit_s: float

    async def strike(self, farm: Farm, rng: random.Random) -> Recovery:
        """Breaks it once; there must be load on the farm.

        Raises:
            TimeoutError: Nothing recovered; its notes tell the state of the farm.
        """
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await farm.whole()
                await _quiet(farm)
                return Recovery(self.name, await self.act(farm, rng), self.limit_s)
        except TimeoutError as error:
            error.add_note(f"{self.name}:\n{await story(farm)}")
            raise


def all_faults(farm: Farm) -> list[Fault]:
    """Every fault, with what is promised for it."""
    dead_worker_s = farm.plan.ack_wait_s + SLACK_S
    faults = []
    for service in ("imaging", "mockup"):
        faults += [
            Fault(f"{service} killed", partial(worker_killed, service), dead_worker_s),
            Fault(f"{service} stopped, then woken", partial(worker_stopped, service), dead_worker_s),
            Fault(f"{service} slot killed", partial(slot_killed, service), dead_worker_s),
            Fault(f"{service} rolled out", partial(worker_rolled_out, service), dead_worker_s),
        ]
    return [
        *faults,
        Fault("ingest killed", partial(ingest_hit, signal.SIGKILL), 10.0),
        Fault("ingest rolled out", partial(ingest_hit, signal.SIGTERM), 10.0),
        Fault("ingest stopped, then woken", ingest_stopped, 10.0),
        Fault("status killed", partial(status_hit, signal.SIGKILL), 10.0),
        Fault("status stopped, then woken", status_stopped, 10.0),
        Fault("PostgreSQL restarted", postgres_restarted, 5.0),
        Fault("S3 answers errors", s3_refusing, 5.0),
        Fault("S3 is silent", s3_silent, 5.0),
        Fault("NATS killed", nats_killed, 10.0),
        Fault("NATS stopped, then woken", nats_stopped, 10.0),
    ]


async def worker_killed(service: str, farm: Farm, rng: random.Random) -> float:
    """SIGKILL a worker in the middle of a job; counts until the job runs again."""
    while True:
        name, hit = await _busy(farm, service, rng)
        at_s = farm.signal(name, signal.SIGKILL)
        if (took_s := await _run_again(farm, hit, at_s)) is not None:
            return took_s


async def worker_stopped(service: str, farm: Farm, rng: random.Random) -> float:
    """SIGSTOP a worker in the middle of a job until another took the job over, then SIGCONT it."""
    while True:
        name, hit = await _busy(farm, service, rng)
        at_s = farm.signal(name, signal.SIGSTOP)
        try:
            if (took_s := await _run_again(farm, hit, at_s)) is not None:
                return took_s
        finally:
            with suppress(ProcessLookupError):
                farm.signal(name, signal.SIGCONT)


async def slot_killed(service: str, farm: Farm, rng: random.Random) -> float:
    """SIGKILL the process of a busy slot; counts until the job runs again."""
    while True:
        name, hit = await _busy(farm, service, rng)
        with suppress(ProcessLookupError):  # it is being replaced just now
            at_s = farm.signal_slot(name, signal.SIGKILL)
            if (took_s := await _run_again(farm, hit, at_s)) is not None:
                return took_s


async def worker_rolled_out(service: str, farm: Farm, rng: random.Random) -> float | None:
    """SIGTERM a busy worker, as a rollout does; counts until its jobs run elsewhere, None where they were finished."""
    name, hit = await _busy(farm, service, rng)
    at_s = farm.signal(name, signal.SIGTERM)
    return await _run_again(farm, hit, at_s)


async def ingest_hit(number: signal.Signals, farm: Farm, rng: random.Random) -> float:
    """Ends one ingest process; counts until a submit is accepted."""
    at_s = farm.signal(rng.choice(farm.replicas("ingest")), number)
    return await first_after(farm, _FIRST_ACCEPTED, at_s) - at_s


async def ingest_stopped(farm: Farm, rng: random.Random) -> float:
    """SIGSTOP one ingest process for a while; counts from its waking."""
    name = rng.choice(farm.replicas("ingest"))
    farm.signal(name, signal.SIGSTOP)
    await asyncio.sleep(HUNG_S)
    at_s = farm.signal(name, signal.SIGCONT)
    return await first_after(farm, _FIRST_ACCEPTED, at_s) - at_s


async def status_hit(number: signal.Signals, farm: Farm, rng: random.Random) -> float:
    """Ends a status process; counts until a client is answered again."""
    return await _until_told(farm, farm.signal(rng.choice(farm.replicas("status")), number))


async def status_stopped(farm: Farm, rng: random.Random) -> float:
    """SIGSTOP a status process for a while; counts from its waking."""
    name = rng.choice(farm.replicas("status"))
    farm.signal(name, signal.SIGSTOP)
    await asyncio.sleep(HUNG_S)
    return await _until_told(farm, farm.signal(name, signal.SIGCONT))


async def postgres_restarted(farm: Farm, _rng: random.Random) -> float:
    """Kills PostgreSQL; counts from when it takes connections again until an attempt starts."""
    before = farm.server("postgres").program_id
    children = psutil.Process(before).children(recursive=True)
    farm.signal("postgres", signal.SIGKILL)
    for child in children:  # the shared memory is theirs too: a new server waits until all are gone
        with suppress(psutil.NoSuchProcess):
            child.kill()
    at_s = await until(partial(_now, farm), despite=[CutlineError])
    return await first_after(farm, _FIRST_START, at_s) - at_s


async def s3_refusing(farm: Farm, _rng: random.Random) -> float:
    """S3 answers nothing but errors for a while; counts from its return until an attempt succeeds."""
    await farm.gate.refuse()
    return await _until_s3_is_back(farm)


async def s3_silent(farm: Farm, _rng: random.Random) -> float:
    """S3 answers nothing for a while; counts from its return until an attempt succeeds."""
    farm.gate.hang()
    return await _until_s3_is_back(farm)


async def nats_killed(farm: Farm, _rng: random.Random) -> float:
    """SIGKILL the broker; counts until an attempt starts."""
    before = farm.server("nats-server").program_id
    at_s = farm.signal("nats-server", signal.SIGKILL)
    await farm.replaced("nats-server", before)
    return await first_after(farm, _FIRST_START, await _now(farm)) - at_s


async def nats_stopped(farm: Farm, _rng: random.Random) -> float:
    """SIGSTOP the broker until every client must have noticed; counts from its waking."""
    farm.signal("nats-server", signal.SIGSTOP)
    await asyncio.sleep(HUNG_S)
    at_s = farm.signal("nats-server", signal.SIGCONT)
    return await first_after(farm, _FIRST_START, at_s) - at_s


async def _quiet(farm: Farm) -> None:
    """Waits until next to nothing is queued, so that a recovery does not tell how long a queue is."""
    await until(partial(farm.database.fetchval, _QUIET, QUIET_JOBS))


async def _busy(farm: Farm, service: str, rng: random.Random) -> tuple[str, list[tuple[Any, int]]]:
    """A worker in the middle of something, and its attempts; never a job that was hit before: three crashes kill it."""

    async def at_work() -> tuple[str, list[tuple[Any, int]]] | None:
        for name in rng.sample(farm.replicas(service), k=len(farm.replicas(service))):
            if running := await farm.database.fetch(_RUNNING, name):
                return name, [(row["job_id"], row["number"]) for row in running]
        return None

    return await until(at_work)


async def _run_again(farm: Farm, hit: list[tuple[Any, int]], at_s: float) -> float | None:
    """Seconds until each of the attempts hit was followed by another; None where they ended by themselves."""
    starts = [start for job_id, number in hit if (start := await _next_start(farm, job_id, number)) is not None]
    return max(starts) - at_s if starts else None


async def _next_start(farm: Farm, job_id: object, number: int) -> float | None:
    row = await until(partial(farm.database.fetchrow, _NEXT_START, job_id, number), despite=[CutlineError])
    start_s: float | None = row["start_s"]
    return start_s


async def first_after(farm: Farm, query: str, at_s: float) -> float:
    """When the first thing after `at_s` happened that the query speaks of."""
    found: float = await until(partial(farm.database.fetchval, query, at_s), despite=[CutlineError])
    return found


async def _until_s3_is_back(farm: Farm) -> float:
    await asyncio.sleep(S3_AWAY_S)
    await farm.gate.cut()  # an answer now would be to a question of long ago
    await farm.gate.open()
    at_s = await _now(farm)
    return await first_after(farm, _FIRST_SUCCESS, at_s) - at_s


async def _until_told(farm: Farm, at_s: float) -> float:
    design_id = await farm.database.fetchval("SELECT design_id FROM designs LIMIT 1")
    await farm.client.designs.read(str(design_id))
    return await _now(farm) - at_s


async def _now(farm: Farm) -> float:
    now: float = await farm.database.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
    return now
