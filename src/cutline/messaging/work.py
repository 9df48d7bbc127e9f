"""What a handler gets: the claim, the slot it may compute in, and the progress it tells on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

from cutline.domain.errors import UnavailableError
from cutline.messaging.outcomes import Outcome
from cutline.messaging.slot import Slot, SlotFunction, SlotReply, SlotWatch
from cutline.store.attempts import Attempts, Claim
from cutline.store.commits import Committed
from cutline.telemetry.setup import Telemetry
from cutline.telemetry.steps import StepTiming, record_steps

PROGRESS_PERIOD_S: Final = 1.0


class Work:
    """One attempt at a job, as its handler sees it.

    Attributes:
        claim: The attempt.
        cancel: Set when the work is not wanted any more.
    """

    def __init__(
        self,
        claim: Claim,
        slot: Slot,
        *,
        deadline: float,
        cancel: asyncio.Event,
        telemetry: Telemetry,
        progress: Progress,
    ) -> None:
        self.claim = claim
        self.cancel = cancel
        self._slot = slot
        self._deadline = deadline
        self._telemetry = telemetry
        self._progress = progress

    async def run(self, function: SlotFunction, arguments: tuple[Any, ...], buffers: Sequence[bytes] = ()) -> SlotReply:
        """Runs `function` in the slot's process within what is left of the attempt's time.

        Raises:
            CutlineError: The function raised it.
            SlotError: It crashed, took too long or too much memory, was cancelled, or raised anything else.
        """
        watch = SlotWatch(on_step=self._progress.step, on_timings=self._record)
        left_s = max(self._deadline - time.monotonic(), 0.001)
        return await self._slot.run(function, arguments, buffers, deadline_s=left_s, cancel=self.cancel, watch=watch)

    def _record(self, timings: list[StepTiming]) -> None:
        record_steps(self._telemetry.tracer, timings, metrics=self._telemetry.metrics)


class Handler(Protocol):
    """Does a stage's work on one job."""

    async def __call__(self, work: Work) -> Outcome:
        """Does the work and says how it ended; an exception is taken as `delivery` describes."""


class Progress:
    """Tells how far a job is, at most once a second; what comes faster is merged into the newest.

    Args:
        attempts: Writes it.
        claim: Whose it is.
        ring: Rings the design's doorbell afterwards.
    """

    def __init__(self, attempts: Attempts, claim: Claim, ring: Callable[[Committed], Awaitable[None]]) -> None:
        self._attempts = attempts
        self._claim = claim
        self._ring = ring
        self._share = 0.0
        self._told_at = time.monotonic()  # the claim itself was news
        self._timer: asyncio.TimerHandle | None = None
        self._telling: asyncio.Task[None] | None = None

    def step(self, _name: str, share: float) -> None:
        """Notes that a step begins when `share` of the run is done."""
        self._share = max(self._share, share)
        if self._timer is None and self._telling is None:
            wait_s = max(self._told_at + PROGRESS_PERIOD_S - time.monotonic(), 0)
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._begin)

    async def stop(self) -> None:
        """Tells no more; a write under way comes to its end first."""
        if self._timer is not None:
            self._timer.cancel()
        if self._telling is not None:
            await asyncio.wait([self._telling])

    def _begin(self) -> None:
        self._timer = None
        self._telling = asyncio.create_task(self._tell(self._share))

    async def _tell(self, share: float) -> None:
        try:
            committed = await self._attempts.tell_progress(self._claim, share)
            if committed is not None:
                await self._ring(committed)
        except UnavailableError:
            pass  # the next step tells again
        finally:
            self._told_at = time.monotonic()
            self._telling = None
