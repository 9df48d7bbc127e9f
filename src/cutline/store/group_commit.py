"""Writes together what comes together: one flusher, and nobody waits for company."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from cutline.domain.errors import UnavailableError
from cutline.store.pool import CONFLICTS, MAX_CONFLICTS, store_unavailable

_Row = TypeVar("_Row")
_Answer = TypeVar("_Answer")

# Half of what a worker with many slots has at hand: while one half is written, the other half works.
MAX_BATCH: Final = 32


class GroupCommit(Generic[_Row, _Answer]):
    """Hands rows to one write at a time; what comes while a write is under way makes the next batch.

    A lone row is written at once. A batch that fails for another reason than an absent database is written again row
    by row, so that only the guilty caller hears of it.

    Args:
        write: Writes rows in one transaction, all or none of them, and gives an answer for each, in order.
        max_batch: Rows in a transaction at most.
    """

    def __init__(
        self, write: Callable[[Sequence[_Row]], Awaitable[Sequence[_Answer]]], *, max_batch: int = MAX_BATCH
    ) -> None:
        self._write = write
        self._max_batch = max_batch
        self._queue: list[tuple[_Row, asyncio.Future[_Answer]]] = []
        self._flusher: asyncio.Task[None] | None = None

    async def submit(self, row: _Row) -> _Answer:
        """Has a row written and gives its answer.

        Raises:
            UnavailableError: The database cannot be reached; whether the row was written is not known.
        """
        future: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._queue.append((row, future))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._run(), name="group-commit")
        return await future

    async def _run(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue[: self._max_batch], self._queue[self._max_batch :]
                await self._flush(batch)
        finally:
            self._flusher = None

    async def _flush(self, batch: list[tuple[_Row, asyncio.Future[_Answer]]]) -> None:
        try:
            answers = await self._written([row for row, _ in batch])
        except UnavailableError:
            for _, future in batch:
                _fail(future, store_unavailable())
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        except Exception as error:  # noqa: BLE001  (it is the caller's, whatever it is)
            await self._blame(batch, error)
        else:
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)

    async def _blame(self, batch: list[tuple[_Row, asyncio.Future[_Answer]]], error: Exception) -> None:
        """Finds the guilty by writing row by row."""
        if len(batch) == 1:
            _fail(batch[0][1], error)
            return
        for one in batch:
            await self._flush([one])

    async def _written(self, rows: list[_Row]) -> Sequence[_Answer]:
        for _ in range(MAX_CONFLICTS):
            try:
                return await self._write(rows)
            except CONFLICTS:  # nothing was written, and the same can succeed at once
                continue
        raise store_unavailable()


def _fail(future: asyncio.Future[_Answer], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
