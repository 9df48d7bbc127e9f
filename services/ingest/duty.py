"""One pass of a loop, after which the loop goes on whatever happened."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import nats.errors

from cutline.domain.errors import UnavailableError
from cutline.runtime.logging import get_logger

log = get_logger(__name__)

_T = TypeVar("_T")

REMIND_S: Final = 60.0
"""How often a failure that lasts is told again; some loops try many times a second."""


class Duty:
    """The passes of one loop. What keeps failing is told when it begins, now and then, and when it is over."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._failure = ""
        self._since_s = 0.0
        self._told_s = 0.0

    async def attempt(self, work: Callable[[], Awaitable[_T]]) -> _T | None:
        """Does one pass; None where it failed, which is told and left to the next pass.

        A failure ends neither the loop nor the process: what one row or message causes must not keep callers from
        being served, and what the database or the broker causes passes.
        """
        try:
            done = await work()
        except UnavailableError as error:
            if self._news(error.reason):
                log.warning("duty.waits", duty=self._name, reason=error.reason)
        except (nats.errors.Error, OSError) as error:
            if self._news(type(error).__name__):
                log.warning("duty.broker_silent", duty=self._name, error=type(error).__name__)
        except Exception as error:
            if self._news(type(error).__name__):
                log.exception("duty.failed", duty=self._name)
        else:
            if self._failure:
                self._failure = ""
                log.info("duty.goes_on", duty=self._name, after_s=round(time.monotonic() - self._since_s, 1))
            return done
        return None

    def _news(self, failure: str) -> bool:
        now_s = time.monotonic()
        if not self._failure:
            self._since_s = now_s
        elif failure == self._failure and now_s - self._told_s < REMIND_S:
            return False
        self._failure, self._told_s = failure, now_s
        return True
