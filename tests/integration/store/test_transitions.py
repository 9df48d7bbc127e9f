"""The database allows exactly the changes of state that the domain allows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import product
from uuid import UUID

import asyncpg
import pytest

from cutline.domain.states import DesignState, JobState, design_may_become, job_may_become
from cutline.store.ids import new_id


@pytest.fixture
async def connection(postgres_dsn: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection to a migrated database."""
    opened = await asyncpg.connect(postgres_dsn)
    yield opened
    await opened.close()


async def _insert_design(connection: asyncpg.Connection[asyncpg.Record], state: str) -> UUID:
    design_id = new_id()
    await connection.execute(
        "INSERT INTO designs (design_id, tenant, title, labels, reference, upload_id, artwork_key, filename,"
        " media_type, size_bytes, sha256, state, generation)"
        " VALUES ($1, 'acme', '', '{}', '', $1, 'key', 'a.png', 'image/png', 1, $2, $3, 5)",
        design_id,
        bytes(32),
        state,
    )
    return design_id


async def _insert_job(
    connection: asyncpg.Connection[asyncpg.Record], state: JobState, *, publication: int = 1, attempt: int = 0
) -> UUID:
    job_id = await _insert_design(connection, "QUEUED")
    await connection.execute(
        "INSERT INTO generations (design_id, generation, dedup_key, spec, resolved_spec)"
        " VALUES ($1, 1, $2, '{}', '{}')",
        job_id,
        job_id.bytes * 2,
    )
    await connection.execute(
        "INSERT INTO jobs (job_id, tenant, design_id, generation, stage, lane, state, max_attempts, publication,"
        " attempt) VALUES ($1, 'acme', $1, 1, 'imaging', 'standard', $2, 5, $3, $4)",
        job_id, state.value, publication, attempt,
    )  # fmt: skip
    return job_id


async def test_designs_change_as_the_domain_says(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Every pair of states, in the same, the next, the one after and the former generation."""
    wrong = []
    for old, new, step in product(DesignState, DesignState, (-1, 0, 1, 2)):
        design_id = await _insert_design(connection, old)
        allowed = design_may_become(old, new, old_generation=5, new_generation=5 + step)
        try:
            await connection.execute(
                "UPDATE designs SET state = $2, generation = $3 WHERE design_id = $1", design_id, new.value, 5 + step
            )
            done = True
        except asyncpg.CheckViolationError:
            done = False
        if done != allowed:
            wrong.append((old, new, step))
    assert wrong == []


async def test_jobs_change_as_the_domain_says(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Every pair of states."""
    wrong = []
    for old, new in product(JobState, JobState):
        job_id = await _insert_job(connection, old)
        try:
            await connection.execute("UPDATE jobs SET state = $2 WHERE job_id = $1", job_id, new.value)
            done = True
        except asyncpg.CheckViolationError:
            done = False
        if done != job_may_become(old, new):
            wrong.append((old, new))
    assert wrong == []


async def test_every_change_of_a_design_raises_its_revision(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """The trigger counts, whatever the statement says."""
    design_id = await _insert_design(connection, "QUEUED")

    revisions = [
        await connection.fetchval(
            "UPDATE designs SET progress = $2, revision = 77 WHERE design_id = $1 RETURNING revision", design_id, share
        )
        for share in (0.1, 0.2)
    ]

    assert revisions == [2, 3]


@pytest.mark.parametrize("column", ["publication", "attempt"])
async def test_publication_and_attempt_only_grow(connection: asyncpg.Connection[asyncpg.Record], column: str) -> None:
    """A message that was superseded can never become current again."""
    job_id = await _insert_job(connection, JobState.QUEUED, publication=3, attempt=3)

    with pytest.raises(asyncpg.CheckViolationError):
        # The column comes from the parameters above.
        await connection.execute(f"UPDATE jobs SET {column} = 2 WHERE job_id = $1", job_id)  # noqa: S608
