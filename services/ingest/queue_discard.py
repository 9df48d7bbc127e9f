"""Drops dead letters for good: all that match, in batches, with what the broker has of them."""

from __future__ import annotations

from typing import Final

from cutline.domain.errors import UnavailableError
from cutline.messaging.dead_stream import DeadStream, LetterCopy, UnreadableLetter
from cutline.runtime.logging import get_logger
from cutline.store.pool import Connection, Database
from cutline.store.queue_actions import ActionState, QueueCall, advance_action, take_action
from cutline.store.queue_reads import DeadLetterFilter
from cutline.store.queue_redrive import DroppedLetter, drop_letters, next_letters
from services.ingest.queue_dead_letters import no_such_letter, unreadable_letters

log = get_logger(__name__)

BATCH: Final = 500


class Discard:
    """Closes dead letters; their jobs stay dead and their designs as they are.

    Args:
        database: Where the rows are.
        stream: Where their copies are, and the messages without a job.
        batch: Dead letters in one transaction.
    """

    def __init__(self, database: Database, stream: DeadStream, *, batch: int = BATCH) -> None:
        self._database = database
        self._stream = stream
        self._batch = batch

    async def run(self, call: QueueCall, wanted: DeadLetterFilter) -> ActionState:
        """Drops every dead letter that matches and was given up before the call began.

        Raises:
            NotFoundError: One was named, and there is no such dead letter.
            ConflictError: The request id belongs to another call.
            UnavailableError: The database does not answer, or the broker does not and may hold some that match; the
                call can be repeated with its request id.
        """
        aside = await unreadable_letters(self._stream, wanted)
        while True:
            state, dropped, more = await self._one_batch(call, wanted, aside)
            await self._remove_copies(dropped)
            if not more:
                break
        if state.finished:
            return state
        return await self._finish(call, removed=await self._stream.remove([one.sequence for one in aside]))

    async def _one_batch(
        self, call: QueueCall, wanted: DeadLetterFilter, aside: list[UnreadableLetter]
    ) -> tuple[ActionState, list[DroppedLetter], bool]:
        """One transaction: how far the action is, what was dropped, and whether rows are left."""

        async def work(connection: Connection) -> tuple[ActionState, list[DroppedLetter], bool]:
            state = await take_action(connection, call)
            if state.finished:
                return state, [], False
            ids = await next_letters(
                connection, wanted, after=state.last_id, until=state.create_time, limit=self._batch
            )
            if wanted.dead_letter_id is not None and not ids and not aside:
                raise no_such_letter(wanted.dead_letter_id)
            dropped = await drop_letters(connection, ids)
            more = len(ids) == self._batch
            state = await advance_action(
                connection,
                call,
                state,
                done=len(dropped),
                last_id=ids[-1] if ids else None,
                finished=not more and not aside,
            )
            return state, dropped, more

        return await self._database.run_transaction(work)

    async def _finish(self, call: QueueCall, *, removed: int) -> ActionState:
        async def work(connection: Connection) -> ActionState:
            state = await take_action(connection, call)
            return (
                state if state.finished else await advance_action(connection, call, state, done=removed, finished=True)
            )

        return await self._database.run_transaction(work)

    async def _remove_copies(self, dropped: list[DroppedLetter]) -> None:
        """Removes the broker's copies; where it does not answer they stay until they expire, and are never listed."""
        copies = [LetterCopy(one.dead_letter_id, one.stage, one.tenant, one.create_time) for one in dropped]
        try:
            await self._stream.remove_copies(copies)
        except UnavailableError:
            log.warning("queue.copies_left", dead_letters=len(copies))
