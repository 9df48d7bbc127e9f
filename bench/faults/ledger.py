"""The accounts after the faults, from the database, the object store and the streams.

An effect is an artifact set, a state transition or a follow-up job; each must have been committed once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import partial
from typing import Final
from uuid import UUID

from bench.faults.farm import Farm
from bench.faults.polling import until
from cutline.blobs.store import S3BlobStore
from cutline.domain.states import DesignState
from cutline.jobs.v1.ticket_pb2 import DesignRing
from cutline.runtime.environment import EnvReader
from cutline.runtime.settings import S3Settings
from cutline.store.pool import Database

_STATES: Final = "SELECT design_id, state FROM designs"
DOUBLED: Final = """
    SELECT 'attempts' AS what, job_id::text AS which FROM attempts WHERE outcome = 'SUCCEEDED'
    GROUP BY job_id HAVING count(*) > 1
    UNION ALL
    SELECT 'transition ' || event, design_id::text FROM timeline
    WHERE event IN ('submitted', 'imaging_done', 'ready', 'failed', 'cancelled')
    GROUP BY design_id, generation, event HAVING count(*) > 1
    UNION ALL
    SELECT 'follow-up', design_id::text FROM jobs GROUP BY design_id, generation, stage HAVING count(*) > 1
    UNION ALL
    SELECT 'dead letters', job_id::text FROM dead_letters WHERE resolution IS NULL
    GROUP BY job_id HAVING count(*) > 1
"""
_DEAD: Final = "SELECT DISTINCT design_id FROM dead_letters WHERE design_id = ANY($1) AND resolution IS NULL"
_OBJECTS: Final = """
    SELECT design_id, object_key FROM artifacts WHERE design_id = ANY($1)
    UNION ALL SELECT design_id, object_key FROM mockups WHERE design_id = ANY($1)
"""
_BARE: Final = """
    SELECT design_id FROM designs
    WHERE design_id = ANY($1) AND state = 'READY'
      AND (SELECT count(*) FROM artifacts WHERE artifacts.design_id = designs.design_id) <> $2
"""
_ATTEMPTS: Final = """
    SELECT coalesce(outcome, 'OPEN') AS outcome, count(*) AS number
    FROM attempts JOIN jobs USING (job_id) WHERE design_id = ANY($1) GROUP BY 1
"""
_TOLD: Final = "SELECT NOT EXISTS (SELECT FROM outbox)"
_TERMINAL: Final = frozenset(state for state in DesignState if state.terminal)
_READS_AT_ONCE: Final = 16
_READ_S: Final = 10.0
_TELL_S: Final = 60.0


@dataclass(frozen=True)
class Accounts:
    """What the books say.

    Attributes:
        accepted: Designs that were accepted.
        states: Designs by state.
        attempts: Attempts by outcome.
        lost: Designs that are gone, not terminal, or READY without all files.
        doubled: Effects committed more than once.
        untold: Designs whose end is not in the stream of events.
        missing: Object keys that a row names and the store does not hold.
        dead: Designs with an open dead letter.
    """

    accepted: int
    states: Mapping[str, int]
    attempts: Mapping[str, int]
    lost: tuple[UUID, ...]
    doubled: tuple[str, ...]
    untold: tuple[UUID, ...]
    missing: tuple[str, ...]
    dead: frozenset[UUID]

    def faults(self, poison: frozenset[UUID]) -> list[str]:
        """What is wrong, a line each; nothing where the books balance.

        Args:
            poison: Designs that must be dead, and no others.
        """
        wrong = [
            f"{name}: {len(found)}, such as {found[0]}"
            for name in ("lost", "doubled", "untold", "missing")
            if (found := getattr(self, name))
        ]
        wrong += [f"dead without reason: {design_id}" for design_id in self.dead - poison]
        wrong += [f"not dead: {design_id}" for design_id in poison - self.dead]
        return wrong

    def __str__(self) -> str:
        """One line a field."""
        return "\n".join(f"{field.name:>10}  {_plain(getattr(self, field.name))}" for field in fields(self))


async def balance(farm: Farm, accepted: frozenset[UUID], *, files: int = 2) -> Accounts:
    """Reads the books when every design is at rest and all that was to be told has left the outbox.

    Args:
        farm: Whose books.
        accepted: Designs that clients were answered with; there may be more, whose answer was lost on its way.
        files: Artifacts of each design that is READY.
    """
    database = farm.database
    await _all_told(farm)
    states = {row["design_id"]: row["state"] for row in await database.fetch(_STATES)}
    ids = list(states.keys() | accepted)
    lost = [each for each in ids if states.get(each) not in _TERMINAL]
    lost += [row["design_id"] for row in await database.fetch(_BARE, ids, files)]
    rings = await _terminal_rings(farm)
    told = {design_id for design_id, _ in rings}
    by_state = {state: list(states.values()).count(state) for state in sorted(set(states.values()))}
    return Accounts(
        accepted=len(ids),
        states=by_state,
        attempts={row["outcome"]: row["number"] for row in await database.fetch(_ATTEMPTS, ids)},
        lost=tuple(lost),
        doubled=(
            *(f"{row['what']} of {row['which']}" for row in await database.fetch(DOUBLED)),
            *(f"ring of {design_id}" for (design_id, _), number in rings.items() if number > 1),
        ),
        untold=tuple(each for each in ids if str(each) not in told),
        missing=await missing_objects(database, farm.servers.environment(), ids),
        dead=frozenset(row["design_id"] for row in await database.fetch(_DEAD, ids)),
    )


async def _all_told(farm: Farm) -> None:
    """Waits until the outbox is empty; what never leaves it shows in the books."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_TELL_S):
            await until(partial(farm.database.fetchval, _TOLD))


async def _terminal_rings(farm: Farm) -> Counter[tuple[str, int]]:
    """How often the stream of events holds each terminal ring, by design and revision."""
    rings: Counter[tuple[str, int]] = Counter()
    async with farm.jetstream() as jetstream:
        stream = farm.topology.events_stream
        left = (await jetstream.stream_info(stream)).state.messages
        reader = await jetstream.subscribe(farm.topology.all_designs_subject, stream=stream, ordered_consumer=True)
        for _ in range(left):
            message = await reader.next_msg(timeout=_READ_S)
            ring = DesignRing.FromString(message.data)
            if ring.state in _TERMINAL:
                rings[message.subject.rpartition(".")[2], ring.revision] += 1
        await reader.unsubscribe()
    return rings


async def missing_objects(database: Database, environment: Mapping[str, str], ids: Collection[UUID]) -> tuple[str, ...]:
    """Object keys that rows of designs name and the store of an environment does not hold."""
    keys = [row["object_key"] for row in await database.fetch(_OBJECTS, ids)]
    store = S3BlobStore(S3Settings.read(EnvReader(environment)))
    await store.start()
    at_once = asyncio.Semaphore(_READS_AT_ONCE)

    async def there(key: str) -> bool:
        async with at_once:
            return await store.head(key) is not None

    try:
        found = await asyncio.gather(*(there(key) for key in keys))
    finally:
        await store.stop()
    return tuple(key for key, is_there in zip(keys, found, strict=True) if not is_there)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {number}" for name, number in value.items())
    return len(value) if isinstance(value, tuple | frozenset) else value
