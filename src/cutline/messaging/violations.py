"""What the broker refuses this user: told in the log by its subject, and counted."""

from __future__ import annotations

import re
import time
from typing import Final

from cutline.runtime.logging import get_logger
from cutline.telemetry.metrics import Metrics
from cutline.telemetry.names import Attribute

log = get_logger(__name__)

TOLD_AGAIN_S: Final = 60.0
"""How often one subject is told: a loop that tries again and again must not fill the log."""
MOST_SUBJECTS: Final = 100
"""Subjects that are told apart; of designs and jobs there would be one each."""

_VIOLATION: Final = re.compile(r'permissions violation for (publish|subscription) to "([^"]*)"')


class Violations:
    """Tells of publishes and subscriptions that this user may not make.

    The broker drops such a publish without another word, and its sender would wait for a reply that never comes: a
    violation is a fault of the code or of the broker's configuration, never of the load.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._told_s: dict[tuple[str, str], float] = {}

    def hear(self, error: Exception) -> bool:
        """Tells of an error if it is a violation; whether it is one. The client gives subjects in lower case."""
        match = _VIOLATION.search(str(error).lower())
        if match is None:
            return False
        action, subject = match[1], match[2]
        self._metrics.bus_violations.add(1, {Attribute.REASON.value: action})
        now_s = time.monotonic()
        if now_s - self._told_s.get((action, subject), -TOLD_AGAIN_S) >= TOLD_AGAIN_S:
            if len(self._told_s) >= MOST_SUBJECTS:
                self._told_s.clear()
            self._told_s[action, subject] = now_s
            log.error("broker.forbidden", action=action, subject=subject[:200])
        return True
