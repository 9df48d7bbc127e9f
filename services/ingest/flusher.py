"""The one flusher: takes every submit that waits, commits them in one statement, publishes, answers.

Exactly one commit is under way at a time; what arrives meanwhile makes the next batch, so that batches grow with the
load and a lone submit waits for nobody. Publishing runs beside the next commit. A caller is answered once Postgres has
committed and the broker has acked, or after 100 ms: the row in the outbox makes sure that the message follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from cutline.domain.calls import request_id_reused
from cutline.domain.errors import CutlineError, Reason, UnavailableError
from cutline.domain.states import LANES_BY_URGENCY, DesignState, Stage
from cutline.messaging.publisher import OutgoingMessage, Publisher
from cutline.messaging.tickets import design_ring, job_ticket
from cutline.messaging.topology import Topology, job_msg_id
from cutline.runtime.logging import get_logger
from cutline.store.outbox import delete_outbox
from cutline.store.pool import CONFLICTS, LOST_CONNECTION, MAX_CONFLICTS, Database, store_unavailable
from cutline.store.submissions import Repeat, Submission, accept_submissions, resolve_repeats
from cutline.telemetry.metrics import Metrics
from services.ingest.backlog import Backlog

log = get_logger(__name__)

MAX_BATCH: Final = 512
ACK_WAIT_S: Final = 0.1
PACE_S: Final = 0.002
IDLE_CLEANUP_S: Final = 0.25
MAX_ROUNDS: Final = 20
URGENCY: Final = {lane: rank for rank, lane in enumerate(LANES_BY_URGENCY)}


@dataclass(frozen=True, slots=True)
class Accepted:
    """A new design; `create_time` is the database's."""

    design_id: UUID
    create_time: datetime


Answer = Accepted | Repeat


