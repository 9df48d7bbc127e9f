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
_STARTING, _STOPPING = "starting", "stopping"


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
        self._checks: dict[str, _Question] = {}
        self._phase = _STARTING
        self._listeners: list[Callable[[], None]] = []

    def on_flip(self, listener: Callable[[], None]) -> None:
        """Calls `listener` at `begin` and at `end`."""
        self._listeners.append(listener)

    def add_check(self, name: str, check: Check, *, required: bool = True) -> None:
        """Registers a check; one that is not required only shows a degraded state."""
        self._checks[name] = _Question(name, check, required=required)

    def begin(self) -> None:
        """Everything has started."""
        if self._phase == _STARTING:
            self._flip("")

    def end(self) -> None:
        """The process is going to stop; no traffic should come any more."""
        self._flip(_STOPPING)

    def _flip(self, phase: str) -> None:
        self._phase = phase
        for listener in self._listeners:
            listener()

    async def verdict(self) -> Verdict:
        """Asks every check; waits for each for at most CHECK_TIMEOUT_S.

        While the process starts too, so that it can be seen what it waits for.
        """
        if self._phase == _STOPPING:
            return Verdict(missing={"service": _STOPPING}, degraded={})
        questions = tuple(self._checks.values())
        answers = await asyncio.gather(*(question.answer() for question in questions))
        problems = [pair for pair in zip(questions, answers, strict=True) if pair[1] is not None]
        missing = {question.name: str(problem) for question, problem in problems if question.required}
        degraded = {question.name: str(problem) for question, problem in problems if not question.required}
        if self._phase:  # looked at after the checks, for it may flip while they run
            missing["service"] = self._phase
        return Verdict(missing, degraded)


class _Question:
    """A check that is asked once at a time.

    What it asks may hang, and hang again when it is cancelled, as a query does that tells its server to give up. So
    nobody waits for its end longer than CHECK_TIMEOUT_S, and who asks meanwhile waits for the same answer.
    """

    def __init__(self, name: str, check: Check, *, required: bool) -> None:
        self.name = name
        self.required = required
        self._check = check
        self._asking: asyncio.Task[str | None] | None = None

    async def answer(self) -> str | None:
        """What the check says, or that it says nothing in time."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name=f"check {self.name}")
        asking = self._asking
        done, _ = await asyncio.wait({asking}, timeout=CHECK_TIMEOUT_S)
        return asking.result() if done else f"no answer within {CHECK_TIMEOUT_S:g} s"

    async def _ask(self) -> str | None:
        try:
            return await self._check()
        except Exception as error:
            log.warning("readiness.check_failed", check=self.name, exc_info=True)
            return f"the check failed with {type(error).__name__}"
