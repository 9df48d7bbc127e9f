"""The HPA's arithmetic, as kube-controller-manager does it for one metric of the type AverageValue.

Source: https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/ and, for the order of the
steps and the rounding, pkg/controller/podautoscaler of Kubernetes. KEDA hands such an HPA the lag whenever it asks.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

TOLERANCE: Final = 0.1
"""The controller leaves the replicas as they are while the metric is within a tenth of its target."""
SYNC_S: Final = 15.0
"""How often the controller looks."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How much may change in a period: `value` pods, or `value` percent where `is_percent`."""

    value: int
    period_s: float
    is_percent: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """One direction of an HPA's behavior.

    Attributes:
        window_s: Stabilization window.
        policies: Of these the one counts that allows the most.
    """

    window_s: float
    policies: tuple[Policy, ...]


DEFAULT_UP: Final = Rules(0.0, (Policy(4, 15.0), Policy(100, 15.0, is_percent=True)))
DEFAULT_DOWN: Final = Rules(300.0, (Policy(100, 15.0, is_percent=True),))


def wanted_replicas(metric: float, target: float, current: int) -> int:
    """What a metric asks for: ceil(metric / target), or what there is where the two are within the tolerance.

    Args:
        metric: Sum over all pods, such as the lag.
        target: Of it, for each pod.
        current: Replicas there are.
    """
    if current and abs(metric / (target * current) - 1.0) <= TOLERANCE:
        return current
    return math.ceil(metric / target)


class Autoscaler:
    """Decides replicas at each sync; remembers recommendations and changes as the controller does.

    Args:
        low: Fewest replicas.
        high: Most replicas.
        up: Rules of scaling up.
        down: Rules of scaling down.
    """

    def __init__(self, *, low: int, high: int, up: Rules = DEFAULT_UP, down: Rules = DEFAULT_DOWN) -> None:
        self._low = low
        self._high = high
        self._up = up
        self._down = down
        self._recommended: deque[tuple[float, int]] = deque()
        self._changes: deque[tuple[float, int]] = deque()

    def decide(self, now_s: float, wanted: int, current: int) -> int:
        """Replicas from now on.

        Args:
            now_s: The time, which only grows from call to call.
            wanted: What the metric asks for.
            current: Replicas there are.
        """
        steady = self._stabilized(now_s, wanted, current)
        if steady > current:
            decided = max(current, min(steady, self._up_limit(now_s, current), self._high))
        elif steady < current:
            decided = min(current, max(steady, self._down_limit(now_s, current), self._low))
        else:
            decided = current
        decided = max(self._low, min(self._high, decided))
        if decided != current:
            self._changes.append((now_s, decided - current))
        return decided

    def _stabilized(self, now_s: float, wanted: int, current: int) -> int:
        """No more than the least wanted in the window upwards, no less than the most wanted in the one downwards."""
        self._recommended.append((now_s, wanted))
        longest_s = max(self._up.window_s, self._down.window_s)
        while self._recommended[0][0] < now_s - longest_s:
            self._recommended.popleft()
        least = min((one for at_s, one in self._recommended if at_s > now_s - self._up.window_s), default=wanted)
        most = max((one for at_s, one in self._recommended if at_s > now_s - self._down.window_s), default=wanted)
        return min(max(current, least), most)

    def _up_limit(self, now_s: float, current: int) -> int:
        limits = []
        for policy in self._up.policies:
            start = current - self._changed(now_s, policy.period_s)
            grown = math.ceil(start * (1 + policy.value / 100)) if policy.is_percent else start + policy.value
            limits.append(grown)
        return max(limits)

    def _down_limit(self, now_s: float, current: int) -> int:
        limits = []
        for policy in self._down.policies:
            start = current - self._changed(now_s, policy.period_s)
            limits.append(int(start * (1 - policy.value / 100)) if policy.is_percent else start - policy.value)
        return min(limits)

    def _changed(self, now_s: float, period_s: float) -> int:
        """Pods added in a period, those taken away counted off."""
        longest_s = max(policy.period_s for policy in (*self._up.policies, *self._down.policies))
        while self._changes and self._changes[0][0] < now_s - longest_s:
            self._changes.popleft()
        return sum(change for at_s, change in self._changes if at_s > now_s - period_s)
