"""The HPA's arithmetic against the cases of the Kubernetes documentation."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bench.scale.autoscaler import DEFAULT_DOWN, Autoscaler, Policy, Rules, wanted_replicas

FREE = Rules(0.0, (Policy(100_000, 15.0),))
PAGE_EXAMPLE = Rules(0.0, (Policy(4, 60.0), Policy(10, 60.0, is_percent=True)))


@pytest.mark.parametrize(
    ("metric", "target", "current", "wanted"),
    [
        (200, 100, 1, 2),  # "if the current metric value is 200m, and the desired value is 100m, ... doubled"
        (4 * 50, 100, 4, 2),  # "if the current value is instead 50m, you'll halve the number of replicas"
        (4 * 109, 100, 4, 4),  # within the tolerance of a tenth
        (4 * 91, 100, 4, 4),
        (4 * 111, 100, 4, 5),  # beyond it, rounded up
        (4 * 74, 100, 4, 3),
        (0, 4, 3, 0),
        (1, 4, 0, 1),
    ],
)
def test_replicas_are_the_metric_over_its_target_rounded_up(
    metric: float, target: float, current: int, wanted: int
) -> None:
    """The ratio decides, rounded up, and nothing changes within a tenth of the target."""
    assert wanted_replicas(metric, target, current) == wanted


def test_of_several_policies_down_the_one_that_takes_most_counts() -> None:
    """The documentation's example: from 80 pods a tenth goes at a time, from 40 on four pods."""
    scaler = Autoscaler(low=10, high=100, up=FREE, down=PAGE_EXAMPLE)
    seen = [80]
    for minute in range(12):
        seen.append(scaler.decide(61.0 * minute, 10, seen[-1]))

    assert seen[:4] == [80, 72, 64, 57]
    below = [(before, after) for before, after in pairwise(seen) if before <= 40]
    assert below
    assert all(before - after == 4 for before, after in below)


def test_the_same_period_is_not_used_twice() -> None:
    """Within a minute the policies allow no more than once, however often the controller looks."""
    scaler = Autoscaler(low=10, high=100, up=FREE, down=PAGE_EXAMPLE)
    pods = 80
    for at_s in (0.0, 15.0, 30.0, 45.0):
        pods = scaler.decide(at_s, 10, pods)

    assert pods == 72
    assert scaler.decide(60.1, 10, pods) == 64


def test_default_scale_up_adds_four_pods_or_doubles() -> None:
    """From one pod four are added at once; from ten on their number doubles each 15 s."""
    few, many = Autoscaler(low=1, high=100), Autoscaler(low=1, high=100)

    assert few.decide(0.0, 50, 1) == 5
    assert many.decide(0.0, 50, 10) == 20
    assert many.decide(15.0, 50, 20) == 40
    assert many.decide(30.0, 50, 40) == 50


def test_most_and_fewest_replicas_hold() -> None:
    """No recommendation leads beyond the bounds."""
    scaler = Autoscaler(low=2, high=6, up=FREE, down=Rules(0.0, (Policy(100, 15.0, is_percent=True),)))

    assert scaler.decide(0.0, 500, 2) == 6
    assert scaler.decide(15.0, 0, 6) == 2


def test_scale_down_waits_for_the_highest_recommendation_of_the_window() -> None:
    """A dip of four minutes changes nothing; five minutes after the last high the pods go."""
    scaler = Autoscaler(low=1, high=50, up=FREE, down=DEFAULT_DOWN)
    pods = scaler.decide(0.0, 20, 5)
    dip = [scaler.decide(15.0 * step, 3, pods) for step in range(1, 20)]

    assert pods == 20
    assert set(dip) == {20}
    assert scaler.decide(300.0, 3, pods) == 3


def test_scale_up_window_takes_the_least_recommendation_in_it() -> None:
    """With a window upwards a spike of one look adds nobody, a lasting rise adds what was wanted throughout."""
    scaler = Autoscaler(low=1, high=50, up=Rules(60.0, (Policy(100, 15.0),)), down=DEFAULT_DOWN)

    assert [scaler.decide(at_s, wanted, 4) for at_s, wanted in ((0.0, 4), (15.0, 30), (30.0, 4))] == [4, 4, 4]
    assert [scaler.decide(at_s, 20, 4) for at_s in (45.0, 60.0, 75.0)] == [4, 4, 4]
    assert scaler.decide(90.1, 20, 4) == 20
