"""Every statement that a loop repeats finds its rows by an index, however many rows there are."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from cutline.store import admission, expiry, object_removals, orphans, outbox, release, silent, uploads
from cutline.store.ids import new_id

# Tables that grow with the work; the others stay small.
GROWING = {
    "designs", "generations", "jobs", "attempts", "artifacts", "mockups", "findings", "timeline", "uploads",
    "requests", "dead_letters", "queue_actions",
}  # fmt: skip

SECONDS = 60.0
STATEMENTS: dict[str, tuple[str, tuple[object, ...]]] = {
    "count unfinished": (admission._UNFINISHED, ()),
    "count released": (admission._RELEASED, ()),
    "held queues": (release._HELD, ()),
    "release": (release._RELEASE, (256, 1000, 300)),
    "silent": (silent._SILENT, (SECONDS, 500)),
    "note stored": (silent._NOTE, ([new_id()], [1], [1])),
    "republish": (silent._REPUBLISH, ([new_id()], [1])),
    "abandoned": (silent._ABANDONED, (SECONDS, 500)),
    "unused uploads": (uploads._REMOVE_UNUSED, (SECONDS, 200)),
    "ended jobs": (expiry._JOBS, (SECONDS, 200)),
    "requests": (expiry._REQUESTS, (SECONDS, 200)),
    "queue actions": (expiry._QUEUE_ACTIONS, (SECONDS, 200)),
    "dead letters": (expiry._DEAD_LETTERS, (SECONDS, 200)),
    "superseded generations": (expiry._GENERATIONS, (SECONDS, 200)),
    "expired designs": (expiry._EXPIRED_DESIGNS, (200,)),
    "nameless artifacts": (orphans._NAMELESS_ARTIFACTS, (["k"], [new_id()], [1])),
    "nameless uploads": (orphans._NAMELESS_UPLOADS, (["k"], [new_id()])),
    "lock designs": (orphans._LOCK_DESIGNS, ([new_id()],)),
    "object removals": (object_removals._TAKE, (200,)),
    "outbox": (outbox._TAKE, (SECONDS, 256)),
}


@pytest.fixture
async def connection(postgres_dsn: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection whose planner reads a whole table only where no index can serve."""
    opened = await asyncpg.connect(postgres_dsn)
    await opened.execute("SET enable_seqscan = off")
    yield opened
    await opened.close()


@pytest.mark.parametrize("name", STATEMENTS)
async def test_no_statement_of_a_loop_reads_a_growing_table_whole(
    connection: asyncpg.Connection[asyncpg.Record], name: str
) -> None:
    """With reading in order ruled out, the planner finds an index for every table that grows with the work."""
    query, arguments = STATEMENTS[name]

    plan = [row[0] for row in await connection.fetch(f"EXPLAIN {query}", *arguments)]

    scans = {word for line in plan if "Seq Scan on " in line for word in [line.split("Seq Scan on ")[1].split()[0]]}
    assert scans & GROWING == set(), "\n".join(plan)
