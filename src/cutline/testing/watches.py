"""What one caller of the fake still has to be told; the store offers, the caller's stream takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cutline.contract.tokens import ResumePoint, encode_resume_token
from cutline.domain.errors import CutlineError, Reason, ResourceExhaustedError
from cutline.v1 import design_pb2
from cutline.v1 import status_service_pb2 as pb

MOST_WATCHES: Final = 500
"""Each open watch has a thread of its own."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a design.

    Attributes:
        tenant: Whose.
        design_id: The design.
        number: Number of the change among all of the store.
        design: The design as it is now; None where it was deleted.
        terminal: Whether its newest generation has ended.
    """

    tenant: str
    design_id: UUID
    number: int
    design: design_pb2.Design | None
    terminal: bool

    @property
    def last(self) -> bool:
        """Whether a watch of this one design ends with it."""
        return self.terminal or self.design is None


class Watch(ABC):
    """What both kinds of watch share: how they end.

    Attributes:
        error: Ends the stream with an error, behind what still waits.
        sent_away: Whether the stream is to end OK with a reconnect message, behind what still waits.
        over: Whether nothing more is to be told: it has ended, or its caller has left.
    """

    def __init__(self) -> None:
        self.error: CutlineError | None = None
        self.sent_away = False
        self.over = False

    @abstractmethod
    def offer(self, change: Change) -> None:
        """Has a change told, in place of an older one that is not the last of its run."""

    @property
    def ready(self) -> bool:
        """Whether there is anything to tell."""
        return self.waiting or self.sent_away or self.error is not None

    @property
    @abstractmethod
    def waiting(self) -> bool:
        """Whether changes wait."""


class DesignWatch(Watch):
    """A watch of one design, to the end of its newest generation."""

    def __init__(self, *, after_revision: int) -> None:
        super().__init__()
        self._after_revision = after_revision
        self._next: Change | None = None
        self._closed = False

    @property
    def waiting(self) -> bool:
        """Whether a revision waits."""
        return self._next is not None

    def offer(self, change: Change) -> None:
        """Puts a revision in place of the one that waits; behind a last one nothing follows."""
        if self._closed:
            return
        # A terminal revision is told also to one who has it, for its stream must end.
        if change.design is not None and not change.terminal and change.design.revision <= self._after_revision:
            return
        self._next, self._closed = change, change.last

    def heartbeat(self) -> pb.WatchDesignResponse:
        """The message of a long silence."""
        message = pb.WatchDesignResponse()
        message.heartbeat.time.GetCurrentTime()
        return message

    def take(self) -> pb.WatchDesignResponse:
        """What waits, or the end.

        Raises:
            CutlineError: The stream ends with an error.
        """
        change, self._next = self._next, None
        if change is None:
            if self.error is not None:
                raise self.error
            self.over = True
            return pb.WatchDesignResponse(reconnect=pb.Reconnect(after_revision=self._after_revision))
        self.over = change.last
        if change.design is None:
            return pb.WatchDesignResponse(deleted=pb.DesignDeleted(design_id=str(change.design_id)))
        self._after_revision = change.design.revision
        return pb.WatchDesignResponse(design=change.design)


class TenantWatch(Watch):
    """A watch of all designs of a tenant.

    Args:
        tenant: Whose.
        point: Where it stands before anything is told.
        snapshot: What the caller has missed; told before anything else.
        caught_up: Number of the first change that is no part of the snapshot.
    """

    def __init__(self, tenant: str, snapshot: list[Change], *, point: ResumePoint, caught_up: int) -> None:
        super().__init__()
        self._tenant = tenant
        self._point = point
        self._caught_up = caught_up
        self._snapshot: list[Change] | None = snapshot
        # In the order of telling; one that a newer may replace is filed under its design alone.
        self._queue: dict[object, Change] = {}

    @property
    def waiting(self) -> bool:
        """Whether a change waits, or the first heartbeat, which says where the caller stands."""
        return self._snapshot is not None or bool(self._queue)

    def offer(self, change: Change) -> None:
        """Queues a change in place of an older one of its design, unless that one is the last of its run."""
        self._queue.pop(change.design_id, None)
        key: object = (change.design_id, change.number) if change.last else change.design_id
        self._queue[key] = change

    def heartbeat(self) -> pb.WatchDesignsResponse:
        """The message of a long silence."""
        message = pb.WatchDesignsResponse(resume_token=self._token)
        message.heartbeat.time.GetCurrentTime()
        return message

    def take(self) -> pb.WatchDesignsResponse:
        """What waits, or the end.

        Raises:
            CutlineError: The stream ends with an error.
        """
        if self._snapshot is not None:
            if self._snapshot:
                return self._message(self._snapshot.pop(0))
            self._snapshot, self._point = None, ResumePoint(self._caught_up)
            return self.heartbeat()  # says where the caller now stands
        if self._queue:
            change = self._queue.pop(next(iter(self._queue)))
            self._point = ResumePoint(change.number + 1)
            return self._message(change)
        if self.error is not None:
            raise self.error
        self.over = True
        return pb.WatchDesignsResponse(reconnect=pb.Reconnect(), resume_token=self._token)

    @property
    def _token(self) -> str:
        return encode_resume_token(self._point, tenant=self._tenant)

    def _message(self, change: Change) -> pb.WatchDesignsResponse:
        if change.design is None:
            deleted = pb.DesignDeleted(design_id=str(change.design_id))
            return pb.WatchDesignsResponse(deleted=deleted, resume_token=self._token)
        return pb.WatchDesignsResponse(design=change.design, resume_token=self._token)


class Watchers:
    """The open watches by what they watch; not safe for threads by itself."""

    def __init__(self) -> None:
        self._watches: dict[Watch, tuple[str, UUID | None]] = {}
        self._closed: CutlineError | None = None

    def __len__(self) -> int:
        return len(self._watches)

    def add(self, watch: Watch, tenant: str, design_id: UUID | None = None) -> None:
        """Tells a watch from now on; without a design, of all designs of the tenant.

        Raises:
            CutlineError: The server is going away, or serves as many as it can.
        """
        if self._closed is not None:
            raise self._closed
        if len(self._watches) >= MOST_WATCHES:
            raise ResourceExhaustedError(
                Reason.STREAM_LIMIT, f"The fake server already serves {MOST_WATCHES} streams.", retry_after_s=5.0
            )
        self._watches[watch] = (tenant, design_id)

    def remove(self, watch: Watch) -> None:
        """Tells a watch no more."""
        self._watches.pop(watch, None)

    def offer(self, change: Change) -> None:
        """Offers a change to every watch that it concerns."""
        for watch, (tenant, design_id) in self._watches.items():
            if tenant == change.tenant and design_id in {None, change.design_id}:
                watch.offer(change)

    def send_away(self) -> None:
        """Has every watch end OK, with word to come back."""
        for watch in self._watches:
            watch.sent_away = True

    def fail(self, error: CutlineError) -> None:
        """Has every watch end with an error."""
        for watch in self._watches:
            watch.error = error

    def close(self, error: CutlineError) -> None:
        """Has every watch end with an error, and refuses new ones with it until `reopen`."""
        self._closed = error
        self.fail(error)

    def reopen(self) -> None:
        """Takes watches again."""
        self._closed = None
