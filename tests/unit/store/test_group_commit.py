"""Rows that come together are written together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest

from cutline.domain.errors import Reason, UnavailableError
from cutline.store.group_commit import GroupCommit


class Table:
    """Takes batches of numbers and answers with ten times each.

    Attributes:
        batches: What came, in order.
        go_on: Set while writes may end.
        errors: Raised by the next writes, one each.
        bad: A number that no batch may hold.
    """

    def __init__(self, *, max_batch: int = 32) -> None:
        self.batches: list[list[int]] = []
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.errors: list[Exception] = []
        self.bad: int | None = None
        self.group: GroupCommit[int, int] = GroupCommit(self._write, max_batch=max_batch)

    async def _write(self, rows: Sequence[int]) -> list[int]:
        self.batches.append(list(rows))
        self.begun.set()
        await self.go_on.wait()
        if self.errors:
            raise self.errors.pop(0)
        if self.bad in rows:
            msg = f"{self.bad} is bad"
            raise ValueError(msg)
        return [10 * row for row in rows]


async def test_a_lone_row_is_written_at_once() -> None:
    """Nobody waits for company, and each answer is its row's own."""
    table = Table()

    assert [await table.group.submit(1), await table.group.submit(2)] == [10, 20]

    assert table.batches == [[1], [2]]


async def test_what_comes_during_a_write_makes_the_next_batch() -> None:
    """One write is under way at a time; a batch is no longer than it may be."""
    table = Table(max_batch=2)
    table.go_on.clear()
    first = asyncio.create_task(table.group.submit(1))
    await table.begun.wait()
    rest = [asyncio.create_task(table.group.submit(number)) for number in (2, 3, 4)]
    table.go_on.set()

    assert await asyncio.gather(first, *rest) == [10, 20, 30, 40]

    assert table.batches == [[1], [2, 3], [4]]


async def test_only_the_guilty_hears_of_its_error() -> None:
    """A batch that fails is written again row by row."""
    table = Table()
    table.bad = 2

    answers = await asyncio.gather(*(table.group.submit(number) for number in (1, 2, 3)), return_exceptions=True)

    assert answers[::2] == [10, 30]
    assert isinstance(answers[1], ValueError)


async def test_an_absent_database_is_everybodys_error() -> None:
    """Each caller hears that the database cannot be reached, and the next write is a new chance."""
    table = Table()
    table.errors = [UnavailableError(Reason.STORE_UNAVAILABLE, "away")]

    answers = await asyncio.gather(*(table.group.submit(number) for number in (1, 2)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [UnavailableError] * 2
    assert await table.group.submit(3) == 30


async def test_a_conflict_is_nobodys_error() -> None:
    """What Postgres undid for a deadlock or a serialisation conflict is written again as it was."""
    table = Table()
    table.errors = [asyncpg.DeadlockDetectedError("conflict"), asyncpg.SerializationError("conflict")]

    assert await asyncio.gather(*(table.group.submit(number) for number in (1, 2))) == [10, 20]

    assert table.batches == [[1, 2]] * 3


async def test_a_caller_that_went_away_spoils_nothing() -> None:
    """A cancelled caller's row is written all the same, and its neighbours are answered."""
    table = Table()
    table.go_on.clear()
    gone = asyncio.create_task(table.group.submit(1))
    stays = asyncio.create_task(table.group.submit(2))
    await table.begun.wait()
    gone.cancel()
    table.go_on.set()

    assert await stays == 20
    with pytest.raises(asyncio.CancelledError):
        await gone
