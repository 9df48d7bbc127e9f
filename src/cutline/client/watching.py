"""What a watch has seen, and so what it asks for when it goes on: no I/O, the same for both clients."""

from __future__ import annotations

from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from cutline.client.errors import ApiError, DesignDeletedError
from cutline.client.retries import Deadline, Patience
from cutline.client.states import TERMINAL
from cutline.v1 import design_pb2, queue_service_pb2
from cutline.v1 import status_service_pb2 as pb

NO_END: Final = Deadline(None, "")
MOST_REMEMBERED: Final = 10_000
"""Designs whose last revision a watch of all of them keeps, to drop what is told again after it went on."""

OnProgress = Callable[[design_pb2.Design], object]
"""Is told each newer revision of a design; with asyncio it may be a coroutine function."""

_GONE: Final = 2**63

_Request_co = TypeVar("_Request_co", covariant=True)
_Answer_contra = TypeVar("_Answer_contra", contravariant=True)
_Told_co = TypeVar("_Told_co", covariant=True)


class Watch(Protocol[_Request_co, _Answer_contra, _Told_co]):
    """A stream that is read again, behind what was seen, whenever it ends too early."""

    @property
    @abstractmethod
    def ended(self) -> bool:
        """Whether there is nothing more to come."""

    @abstractmethod
    def request(self) -> _Request_co:
        """Asks for what comes behind all that was seen."""

    @abstractmethod
    def take(self, message: _Answer_contra, /) -> _Told_co | None:
        """What a message tells that was not told before; None where it tells nothing new."""

    @abstractmethod
    def pause_s(self, error: ApiError | None) -> float:
        """How long to wait before it is read again; raises the error where that cannot help."""


class DesignWatch:
    """A watch of one design to its terminal revision; its revisions only grow.

    Args:
        design_id: Which.
        after_revision: Where it begins.
        patience_s: How long a service that is away is asked again.
    """

    def __init__(self, design_id: str, *, after_revision: int, patience_s: float) -> None:
        self.ended = False
        self._design_id = design_id
        self._seen = after_revision
        self._patience = Patience(patience_s)

    def request(self) -> pb.WatchDesignRequest:
        """Asks for what comes behind the last revision."""
        return pb.WatchDesignRequest(design_id=self._design_id, after_revision=self._seen)

    def take(self, message: pb.WatchDesignResponse, /) -> design_pb2.Design | None:
        """The design at a newer revision; None where the message has none.

        A terminal one is told although the caller knew it: he asked how the design ends.

        Raises:
            DesignDeletedError: It was deleted.
        """
        if message.HasField("deleted"):
            raise DesignDeletedError(self._design_id)
        design = message.design
        ends = design.state in TERMINAL
        if message.HasField("design") and (design.revision, ends) <= (self._seen, False):
            # No reward: a later release may know a state that ends a design and tell it whenever it is asked.
            return None
        self._patience.rewarded()
        if not message.HasField("design"):
            return None
        self._seen, self.ended = design.revision, ends
        return design

    def pause_s(self, error: ApiError | None) -> float:
        """As `Patience.pause_s`."""
        return self._patience.pause_s(error)


class TenantWatch:
    """A watch of every design of the tenant, for ever.

    Args:
        resume_token: Where it begins; empty begins with the unfinished designs.
        patience_s: How long a service that is away is asked again.
    """

    ended = False

    def __init__(self, *, resume_token: str, patience_s: float) -> None:
        self._token = resume_token
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._patience = Patience(patience_s)

    def request(self) -> pb.WatchDesignsRequest:
        """Asks for what comes behind the last token."""
        return pb.WatchDesignsRequest(resume_token=self._token)

    def take(self, message: pb.WatchDesignsResponse, /) -> pb.WatchDesignsResponse | None:
        """A change that was not told before; None for heartbeats and repeats."""
        self._patience.rewarded()
        self._token = message.resume_token or self._token
        if message.HasField("deleted"):
            design_id, revision = message.deleted.design_id, _GONE
        elif message.HasField("design"):
            design_id, revision = message.design.id, message.design.revision
        else:
            return None
        if revision <= self._seen.get(design_id, 0):
            return None
        self._seen[design_id] = revision
        self._seen.move_to_end(design_id)
        if len(self._seen) > MOST_REMEMBERED:
            self._seen.popitem(last=False)
        return message

    def pause_s(self, error: ApiError | None) -> float:
        """As `Patience.pause_s`."""
        return self._patience.pause_s(error)


class StatsWatch:
    """A watch of the queues' counts, for ever.

    Args:
        interval_s: Time between two of them.
        patience_s: How long a service that is away is asked again.
    """

    ended = False

    def __init__(self, *, interval_s: float, patience_s: float) -> None:
        self._request = queue_service_pb2.WatchStatsRequest()
        self._request.interval.FromNanoseconds(round(interval_s * 1e9))
        self._patience = Patience(patience_s)

    def request(self) -> queue_service_pb2.WatchStatsRequest:
        """Asks for the counts."""
        return self._request

    def take(self, message: queue_service_pb2.Stats, /) -> queue_service_pb2.Stats:
        """The counts."""
        self._patience.rewarded()
        return message

    def pause_s(self, error: ApiError | None) -> float:
        """As `Patience.pause_s`."""
        return self._patience.pause_s(error)
