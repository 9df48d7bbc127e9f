"""Runs dead jobs again: all that match, in batches that are each whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from cutline.domain.errors import NotFoundError, PreconditionError, Reason
from cutline.messaging.dead_stream import DeadStream
from cutline.store.outbox import OutboxRow, insert_outbox
from cutline.store.pool import Connection, Database, store_unavailable
from cutline.store.queue_actions import ActionState, QueueCall, advance_action, take_action
from cutline.store.queue_reads import DeadLetterFilter
from cutline.store.queue_redrive import (
    Candidate,
    Overtaken,
    TakenUp,
    judge,
    lock_candidates,
    next_letters,
    resolution_of,
    take_up,
)
from services.ingest.backlog import Backlog
from services.ingest.dispatch import Dispatch
from services.ingest.queue_dead_letters import no_such_letter, unreadable_letters

BATCH: Final = 200
CONFLICT_TRIES: Final = 8
PUBLISH_TIMEOUT_S: Final = 2.0

_WHY: Final = {
    Overtaken.ALREADY_RUNNING: "The job, or equal work of another design, was taken up already.",
    Overtaken.SUPERSEDED: "A newer run of the design has taken over, or its job is no longer kept.",
}


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one transaction did: how far the action is, and what is to be told of it."""

    state: ActionState
    taken: list[TakenUp]
    tickets: list[OutboxRow]


class Redrive:
    """Takes dead jobs up again.

    Each batch is one transaction: state of design and job, the dead letter's end, the ticket's outbox row and how far
    the call got. It is published after the commit; what a tenant may not have released at once waits for its turn.

    Args:
        database: Where the jobs are.
        stream: Tells whether an unknown id is a message without a job.
        dispatch: Publishes.
        backlog: Tells whether a tenant has enough released already.
        batch: Dead letters in one transaction.
    """

    def __init__(
        self, *, database: Database, stream: DeadStream, dispatch: Dispatch, backlog: Backlog, batch: int = BATCH
    ) -> None:
        self._database = database
        self._stream = stream
        self._dispatch = dispatch
        self._backlog = backlog
        self._batch = batch

    async def run(self, call: QueueCall, wanted: DeadLetterFilter) -> ActionState:
        """Runs every dead job that matches and was given up before the call began.

        Raises:
            NotFoundError: One was named, and there is no such dead letter.
            PreconditionError: One was named, and a newer run has overtaken it, or it names no job.
            ConflictError: The request id belongs to another call.
            UnavailableError: The database does not answer; the call can be repeated with its request id.
        """
        while True:
            try:
                done = await self._one_batch(call, wanted)
            except NotFoundError:
                if await unreadable_letters(self._stream, wanted):
                    raise _names_no_job(wanted.dead_letter_id) from None
                raise
            await self._tell(done)
            if done.state.finished:
                return done.state

    async def _one_batch(self, call: QueueCall, wanted: DeadLetterFilter) -> _Batch:
        async def work(connection: Connection) -> _Batch:
            state = await take_action(connection, call)
            if state.finished:
                return _Batch(state, [], [])
            ids = await next_letters(
                connection, wanted, after=state.last_id, until=state.create_time, limit=self._batch
            )
            candidates = await lock_candidates(connection, ids)
            verdicts = judge(candidates)
            if wanted.dead_letter_id is not None:
                await _require(connection, wanted.dead_letter_id, verdicts)
            free = [one for one, verdict in zip(candidates, verdicts, strict=True) if verdict is None]
            taken = await take_up(connection, free, self._turns(free))
            tickets = [self._dispatch.ticket(one.job) for one in taken if not one.waits]
            await insert_outbox(connection, tickets)
            state = await advance_action(
                connection,
                call,
                state,
                done=len(free),
                skipped=len(candidates) - len(free),
                last_id=ids[-1] if ids else None,
                finished=len(ids) < self._batch,
            )
            return _Batch(state, taken, tickets)

        for _ in range(CONFLICT_TRIES):
            try:
                return await self._database.run_transaction(work)
            except asyncpg.UniqueViolationError:
                continue  # equal work began elsewhere meanwhile: seen at the next look
        raise store_unavailable()

    def _turns(self, candidates: list[Candidate]) -> list[bool]:
        """For each job, whether it waits for its turn; the others count as released from now on."""
        waits = []
        for one in candidates:
            full = self._backlog.window_full(one.tenant, one.stage, one.lane)
            if full:
                self._backlog.hold(one.tenant, one.stage, one.lane)
            self._backlog.add(one.tenant, None if full else (one.tenant, one.stage, one.lane))
            waits.append(full)
        return waits

    async def _tell(self, done: _Batch) -> None:
        await self._dispatch.send(done.tickets, timeout_s=PUBLISH_TIMEOUT_S)
        for one in done.taken:
            await self._dispatch.ring(
                tenant=one.job.tenant, design_id=one.job.design_id, revision=one.revision, state=one.design_state
            )


async def _require(connection: Connection, dead_letter_id: UUID, verdicts: list[Overtaken | None]) -> None:
    """Refuses the one that was named unless it may run again."""
    if verdicts:
        verdict = verdicts[0]
    elif await resolution_of(connection, dead_letter_id) == "REDRIVEN":
        verdict = Overtaken.ALREADY_RUNNING
    else:
        raise no_such_letter(dead_letter_id)
    if verdict is not None:
        raise PreconditionError(verdict.value, _WHY[verdict], metadata={"dead_letter_id": str(dead_letter_id)})


def _names_no_job(dead_letter_id: UUID | None) -> PreconditionError:
    return PreconditionError(
        Reason.MESSAGE_UNREADABLE,
        "The message named no job: it can only be discarded.",
        metadata={"dead_letter_id": str(dead_letter_id)},
    )
