"""What one caller still has to be told: small queues where the latest revision wins and a terminal one stays.

The hub offers to every watch; the caller's stream takes. Neither waits for the other, so that a slow reader costs
memory within a bound and nobody else's time.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cutline.domain.errors import CutlineError
from cutline.store.design_reads import DesignRow

GONE: Final = 2**63
"""Above every revision: nothing is told of a design after it was deleted."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A message about a design, serialised once for all who watch; revision GONE where the design was deleted."""

    design_id: UUID
    revision: int
    terminal: bool
    change_xid: int
    body: bytes

    @property
    def last(self) -> bool:
        """Whether a watch of this one design ends with it."""
        return self.terminal or self.revision == GONE


@dataclass(frozen=True, slots=True)
class ResumeMark:
    """Stands in a queue behind everything that changed before transaction `xid`."""

    xid: int


class Watch(ABC):
    """What both kinds of watch share: a wake-up, and an error that ends the stream.

    Attributes:
        first_read: Number of the first of the hub's reads that counts: an earlier one may have begun before the watch.
    """

    def __init__(self, first_read: int) -> None:
        self.first_read = first_read
        self._error: CutlineError | None = None
        # An event and a timeout of asyncio would do the same for four times the memory of what is left to wait with.
        self._news = False
        self._waiting_for_news: asyncio.Future[None] | None = None

    def fail(self, error: CutlineError) -> None:
        """Ends the stream with an error, after nothing more is told."""
        self._error = error
        self._tell()

    def check(self) -> None:
        """Does nothing while the stream may go on.

        Raises:
            CutlineError: The watch was failed.
        """
        if self._error is not None:
            raise self._error

    @abstractmethod
    def wants(self, row: DesignRow) -> bool:
        """Whether a row is to be told."""

    @abstractmethod
    def offer(self, frame: Frame) -> None:
        """Has a frame told, unless a newer one waits already."""

    async def wait(self, timeout_s: float) -> bool:
        """Waits for news; False when the time ran out without any.

        Raises:
            CutlineError: The watch was failed.
        """
        if not self._news:
            loop = asyncio.get_running_loop()
            self._waiting_for_news = waiting = loop.create_future()
            alarm = loop.call_later(timeout_s, _wake, waiting)
            try:
                await waiting
            finally:
                alarm.cancel()
                self._waiting_for_news = None
            if not self._news:
                return False
        self.check()
        self._news = False
        return True

    def _tell(self) -> None:
        """Wakes the stream."""
        self._news = True
        if self._waiting_for_news is not None:
            _wake(self._waiting_for_news)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


class DesignWatch(Watch):
    """One caller's watch of one design: holds the newest revision it was not told yet.

    Attributes:
        answered: Whether the design was found at all, so that its absence means that it was deleted.
        resumed: Whether the caller says that it has seen the design before.
    """

    def __init__(self, first_read: int, *, after_revision: int) -> None:
        super().__init__(first_read)
        self.answered = False
        self.resumed = after_revision > 0
        self._offered = False
        self._newest = after_revision
        self._waiting: Frame | None = None
        self._ended = False

    def behind(self, revision: int) -> bool:
        """Whether a revision is news."""
        return not self._ended and revision > self._newest

    def wants(self, row: DesignRow) -> bool:
        """Whether a row is to be told: at first a terminal one also where the caller has it, for its stream must end.

        Later it is not: of two reads that ran at once the older may come last, from before a design was reprocessed.
        """
        self.answered = True
        ends_at_once = row.state.terminal and not self._offered
        return not self._ended and (ends_at_once or row.revision > self._newest)

    def offer(self, frame: Frame) -> None:
        """Puts a frame in place of what waits; behind a last frame nothing follows."""
        if self._ended:
            return
        self._offered = True
        self._newest = frame.revision
        self._ended = frame.last
        self._waiting = frame
        self._tell()

    def take(self) -> Frame | None:
        """What waits, if anything does."""
        frame, self._waiting = self._waiting, None
        return frame


