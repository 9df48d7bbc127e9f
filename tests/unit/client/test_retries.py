"""When something is tried again, and how long it may take."""

from __future__ import annotations

import time
from dataclasses import dataclass

import grpc
import pytest

from cutline.client import (
    ApiError,
    DeadlineExceededError,
    NotFoundError,
    ResourceExhaustedError,
    UnavailableError,
    WaitTimeoutError,
)
from cutline.client.channels import LONGEST_RECONNECT_MS
from cutline.client.retries import LONGEST_PAUSE_S, Backoff, Deadline, Patience, Tries
from cutline.client.watching import DesignWatch
from cutline.v1 import design_pb2, status_service_pb2

AWAY = UnavailableError(grpc.StatusCode.UNAVAILABLE, "Away.")
LATE = DeadlineExceededError(grpc.StatusCode.DEADLINE_EXCEEDED, "Late.")


@dataclass
class Clock:
    """A clock that a test moves."""

    now_s: float = 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of whatever is tried."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now_s)
    return clock


def test_the_tries_of_a_call_outlast_the_pause_between_two_connects() -> None:
    """A call whose service moved to another address tries it at least once after gRPC has had to connect to it."""
    for _ in range(50):
        tries = Tries(max_retries=5, budget_s=30)
        assert sum(tries.pause_s(AWAY) for _ in range(5)) > 1.2 * LONGEST_RECONNECT_MS / 1000


def test_pauses_grow_to_a_limit_and_begin_anew() -> None:
    """Each pause is random below a ceiling that doubles, and never shorter than the service asks for."""
    backoff = Backoff()
    pauses = [max(Backoff().pause_s() for _ in range(50)), *(backoff.pause_s() for _ in range(50))]
    assert pauses[0] <= 0.1
    assert max(pauses) <= LONGEST_PAUSE_S
    assert max(pauses[10:]) > 0.1
    backoff.reset()
    assert backoff.pause_s() <= 0.1
    asked = ResourceExhaustedError(grpc.StatusCode.RESOURCE_EXHAUSTED, "Full.", retry_after_s=7)
    assert 7 <= Backoff().pause_s(asked) <= 7.1


def test_a_try_takes_half_of_what_is_left_and_the_last_all(clock: Clock) -> None:
    """A budget of 30 s gives 15 s to the first try, half of the rest to the next, and the rest to the last."""
    tries = Tries(max_retries=2, budget_s=30)
    assert tries.timeout_s() == 15
    clock.now_s += 15
    tries.pause_s(LATE)
    assert tries.timeout_s() == 7.5
    clock.now_s += 7.5
    tries.pause_s(LATE)
    assert tries.timeout_s() == 7.5
    with pytest.raises(DeadlineExceededError):
        tries.pause_s(LATE)


def test_a_short_budget_is_not_divided_to_nothing(clock: Clock) -> None:
    """A try has a second at least, but never more than is left."""
    tries = Tries(max_retries=5, budget_s=1.5)
    assert tries.timeout_s() == 1.0
    clock.now_s += 1
    assert tries.timeout_s() == 0.5
    clock.now_s += 1
    assert tries.timeout_s() == 0


@pytest.mark.parametrize(
    "error",
    [
        NotFoundError(grpc.StatusCode.NOT_FOUND, "None."),
        ResourceExhaustedError(grpc.StatusCode.RESOURCE_EXHAUSTED, "Larger than max."),
        ApiError(grpc.StatusCode.INTERNAL, "Broken.", reason="INTERNAL"),
    ],
)
def test_what_cannot_pass_is_told_at_once(error: ApiError) -> None:
    """A refusal that another try cannot change is the caller's, for a call as for a watch."""
    with pytest.raises(type(error)):
        Tries(max_retries=5, budget_s=30).pause_s(error)
    with pytest.raises(type(error)):
        Patience(60).pause_s(error)


def test_a_call_that_a_closing_server_cancelled_is_tried_again() -> None:
    """What it had just taken, a server that closes cancels without a word: the same request is asked once more."""
    assert Tries(max_retries=1, budget_s=30).pause_s(ApiError(grpc.StatusCode.CANCELLED, "Cancelled.")) < 1


def test_patience_counts_from_the_first_failure_after_a_word(clock: Clock) -> None:
    """A service may be silent for long and away for a minute; each word of it gives the minute anew."""
    patience = Patience(60)
    clock.now_s += 600
    patience.pause_s(AWAY)
    clock.now_s += 50
    patience.pause_s(AWAY)
    patience.rewarded()
    clock.now_s += 600
    patience.pause_s(None)
    clock.now_s += 50
    patience.pause_s(AWAY)
    clock.now_s += 10
    with pytest.raises(UnavailableError, match="Away"):
        patience.pause_s(AWAY)


def test_patience_is_not_fed_by_what_is_known(clock: Clock) -> None:
    """A watch that hears one and the same revision each time it asks, as of a state it does not know, gives up."""
    watch = DesignWatch("d", after_revision=0, patience_s=60)
    unknown = status_service_pb2.WatchDesignResponse(design=design_pb2.Design(id="d", revision=7))
    unknown.design.state = 99  # type: ignore[assignment]  # a later release's
    assert watch.take(unknown) is not None
    watch.pause_s(None)
    clock.now_s += 61
    assert watch.take(unknown) is None
    with pytest.raises(UnavailableError, match="without a word"):
        watch.pause_s(None)


def test_a_wait_ends_for_its_own_deadline_only(clock: Clock) -> None:
    """A deadline that the service names is no end of the wait; a pause never outlasts what is left."""
    deadline = Deadline(10, "It did not end")
    assert deadline.ended(LATE)
    own = DeadlineExceededError(grpc.StatusCode.DEADLINE_EXCEEDED, "Slow store.", reason="DEADLINE_EXCEEDED")
    assert not deadline.ended(own)
    assert not Deadline(None, "").ended(LATE)
    clock.now_s += 8
    assert (deadline.left_s(), deadline.pause_s(5), deadline.pause_s(1)) == (2, 2, 1)
    clock.now_s += 2
    with pytest.raises(WaitTimeoutError, match=r"^It did not end within 10 s\.$"):
        deadline.left_s()
