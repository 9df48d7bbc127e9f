"""How an attempt ends: in the database, in what is told, and for its message.

How an end is taken, whoever reports it:

=====================================  ==========================================================
outcome or exception                   what becomes of the job
=====================================  ==========================================================
Done                                   results, follow-up and outbox in one transaction
Retry; a CutlineError that may pass;   counted as a failure; waits for its next try, dead after
memory exceeded; anything else         the last one
a store that is away for every job     waits, not counted
Reject; any other CutlineError         dead at once
Snooze                                 waits, not counted
the slot's process died, or was        counted as a crash; dead after the third
killed at the hard deadline
the worker is told to stop             INTERRUPTED, not counted; the message goes back at once
cancelled or superseded                nothing is written: whoever decided it has written it
fenced out                             nothing is written and nothing is settled
=====================================  ==========================================================
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Final, TypeVar

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from cutline.domain.errors import Reason, UnavailableError
from cutline.domain.states import JobState, Stage
from cutline.messaging.acks import Acks
from cutline.messaging.outcomes import Done, Outcome, Reject, Retry, Snooze
from cutline.messaging.publisher import Publisher
from cutline.messaging.telling import Telling
from cutline.messaging.tickets import design_ring
from cutline.messaging.topology import Topology
from cutline.messaging.work import Handler
from cutline.runtime.logging import get_logger
from cutline.runtime.readiness import Check
from cutline.store.attempts import Attempts, Claim
from cutline.store.commits import Committed
from cutline.store.pool import Database
from cutline.telemetry.setup import Telemetry

log = get_logger(__name__)

_T = TypeVar("_T")

PUBLIC_FAULT: Final = "Something went wrong on our side; the artwork is not to blame."
BROKER_ERRORS: Final = (NatsError, OSError)
UNREACHABLE_NAK_S: Final = 5.0
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Desk:
    """What every delivery of a worker works with.

    Attributes:
        stage: Stage the worker does.
        handler: Does the work.
        attempts: Claims and ends attempts.
        database: Where outbox rows are removed once published.
        publisher: Publishes what commits leave.
        topology: Names subjects.
        telemetry: Spans and metrics.
        hard_deadline_s: Time an attempt may take.
        outage: Says what the handler needs and nobody has at present; asked when a job was not served.
    """

    stage: Stage
    handler: Handler
    attempts: Attempts
    database: Database
    publisher: Publisher
    topology: Topology
    telemetry: Telemetry
    hard_deadline_s: float
    outage: Check

    @property
    def ack_wait_s(self) -> float:
        """Silence after which the broker hands a message to another worker."""
        return self.topology.ack_wait_s

    @property
    def heartbeat_s(self) -> float:
        """Time between two signs of life."""
        return self.ack_wait_s / 3


class Ending(Enum):
    """Ends that are not for a handler to say."""

    INTERRUPTED = "interrupted"
    UNWANTED = "unwanted"


@dataclass(frozen=True, slots=True)
class Crashed:
    """The process that did the work is dead: by itself, or killed because it took too long."""

    reason: Reason
    message: str


class Settlement:
    """Settles one message.

    Attributes:
        name: How it ended, once it has: a label for spans and metrics.
        reason: Why, where it did not succeed.
        abandoned: The database could not be reached: the attempt is still open there.
        hurry: The worker has to stop: a database that is away is not waited for.
    """

    def __init__(self, desk: Desk, message: Msg, acks: Acks, telling: Telling) -> None:
        self._desk = desk
        self._message = message
        self._acks = acks
        self._telling = telling
        self.name = ""
        self.reason = ""
        self.abandoned = False
        self.hurry = False

    async def settle(self, claim: Claim, outcome: Outcome | Crashed | Ending) -> None:
        """Writes the end of an attempt, tells of it, and lets its message go."""
        attempts = self._desk.attempts
        match outcome:
            case Done(commit=commit):
                await self._write(claim, "succeeded", commit)
            case Retry(reason=reason, message=message, after_s=after_s):
                self.reason = reason
                log.warning("delivery.failed", reason=reason, public_message=message)
                await self._write(claim, "failed", partial(attempts.retry, claim, reason, message, after_s=after_s))
            case Reject(reason=reason, message=message):
                self.reason = reason
                log.info("delivery.rejected", reason=reason, public_message=message)
                await self._write(claim, "rejected", partial(attempts.reject, claim, reason, message))
            case Snooze(after_s=after_s):
                await self._write(claim, "snoozed", partial(attempts.snooze, claim, after_s))
            case Crashed(reason=reason, message=message):
                self.reason = reason
                await self._write(claim, "crashed", partial(attempts.crash, claim, reason, message))
            case Ending.INTERRUPTED:
                await self._give_back(claim)
            case Ending.UNWANTED:
                await self._fenced_out(claim)

    async def patiently(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """Repeats a call while the database is away, for as long as the message can well be kept.

        Raises:
            UnavailableError: The database stayed away.
        """
        give_up, pause_s = time.monotonic() + self._desk.ack_wait_s, _FIRST_PAUSE_S
        while True:
            try:
                return await call()
            except UnavailableError:
                if time.monotonic() + pause_s > give_up or self.hurry:
                    raise
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def tell(self, committed: Committed) -> None:
        """Publishes what a commit left and lets the message go; what the broker does not take is the relay's."""
        if not committed.outbox:  # a ring of the outbox rings the doorbell too
            await self.ring(committed)
        await self._telling.tell(self._message, committed.outbox)

    async def ring(self, committed: Committed) -> None:
        """Rings a design's doorbell, at best."""
        if committed.revision == 0:
            return
        ring = design_ring(
            design_id=committed.design_id,
            tenant=committed.tenant,
            revision=committed.revision,
            state=committed.state,
        )
        await self._desk.publisher.ring(self._desk.topology.design_subject(committed.tenant, committed.design_id), ring)

    async def ack(self) -> None:
        """Lets the message go; if the broker does not answer, it comes again and is found to be over."""
        await self._acks.confirm([self._message])

    async def nak(self, delay_s: float | None = None) -> None:
        """Hands the message back to the broker."""
        with suppress(*BROKER_ERRORS):
            await self._message.nak(delay_s)

    async def in_progress(self) -> None:
        """Keeps the message."""
        with suppress(*BROKER_ERRORS):
            await self._message.in_progress()

    async def _write(self, claim: Claim, name: str, write: Callable[[], Awaitable[Committed | None]]) -> None:
        """Writes an end, tells of it, and lets the message go: in this order."""
        try:
            committed = await self.patiently(write)
        except UnavailableError:
            log.error("delivery.abandoned")  # noqa: TRY400  (the pool has said why)
            self.name, self.abandoned = "abandoned", True
            await self.nak(UNREACHABLE_NAK_S)  # the only case where the broker keeps the time
            return
        except Exception:
            if name != "succeeded":
                raise  # left to the lease and to the broker
            log.exception("delivery.commit_failed")
            self.reason = Reason.INTERNAL
            await self._write(claim, "failed", partial(self._desk.attempts.retry, claim, Reason.INTERNAL, PUBLIC_FAULT))
            return
        if committed is None:
            await self._fenced_out(claim)
            return
        self.name = name
        await self.tell(committed)

    async def _give_back(self, claim: Claim) -> None:
        """Ends an attempt that was stopped half-way; the same message is another worker's at once."""
        self.name = "interrupted"
        try:
            given = await self._desk.attempts.interrupt(claim)
        except UnavailableError:
            return  # the lease will run out
        if given is None:
            await self._fenced_out(claim)
            return
        await self.ring(given)
        await self.nak()

    async def _fenced_out(self, claim: Claim) -> None:
        """Leaves the broker alone, for the message may be a newer attempt's; only one nobody needs is acked."""
        self.name = "superseded"
        try:
            state = await self._desk.attempts.job_state(claim)
        except UnavailableError:
            return
        if state in {None, JobState.CANCELLED}:
            self.name = "cancelled"
        log.info("delivery.fenced_out", job_state=state)
        if state is None or state.terminal:
            await self.ack()