class TenantWatch(Watch):
    """One caller's watch of all designs of a tenant.

    It goes through two phases, again and again if need be: catching up, when the stream itself reads what changed page
    by page, and live, when it takes what the hub offers. Offers queue up in both. A queue that outgrows its bound is
    emptied and the watch `lags`: its stream catches up from the last point told, as if the caller had come back.

    Attributes:
        resume_xid: While live: every change of a transaction before this one is told or waits in the queue.
        catching_up: Whether the stream reads by itself.
        lagging: Whether frames were dropped since the last catch-up began.
    """

    def __init__(self, first_read: int, *, capacity: int) -> None:
        super().__init__(first_read)
        self.resume_xid = 0
        self.catching_up = True
        self.lagging = False
        self._capacity = capacity
        # In the order of telling. A frame that a newer one may replace is filed under its design alone.
        self._queue: dict[object, Frame | ResumeMark] = {}
        self._queued: dict[UUID, int] = {}
        # Revision and transaction of what was told of changes since `resume_xid`.
        self._told: dict[UUID, tuple[int, int]] = {}

    def behind(self, design_id: UUID, revision: int) -> bool:
        """Whether a revision is news."""
        return revision > max(self._told.get(design_id, (0, 0))[0], self._queued.get(design_id, 0))

    def wants(self, row: DesignRow) -> bool:
        """Whether a row is to be told: what changed before the point told is no news."""
        return row.change_xid >= self.resume_xid and self.behind(row.design_id, row.revision)

    def wants_deleted(self, design_id: UUID, change_xid: int) -> bool:
        """Whether a delete is to be told."""
        return change_xid >= self.resume_xid and self.behind(design_id, GONE)

    def offer(self, frame: Frame) -> None:
        """Queues a frame in place of an older one of its design, unless that is terminal."""
        if not self.behind(frame.design_id, frame.revision):
            return
        if frame.last:
            self._queue.pop(frame.design_id, None)
            self._queue[frame.design_id, frame.revision] = frame
        else:
            self._queue[frame.design_id] = frame
        self._queued[frame.design_id] = frame.revision
        if len(self._queue) > self._capacity:
            self._queue.clear()
            self._queued.clear()
            self.lagging = True
        self._tell()

    def mark(self, xid: int) -> None:
        """Notes that the hub has offered everything before `xid`; of no effect unless the watch is live."""
        if self.catching_up or self.lagging or xid <= self.resume_xid:
            return
        self._set_mark(xid)

    def begin_catch_up(self, xid: int) -> None:
        """Notes that the stream will tell what changed from `xid` on; the queue keeps what is offered meanwhile."""
        self.resume_xid = xid
        self.catching_up = True
        self.lagging = False

    def end_catch_up(self, xid: int) -> bool:
        """Notes that the stream has told everything before `xid` that does not wait; False where it must do so again.

        A mark goes behind what waits: the caller stands at `xid` when that is told, and not before.
        """
        if self.lagging:
            return False
        self.catching_up = False
        self._set_mark(xid)
        return True

    def told(self, frame: Frame) -> None:
        """Notes that the stream tells a frame."""
        self._told[frame.design_id] = (frame.revision, frame.change_xid)

    def overtaken(self, design_id: UUID) -> list[Frame]:
        """Takes what waits of a design off the queue, for something newer is about to be told; its terminal frames."""
        if self._queued.pop(design_id, None) is None:
            return []
        waiting = [item for item in self._queue.values() if isinstance(item, Frame) and item.design_id == design_id]
        for frame in waiting:
            del self._queue[(design_id, frame.revision) if frame.last else design_id]
        return [frame for frame in waiting if frame.terminal]

    def take(self) -> Frame | ResumeMark | None:
        """The first of the queue, if it holds anything.

        Raises:
            CutlineError: The watch was failed; what waits is left to the caller's next watch.
        """
        self.check()
        if not self._queue:
            return None
        item = self._queue.pop(next(iter(self._queue)))
        if isinstance(item, Frame):
            if self._queued.get(item.design_id) == item.revision:
                del self._queued[item.design_id]
            self.told(item)
        return item

    def _set_mark(self, xid: int) -> None:
        self._advance(xid)
        self._queue.pop(ResumeMark, None)
        self._queue[ResumeMark] = ResumeMark(xid)  # wakes nobody: it travels with the next message

    def _advance(self, xid: int) -> None:
        """Forgets what was told before `xid`."""
        self.resume_xid = xid
        self._told = {design: told for design, told in self._told.items() if told[1] >= xid}
