"""What a handler says about the job it was given. Only the pull worker settles messages and attempts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cutline.domain.errors import Reason
from cutline.store.commits import Committed


@dataclass(frozen=True, slots=True)
class Done:
    """The work is done; `commit` writes the results under the attempt's fence, or gives None if it is fenced out.

    It may be called again when the database went away: the fence keeps a second call from writing twice.
    """

    commit: Callable[[], Awaitable[Committed | None]]


@dataclass(frozen=True, slots=True)
class Retry:
    """It failed and may work later; counts as a failure.

    Attributes:
        reason: Stable reason.
        message: One plain sentence, safe to show.
        after_s: Wait before the next try; None leaves it to the backoff.
    """

    reason: Reason
    message: str
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Snooze:
    """It cannot be done yet; tried again after `after_s`, and not counted."""

    after_s: float


@dataclass(frozen=True, slots=True)
class Reject:
    """It can never work: the job is dead at once, with this reason and public message."""

    reason: Reason
    message: str


Outcome = Done | Retry | Snooze | Reject
