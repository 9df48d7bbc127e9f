"""Whether a process can do its work now, and what is missing if not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cutline.runtime.logging import get_logger

log = get_logger(__name__)

Check = Callable[[], Awaitable[str | None]]
"""Says in one short sentence what is wrong, or None when nothing is."""

CHECK_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checks say: name to problem, for what is needed and for what is only missed."""

    missing: dict[str, str]
    degraded: dict[str, str]

    @property
    def ready(self) -> bool:
        """Whether nothing needed is missing."""
        return not self.missing


class Readiness:
    """Collects checks; not ready before `begin` and never again after `end`."""

    def __init__(self) -> None:
        self._checks: dict[str, tuple[Check, bool]] = {}
        self._phase = "starting"
        self._listeners: list[Callable[[], None]] = []

    def on_flip(self, listener: Callable[[], None]) -> None:
        """Calls `listener` at `begin` and at `end`."""
        self._listeners.append(listener)

    def add_check(self, name: str, check: Check, *, required: bool = True) -> None:
        """Registers a check; one that is not required only shows a degraded state."""
        self._checks[name] = (check, required)

    def begin(self) -> None:
        """Everything has started."""
        if self._phase == "starting":
            self._flip("")

    def end(self) -> None:
        """The process is going to stop; no traffic should come any more."""
        self._flip("stopping")

    def _flip(self, phase: str) -> None:
        self._phase = phase
        for listener in self._listeners:
            listener()

    async def verdict(self) -> Verdict:
        """Asks every check, each for at most CHECK_TIMEOUT_S."""
        if self._phase:
            return Verdict(missing={"service": self._phase}, degraded={})
        checks = dict(self._checks)
        answers = await asyncio.gather(*(_answer(name, check) for name, (check, _) in checks.items()))
        problems = {name: answer for name, answer in zip(checks, answers, strict=True) if answer is not None}
        if self._phase:  # it flipped while the checks ran
            problems["service"] = self._phase
            checks["service"] = (_nothing, True)
        return Verdict(
            missing={name: problem for name, problem in problems.items() if checks[name][1]},
            degraded={name: problem for name, problem in problems.items() if not checks[name][1]},
        )


async def _nothing() -> None:
    return None


async def _answer(name: str, check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await check()
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_S:g} s"
    except Exception as error:
        log.warning("readiness.check_failed", check=name, exc_info=True)
        return f"the check failed with {type(error).__name__}"
