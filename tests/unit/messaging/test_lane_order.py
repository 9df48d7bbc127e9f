"""How turns are shared among lanes."""

from __future__ import annotations

from collections import Counter

from cutline.domain.states import Lane
from cutline.messaging.lanes import DEFAULT_WEIGHTS, LaneOrder


def _take(order: LaneOrder, lanes: set[Lane]) -> Lane:
    lane = next(lane for lane in order.order() if lane in lanes)
    order.took(lane)
    return lane


def test_turns_follow_the_weights() -> None:
    """With work in every lane ten turns are six, three and one."""
    order = LaneOrder(DEFAULT_WEIGHTS)

    turns = Counter(_take(order, set(Lane)) for _ in range(100))

    assert turns == {Lane.EXPRESS: 60, Lane.STANDARD: 30, Lane.BULK: 10}


def test_shares_foretell_the_turns_and_take_none() -> None:
    """What free slots are asked for is what the next turns would be among the lanes that may have something."""
    order = LaneOrder(DEFAULT_WEIGHTS)

    assert order.shares(10, list(Lane)) == order.shares(10, list(Lane)) == {
        Lane.EXPRESS: 6, Lane.STANDARD: 3, Lane.BULK: 1,
    }  # fmt: skip
    assert order.shares(7, [Lane.EXPRESS, Lane.BULK]) == {Lane.EXPRESS: 6, Lane.BULK: 1}
    assert order.shares(4, [Lane.BULK]) == {Lane.BULK: 4}
    assert order.shares(4, []) == {}


def test_no_lane_starves() -> None:
    """Bulk has its turn within the first ten, however much express there is."""
    order = LaneOrder(DEFAULT_WEIGHTS)

    assert Lane.BULK in {_take(order, set(Lane)) for _ in range(10)}


def test_an_idle_lane_earns_no_credit() -> None:
    """A lane that was empty for long gets its share afterwards, not what it missed."""
    order = LaneOrder(DEFAULT_WEIGHTS)
    for _ in range(100):
        _take(order, {Lane.EXPRESS})

    turns = Counter(_take(order, {Lane.EXPRESS, Lane.BULK}) for _ in range(70))

    assert 9 <= turns[Lane.BULK] <= 11


def test_an_urgent_job_that_comes_after_a_pause_goes_first() -> None:
    """Express that was idle is next when it has something."""
    order = LaneOrder(DEFAULT_WEIGHTS)
    for _ in range(50):
        _take(order, {Lane.BULK})

    assert order.order()[0] is Lane.EXPRESS
