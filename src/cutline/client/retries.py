"""Whether a call is tried again, when, and how long each try may take."""

from __future__ import annotations

import random
import time
from typing import Final

import grpc

from cutline.client.errors import (
    ApiError,
    DeadlineExceededError,
    ResourceExhaustedError,
    UnavailableError,
    WaitTimeoutError,
)
from cutline.domain.errors import Reason

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
SHORTEST_TRY_S: Final = 1.0

_BROKEN: Final = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED})
"""Codes that a broken connection has, beside UNAVAILABLE: proxies reset streams in many ways."""


class Backoff:
    """Pauses between tries: exponential with jitter, never shorter than the server asks for.

    Args:
        least: The part of a pause that is not left to chance, from 0 to 1: 0 spreads a crowd best.
    """

    def __init__(self, *, least: float = 0.0) -> None:
        self._least = least
        self._ceiling_s = FIRST_PAUSE_S

    def pause_s(self, error: ApiError | None = None) -> float:
        """How long to wait before the next try."""
        jittered_s = random.uniform(self._least * self._ceiling_s, self._ceiling_s)  # noqa: S311  (jitter, not a secret)
        self._ceiling_s = min(2 * self._ceiling_s, LONGEST_PAUSE_S)
        asked_s = error.retry_after_s if error is not None else None
        return (asked_s or 0.0) + jittered_s

    def reset(self) -> None:
        """Begins anew after a success."""
        self._ceiling_s = FIRST_PAUSE_S


class Tries:
    """The tries of one call within one budget of time.

    While more tries are left, one may take half of what is left of the budget: a service that hangs then leaves time
    to ask another replica.

    Args:
        max_retries: Tries after the first.
        budget_s: Time for all of them with the pauses between.
    """

    def __init__(self, *, max_retries: int, budget_s: float) -> None:
        self._retries_left = max_retries
        self._end_s = time.monotonic() + budget_s
        # Chance must not use up every try while gRPC still pauses between its connects: see LONGEST_RECONNECT_MS.
        self._backoff = Backoff(least=0.5)

    def timeout_s(self) -> float:
        """How long the next try may take."""
        left_s = max(self._end_s - time.monotonic(), 0.0)
        return min(max(left_s / 2, SHORTEST_TRY_S), left_s) if self._retries_left else left_s

    def pause_s(self, error: ApiError) -> float:
        """How long to wait before the next try.

        Raises:
            ApiError: This very error: no further try is left, could help, or would begin in time.
        """
        if not self._retries_left or not _may_pass(error):
            raise error
        pause_s = self._backoff.pause_s(error)
        if time.monotonic() + pause_s >= self._end_s:
            raise error
        self._retries_left -= 1
        return pause_s


def _may_pass(error: ApiError) -> bool:
    """Whether another try can help: a cap says when; a message that is too large is exhausting without a word of it."""
    full = isinstance(error, ResourceExhaustedError) and error.retry_after_s is not None
    # A server that closes may cancel what it has just taken; a caller's own cancellation never gets here.
    dropped = error.code == grpc.StatusCode.CANCELLED and not error.reason
    return full or dropped or isinstance(error, UnavailableError | DeadlineExceededError)


class Patience:
    """How long a service that is away is asked again before a watch gives up.

    Args:
        longest_s: Time since the first failure after the service last spoke.
    """

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._backoff = Backoff()
        self._since_s: float | None = None

    def rewarded(self) -> None:
        """Notes that the service spoke."""
        self._backoff.reset()
        self._since_s = None

    def pause_s(self, error: ApiError | None) -> float:
        """How long to wait before the next try.

        Args:
            error: How the stream ended; None where it ended well.

        Raises:
            ApiError: This very error where no other try can help, or the next one would come after the patience.
        """
        if error is not None and not _may_resume(error):
            raise error
        pause_s, now_s = self._backoff.pause_s(error), time.monotonic()
        if self._since_s is None:
            self._since_s = now_s
        if now_s + pause_s - self._since_s > self._longest_s:
            raise error or UnavailableError(grpc.StatusCode.UNAVAILABLE, "The watch ends each time without a word.")
        return pause_s


def _may_resume(error: ApiError) -> bool:
    """Whether a watch can go on: its connection broke, its server shuts down, or it read too slowly or too much."""
    broken = error.code in _BROKEN and not error.reason
    return broken or isinstance(error, UnavailableError) or (_may_pass(error) or error.reason == Reason.SLOW_READER)


class Deadline:
    """When a wait ends.

    Args:
        timeout_s: How long it may take; None means for ever.
        what: What did not happen where it is over, such as `Design d did not end`.
    """

    def __init__(self, timeout_s: float | None, what: str) -> None:
        self._timeout_s = timeout_s
        self._end_s = None if timeout_s is None else time.monotonic() + timeout_s
        self._what = what

    def left_s(self) -> float | None:
        """What is left of it; None where it has no end.

        Raises:
            WaitTimeoutError: It is over.
        """
        if self._end_s is None:
            return None
        left_s = self._end_s - time.monotonic()
        if left_s <= 0:
            raise self.exceeded()
        return left_s

    def ended(self, error: ApiError) -> bool:
        """Whether a stream that was given `left_s` ended for that, and not for a deadline of the service's own."""
        return self._end_s is not None and isinstance(error, DeadlineExceededError) and not error.reason

    def pause_s(self, wanted_s: float) -> float:
        """A pause that does not outlast it.

        Raises:
            WaitTimeoutError: It is over.
        """
        left_s = self.left_s()
        return wanted_s if left_s is None else min(wanted_s, left_s)

    def exceeded(self) -> WaitTimeoutError:
        """The error that tells of its end."""
        return WaitTimeoutError(f"{self._what} within {self._timeout_s:g} s.")
