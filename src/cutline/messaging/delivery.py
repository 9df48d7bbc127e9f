"""One message from its delivery to its settlement: claim, heartbeat, work."""

from __future__ import annotations

import asyncio
import math
import random
import time
from contextlib import suppress
from functools import partial

from nats.aio.msg import Msg
from opentelemetry.trace import SpanKind, Status, StatusCode

from cutline.domain.errors import CutlineError, Reason, UnavailableError
from cutline.jobs.v1 import ticket_pb2
from cutline.messaging.outcomes import Outcome, Reject, Retry, Snooze
from cutline.messaging.room import Room
from cutline.messaging.settlement import PUBLIC_FAULT, UNREACHABLE_NAK_S, Desk, Ending, Settlement
from cutline.messaging.slot import (
    Slot,
    SlotCancelledError,
    SlotCrashedError,
    SlotDeadlineError,
    SlotFaultError,
    SlotMemoryError,
)
from cutline.messaging.work import Progress, Work
from cutline.runtime.logging import get_logger, log_facts
from cutline.store.attempts import Claim, Refusal, Standing
from cutline.store.commits import Committed
from cutline.telemetry.names import Attribute, Span
from cutline.telemetry.propagation import extract

log = get_logger(__name__)

# From the second crash on a job has its worker to itself, so that it takes nobody with it.
ALONE_AFTER_CRASHES = 2
OUTAGE_PAUSE_S = (1.0, 4.0)
"""Shortest and longest wait of a job for a store that is away."""
_SOUND = frozenset({"succeeded", "snoozed", "cancelled", "superseded", "interrupted"})


class Delivery:
    """A message this worker runs.

    Attributes:
        ticket: What the message says.
        claim: The attempt, once it is claimed.
        settlement: How it ends.
    """

    def __init__(self, desk: Desk, message: Msg, ticket: ticket_pb2.JobTicket) -> None:
        self._desk = desk
        self._message = message
        self.ticket = ticket
        self.claim: Claim | None = None
        self.settlement = Settlement(desk, message)
        self._cancel = asyncio.Event()
        self._deadline = math.inf  # runs from the moment the work may begin
        self._handling: asyncio.Future[Outcome] | None = None
        self._interrupted = False
        self._beating: asyncio.Task[None] | None = None
        self._look = asyncio.Event()

    def look_now(self) -> None:
        """Makes the heartbeat look at the job at once: somebody rang that it may be cancelled."""
        self._look.set()

    def interrupt(self) -> None:
        """Gives the job back: the worker has to stop."""
        self._interrupted = self.settlement.hurry = True
        if self._handling is not None:
            self._handling.cancel()

    async def run(self, slot: Slot, room: Room) -> None:
        """Claims the job, works on it in `slot` and settles the message."""
        claim = await self._claimed()
        if claim is None:
            return
        self.claim = claim
        beating = self._beating = asyncio.create_task(self._beat(claim))
        try:
            async with room.entered(alone=claim.crash_count >= ALONE_AFTER_CRASHES):
                await self._run(claim, slot)
        finally:
            beating.cancel()
            await asyncio.wait([beating])

    async def _claimed(self) -> Claim | None:
        """The attempt; None where the message is settled without one, or is not ours to settle."""
        ticket = self.ticket
        claim = partial(self._desk.attempts.claim, ticket, self._desk.stage)
        try:
            claimed = await self.settlement.patiently(claim)
        except UnavailableError:
            await self.settlement.nak(UNREACHABLE_NAK_S)
            return None
        match claimed:
            case Claim():
                return claimed
            case Committed():
                log.error("delivery.crashed_too_often", job_id=ticket.job_id)
                await self.settlement.tell(claimed)
            case Refusal.NOT_WANTED:
                await self.settlement.ack()
            case Refusal.RUNNING:
                log.info("delivery.already_running", job_id=ticket.job_id)
        return None

    async def _run(self, claim: Claim, slot: Slot) -> None:
        started = time.monotonic()
        deadline = self._deadline = started + self._desk.hard_deadline_s
        destination = f"jobs.{claim.stage}.{claim.lane}"
        with (
            log_facts(job_id=str(claim.job_id), design_id=str(claim.design_id), attempt=str(claim.attempt)),
            self._desk.telemetry.tracer.start_as_current_span(
                Span.PROCESS.format(destination=destination),
                context=extract(self._message.headers),
                kind=SpanKind.CONSUMER,
                attributes=_attributes(claim, destination),
            ) as span,
        ):
            progress = Progress(self._desk.attempts, claim, self.settlement.ring)
            work = Work(
                claim,
                slot,
                deadline=deadline,
                cancel=self._cancel,
                telemetry=self._desk.telemetry,
                progress=progress,
            )
            ending = await self._handle(work, deadline)
            await progress.stop()
            await self.settlement.settle(claim, ending)
            span.set_attribute(Attribute.OUTCOME, self.settlement.name)
            if self.settlement.name not in _SOUND:
                span.set_status(Status(StatusCode.ERROR))
            took_s = time.monotonic() - started
            log.info("delivery.settled", outcome=self.settlement.name, took_s=round(took_s, 3))
        self._measure(claim, took_s)

    async def _beat(self, claim: Claim) -> None:
        """Renews lease and message together: first the lease, so that a message handed on finds it run out."""
        await self.settlement.in_progress()
        await self.settlement.ring(Committed(claim.tenant, claim.design_id, claim.revision, claim.design_state))
        while (left_s := self._deadline - time.monotonic()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), min(self._desk.heartbeat_s, left_s))
            self._look.clear()
            try:
                standing = await self._desk.attempts.renew(claim)
            except UnavailableError:
                log.warning("delivery.renewal_failed")
                standing = Standing.HELD  # nobody else can claim it either
            if standing is not Standing.HELD:
                self._cancel.set()
                return
            if time.monotonic() < self._deadline:
                await self.settlement.in_progress()

    async def _handle(self, work: Work, deadline: float) -> Outcome | Ending:
        if self._interrupted:
            return Ending.INTERRUPTED
        handling = self._handling = asyncio.ensure_future(self._desk.handler(work))
        timeout = asyncio.timeout(deadline - time.monotonic())
        try:
            async with timeout:
                outcome = await handling
        except asyncio.CancelledError:
            if self._interrupted:
                return Ending.INTERRUPTED
            raise
        except Exception as error:  # noqa: BLE001  (whatever it is, the job ends and the worker goes on)
            cause = SlotDeadlineError() if timeout.expired() else error
            if (timeout.expired() or isinstance(error, UnavailableError)) and await self._outage():
                return Snooze(random.uniform(*OUTAGE_PAUSE_S))  # noqa: S311  (jitter, no secret)
            return _outcome_of(cause, self._desk.hard_deadline_s)
        finally:
            self._handling = None
        return Ending.UNWANTED if work.cancel.is_set() else outcome

    async def _outage(self) -> bool:
        """Whether no job could be done now: then it is not this one that failed."""
        problem = await self._desk.outage()
        if problem is not None:
            log.warning("delivery.outage", problem=problem)
        return problem is not None

    def _measure(self, claim: Claim, took_s: float) -> None:
        metrics, outcome = self._desk.telemetry.metrics, self.settlement.name
        labels = {Attribute.STAGE.value: claim.stage.value, Attribute.OUTCOME.value: outcome}
        metrics.stage_duration_s.record(took_s, labels)
        labels |= {Attribute.LANE.value: claim.lane.value, Attribute.REASON.value: self.settlement.reason}
        metrics.jobs.add(1, labels)