@dataclass(eq=False, slots=True)
class _Pending:
    """A submit that waits for its answer.

    Attributes:
        first_use: Whether its upload is not known to be kept yet.
        refusal: Set where a cap is reached: it passes only if it repeats something.
    """

    row: Submission
    first_use: bool
    future: asyncio.Future[Answer]
    refusal: CutlineError | None = None

    def answer(self, answer: Answer) -> None:
        if not self.future.done():
            self.future.set_result(answer)

    def fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Flusher:
    """A part that accepts submits in groups.

    Args:
        database: Where rows go.
        publisher: Where messages go.
        topology: Names of subjects.
        backlog: What admission and the release window are decided by.
        metrics: Instruments.
        on_waiting: Called when a job was stored that is due but waits for its turn.
    """

    def __init__(
        self,
        *,
        database: Database,
        publisher: Publisher,
        topology: Topology,
        backlog: Backlog,
        metrics: Metrics,
        on_waiting: Callable[[], Awaitable[None]],
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._topology = topology
        self._backlog = backlog
        self._metrics = metrics
        self._on_waiting = on_waiting
        self._queue: list[_Pending] = []
        self._wake = asyncio.Event()
        self._published: list[UUID] = []
        self._last_flush_s = 0.0
        self._crowded = False
        self._publishing: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to take submits."""
        self._task = asyncio.create_task(self._run(), name="flusher")

    async def stop(self) -> None:
        """Answers what is queued, then ends."""
        task, self._task = self._task, None
        if task is None:
            return
        while self._queue and not task.done():
            await asyncio.wait([self._queue[-1].future])  # the server has drained: nothing new comes
        task.cancel()
        await asyncio.wait([task])
        if self._publishing:
            await asyncio.wait(self._publishing)

    async def submit(self, row: Submission, *, first_use: bool) -> Answer:
        """Accepts a submit, or finds what it repeats.

        Raises:
            ConflictError: Its request id belongs to another call.
            ResourceExhaustedError: A cap is reached and it repeats nothing.
            UnavailableError: The database cannot be reached.
        """
        pending = _Pending(row, first_use, asyncio.get_running_loop().create_future())
        self._queue.append(pending)
        self._wake.set()
        return await pending.future

    async def _run(self) -> None:
        while True:
            if not self._queue:
                await self._idle()
            await self._pace()
            batch, self._queue = self._queue[:MAX_BATCH], self._queue[MAX_BATCH:]
            if batch:
                await self._flush(batch)

    async def _pace(self) -> None:
        """Keeps commits apart while submits come in company, for bigger batches cost less; a lone one never waits."""
        loop = asyncio.get_running_loop()
        if self._crowded:
            await asyncio.sleep(self._last_flush_s + PACE_S - loop.time())
        self._crowded = len(self._queue) > 1
        self._last_flush_s = loop.time()

    async def _idle(self) -> None:
        """Waits for a submit; meanwhile removes outbox rows that no later commit took along."""
        self._wake.clear()
        try:
            async with asyncio.timeout(IDLE_CLEANUP_S if self._published else None):
                await self._wake.wait()
        except TimeoutError:
            published, self._published = self._published, []
            try:
                await delete_outbox(self._database.pool, published)
            except (*LOST_CONNECTION, asyncpg.PostgresError):
                log.warning("outbox.not_cleaned", rows=len(published))  # the relay removes them

    async def _flush(self, batch: list[_Pending]) -> None:
        """Answers or hands to publishing every submit of a batch, whatever happens."""
        try:
            self._metrics.group_commit_size.record(len(batch))
            await self._settle(batch)
        except LOST_CONNECTION:
            error = store_unavailable()
            for pending in batch:
                pending.fail(error)
        except Exception as error:
            log.exception("flush.failed", rows=len(batch))
            for pending in batch:
                pending.fail(error)

    async def _settle(self, batch: list[_Pending]) -> None:
        """Accepts and resolves in turn until every submit of the batch has its answer."""
        for _ in range(MAX_ROUNDS):
            leaders, rest = self._leaders(batch)
            lost = await self._accept(leaders) if leaders else []
            batch = await self._resolve(lost + rest) if lost or rest else []
            if not batch:
                return
        for pending in batch:  # equal work ended and began again each time we looked
            pending.fail(UnavailableError(Reason.STORE_UNAVAILABLE, "Too much happens to equal designs; try again."))

    def _leaders(self, batch: Sequence[_Pending]) -> tuple[list[_Pending], list[_Pending]]:
        """Splits a batch into submits that may be accepted together and those that first need them settled.

        The former are unique by request id and by dedup key, and admitted.
        """
        calls: set[tuple[str, UUID]] = set()
        by_key: dict[bytes, _Pending] = {}
        rest = []
        for pending in batch:
            row = pending.row
            call = None if row.call.request_id is None else (row.call.tenant, row.call.request_id)
            leader = by_key.get(row.dedup_key)
            pending.refusal = None
            if leader is not None and URGENCY[row.lane] < URGENCY[leader.row.lane]:
                leader.row.lane = row.lane
            if leader is not None or call in calls:
                rest.append(pending)
                continue
            pending.refusal = self._backlog.full(row.call.tenant)
            if pending.refusal is not None:
                rest.append(pending)
                continue
            by_key[row.dedup_key] = pending
            if call is not None:
                calls.add(call)
        leaders = list(by_key.values())
        for pending in leaders:
            self._direct(pending.row)
        return leaders, rest

    def _direct(self, row: Submission) -> None:
        """Decides whether a row's job is released at once, and writes its ticket if so."""
        tenant = row.call.tenant
        row.held = row.not_before_time is None and self._backlog.window_full(tenant, Stage.IMAGING, row.lane)
        if row.held:
            self._backlog.hold(tenant, Stage.IMAGING, row.lane)
        self._backlog.add(tenant, None if row.waits else (tenant, Stage.IMAGING, row.lane))
        row.subject, row.ticket = "", b""
        if not row.waits:
            row.subject = self._topology.job_subject(Stage.IMAGING, row.lane, tenant)
            row.ticket = job_ticket(
                job_id=row.job_id, publication=1, tenant=tenant, design_id=row.design_id, generation=1
            )

    async def _accept(self, leaders: list[_Pending]) -> list[_Pending]:
        """Commits what is new and publishes it; returns what is not new."""
        published, self._published = self._published, []
        try:
            accepted = await self._commit(leaders, published)
        except LOST_CONNECTION:
            raise
        except asyncpg.PostgresError as error:
            if len(leaders) == 1:
                log.exception("submit.failed", design_id=str(leaders[0].row.design_id))
                leaders[0].fail(error)
                return []
            # One of them is at fault: alone, only that one fails.
            lost = [await self._accept([pending]) for pending in leaders]
            return [pending for group in lost for pending in group]
        new = [pending for pending in leaders if pending.row.design_id in accepted]
        if new:
            task = asyncio.create_task(self._publish(new, accepted), name="publish")
            self._publishing.add(task)
            task.add_done_callback(self._publishing.discard)
        return [pending for pending in leaders if pending.row.design_id not in accepted]

    async def _commit(self, leaders: list[_Pending], published: list[UUID]) -> dict[UUID, datetime]:
        uploads = {pending.row.artwork.upload_id for pending in leaders if pending.first_use}
        for attempt in range(MAX_CONFLICTS):
            try:
                return await accept_submissions(
                    self._database.pool,
                    [pending.row for pending in leaders],
                    first_used_uploads=sorted(uploads),
                    published=published,
                )
            except CONFLICTS as error:
                log.info("flush.conflict", error=type(error).__name__, attempt=attempt)
        raise store_unavailable()

    async def _resolve(self, repeats: list[_Pending]) -> list[_Pending]:
        """Answers submits that repeat something; returns those to try again.

        A request id is looked at once a round: what its first caller repeats tells the answer of all others that ask
        the same, however many they are.
        """
        by_call: dict[object, list[_Pending]] = {}
        for pending in repeats:
            call = pending.row.call
            key = pending if call.request_id is None else (call.tenant, call.request_id)
            by_call.setdefault(key, []).append(pending)
        callers = list(by_call.values())
        found = await resolve_repeats(self._database.pool, [first.row for first, *_ in callers])
        later = []
        for position, (first, *others) in enumerate(callers):
            repeat = found.get(position)
            if repeat is None and first.refusal is not None:
                first.fail(first.refusal)
                later.extend(others)
            elif repeat is None:
                later.extend([first, *others])
            else:
                _answer_repeat(first, repeat)
                later.extend(other for other in others if not _answered_alike(other, first, repeat))
        return later

    async def _publish(self, new: list[_Pending], accepted: dict[UUID, datetime]) -> None:
        """Rings the designs' doorbells, publishes tickets, answers the callers."""
        try:
            # The rings go first because nothing is awaited for them: they leave in one write with the tickets.
            await self._publisher.ring_all([self._ring(pending.row) for pending in new])
            await self._send([pending for pending in new if not pending.row.waits])
        except Exception:
            log.exception("publish.broke")  # the relay goes on
        finally:
            for pending in new:
                design_id = pending.row.design_id
                pending.answer(Accepted(design_id, accepted[design_id]))
        if any(pending.row.held for pending in new):
            await self._on_waiting()

    def _ring(self, row: Submission) -> tuple[str, bytes]:
        tenant, design_id = row.call.tenant, row.design_id
        return (
            self._topology.design_subject(tenant, design_id),
            design_ring(design_id=design_id, tenant=tenant, revision=1, state=DesignState.QUEUED),
        )

    async def _send(self, released: list[_Pending]) -> None:
        messages = [
            OutgoingMessage(row.subject, job_msg_id(row.job_id, 1), row.ticket, row.traceparent)
            for row in (pending.row for pending in released)
        ]
        if not messages:
            return
        if not self._publisher.answering:
            # Nobody waits for a broker that does not answer: the relay publishes, one message asks whether it is back.
            await self._publisher.probe(messages[0])
            return
        acked = await self._publisher.publish(messages, timeout_s=ACK_WAIT_S)
        self._published.extend(pending.row.outbox_id for pending, has in zip(released, acked, strict=True) if has)


def _answer_repeat(pending: _Pending, repeat: Repeat) -> None:
    if repeat.conflict:
        pending.fail(request_id_reused(pending.row.call.request_id))
    else:
        pending.answer(repeat)


def _answered_alike(other: _Pending, first: _Pending, repeat: Repeat) -> bool:
    """Answers a caller of the same request id as `first`, where what that one repeats decides it."""
    same_body = other.row.call.body_sha256 == first.row.call.body_sha256
    if repeat.conflict and not same_body:
        return False  # the id belongs to a third body, which may be this one
    _answer_repeat(other, repeat if same_body else replace(repeat, conflict=True))
    return True
