"""One message from its delivery to its settlement: claim, heartbeat, work."""

from __future__ import annotations

import asyncio
import random
import time
from functools import partial

from nats.aio.msg import Msg
from opentelemetry.trace import SpanKind, Status, StatusCode

from cutline.domain.errors import CutlineError, Reason, UnavailableError
from cutline.jobs.v1 import ticket_pb2
from cutline.messaging.heartbeat import Heartbeat
from cutline.messaging.outcomes import Outcome, Reject, Retry, Snooze
from cutline.messaging.room import Room
from cutline.messaging.settlement import PUBLIC_FAULT, UNREACHABLE_NAK_S, Crashed, Desk, Ending, Settlement
from cutline.messaging.slot import (
    CANCEL_GRACE_S,
    Slot,
    SlotCancelledError,
    SlotCrashedError,
    SlotDeadlineError,
    SlotFaultError,
    SlotMemoryError,
)
from cutline.messaging.work import Progress, Work
from cutline.runtime.logging import get_logger, log_facts
from cutline.store.attempts import Claim, Refusal
from cutline.store.commits import Committed
from cutline.telemetry.names import Attribute, Span
from cutline.telemetry.propagation import extract

log = get_logger(__name__)

# From the second crash on a job has its worker to itself, so that it takes nobody with it.
ALONE_AFTER_CRASHES = 2
OUTAGE_PAUSE_S = (1.0, 4.0)
"""Shortest and longest wait of a job for a store that is away."""
# Time for a handler to come to its end once the process it waits for was killed.
_UNWIND_S = 0.25
_SOUND = frozenset({"succeeded", "snoozed", "cancelled", "superseded", "interrupted"})


class Delivery:
    """A message this worker runs.

    Attributes:
        ticket: What the message says.
        claim: The attempt, once it is claimed.
        settlement: How it ends.
        hindered: Whether it could not be done for want of something that every job needs.
    """

    def __init__(self, desk: Desk, message: Msg, ticket: ticket_pb2.JobTicket, settlement: Settlement) -> None:
        self._desk = desk
        self._message = message
        self.ticket = ticket
        self.claim: Claim | None = None
        self.settlement = settlement
        self.hindered = False
        self._cancel = asyncio.Event()
        self._handling: asyncio.Future[Outcome] | None = None
        self._interrupted = False
        self._heartbeat: Heartbeat | None = None

    def look_now(self) -> None:
        """Makes the heartbeat look at the job at once: somebody rang that it may be cancelled."""
        if self._heartbeat is not None:
            self._heartbeat.look_now()

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
        heartbeat = self._heartbeat = Heartbeat(self._desk, self.settlement, claim, lost=self._stop_working)
        await heartbeat.start()
        try:
            async with room.entered(alone=claim.crash_count >= ALONE_AFTER_CRASHES):
                await self._run(claim, slot, heartbeat)
        finally:
            await heartbeat.stop()

    async def _claimed(self) -> Claim | None:
        """The attempt; None where the message is settled without one, or is not ours to settle."""
        ticket = self.ticket
        claim = partial(self._desk.attempts.claim, ticket, self._desk.stage)
        try:
            claimed = await self.settlement.patiently(claim)
        except UnavailableError:
            self.hindered = True
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

    async def _run(self, claim: Claim, slot: Slot, heartbeat: Heartbeat) -> None:
        started = time.monotonic()
        deadline = heartbeat.deadline = started + self._desk.hard_deadline_s
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

    def _stop_working(self) -> None:
        """Ends unwanted work: its process is asked, then killed; a handler that waits for something else is cut off."""
        self._cancel.set()
        asyncio.get_running_loop().call_later(CANCEL_GRACE_S + _UNWIND_S, self._cut_off)

    def _cut_off(self) -> None:
        if self._handling is not None:
            self._handling.cancel()

    def _told_to_end(self) -> Ending | None:
        if self._interrupted:
            return Ending.INTERRUPTED
        return Ending.UNWANTED if self._cancel.is_set() else None

    async def _handle(self, work: Work, deadline: float) -> Outcome | Crashed | Ending:
        if (ending := self._told_to_end()) is not None:
            return ending
        handling = self._handling = asyncio.ensure_future(self._desk.handler(work))
        timeout = asyncio.timeout(deadline - time.monotonic())
        try:
            async with timeout:
                outcome = await handling
        except asyncio.CancelledError:
            if (ending := self._told_to_end()) is None:
                raise
            return ending
        except Exception as error:  # noqa: BLE001  (whatever it is, the job ends and the worker goes on)
            cause = SlotDeadlineError() if timeout.expired() else error
            if (timeout.expired() or isinstance(error, UnavailableError)) and await self._outage():
                self.hindered = True
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


def _outcome_of(error: Exception, hard_deadline_s: float) -> Outcome | Crashed | Ending:
    """What an exception of the work means; the table stands in `settlement`."""
    match error:
        case SlotCancelledError():
            return Ending.UNWANTED
        case SlotCrashedError():
            log.warning("delivery.slot_crashed", exit_code=error.exit_code)
            return Crashed(Reason.WORKER_CRASHED, "The process that worked on this died.")
        case SlotDeadlineError():
            return Crashed(Reason.DEADLINE_HARD, f"The work took longer than {hard_deadline_s:g} s.")
        case CutlineError() if not error.retryable:
            return Reject(error.reason, error.message)
    return _retry_of(error)


def _retry_of(error: Exception) -> Retry:
    match error:
        case UnavailableError():  # its pause is meant for a client that waits; a job backs off
            return Retry(error.reason, error.message)
        case CutlineError():
            return Retry(error.reason, error.message, error.retry_after_s)
        case SlotMemoryError():
            log.warning("delivery.memory_limit", stack=str(error))
            return Retry(Reason.MEMORY_LIMIT, "The work needed more memory than a job may have.")
        case SlotFaultError():
            log.error("delivery.fault", stack=str(error))
        case _:
            log.error("delivery.fault", exc_info=error)
    return Retry(Reason.INTERNAL, PUBLIC_FAULT)