def _attributes(claim: Claim, destination: str) -> dict[str, str | int]:
    return {
        Attribute.MESSAGING_SYSTEM: "nats",
        Attribute.MESSAGING_DESTINATION_TEMPLATE: destination,
        Attribute.MESSAGING_OPERATION_TYPE: "process",
        Attribute.TENANT: claim.tenant,
        Attribute.DESIGN_ID: str(claim.design_id),
        Attribute.JOB_ID: str(claim.job_id),
        Attribute.GENERATION: claim.generation,
        Attribute.ATTEMPT: claim.attempt,
        Attribute.STAGE: claim.stage.value,
        Attribute.LANE: claim.lane.value,
    }


def _outcome_of(error: Exception, hard_deadline_s: float) -> Outcome | Ending:
    """What an exception of the work means; the table stands in `settlement`."""
    match error:
        case SlotCancelledError():
            return Ending.UNWANTED
        case SlotCrashedError():
            log.warning("delivery.slot_crashed", exit_code=error.exit_code)
            return Ending.CRASHED
        case CutlineError() if not error.retryable:
            return Reject(error.reason, error.message)
    return _retry_of(error, hard_deadline_s)


def _retry_of(error: Exception, hard_deadline_s: float) -> Retry:
    match error:
        case UnavailableError():  # its pause is meant for a client that waits; a job backs off
            return Retry(error.reason, error.message)
        case CutlineError():
            return Retry(error.reason, error.message, error.retry_after_s)
        case SlotDeadlineError():
            return Retry(Reason.DEADLINE_HARD, f"The work took longer than {hard_deadline_s:g} s.")
        case SlotMemoryError():
            log.warning("delivery.memory_limit", stack=str(error))
            return Retry(Reason.MEMORY_LIMIT, "The work needed more memory than a job may have.")
        case SlotFaultError():
            log.error("delivery.fault", stack=str(error))
        case _:
            log.error("delivery.fault", exc_info=error)
    return Retry(Reason.INTERNAL, PUBLIC_FAULT)
