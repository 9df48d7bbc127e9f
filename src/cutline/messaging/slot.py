"""A slot: one child process that does one job at a time, watched from the event loop.

A crash, a hang or a leak in the work then costs one job and never the worker, and blames exactly one job.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from cutline.domain.errors import CutlineError
from cutline.messaging import slot_frames as frames
from cutline.runtime.logging import get_logger
from cutline.telemetry.steps import StepTiming

log = get_logger(__name__)

SlotFunction = Callable[..., tuple[Any, Sequence[bytes]]]
"""Runs in the child: `(observe, buffers, *arguments) -> (value, buffers)`; a function of an importable module."""

CANCEL_GRACE_S: Final = 2.0
_STEP_PATIENCE_S: Final = 0.25
"""Most work comes to its next step within this."""
_WARM_UP_S: Final = 120.0
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 15.0
_SOCKET_BUFFER_BYTES: Final = 1024 * 1024
_SETTINGS: Final = "CUTLINE_"
"""How the names of all settings of a service begin."""


class SlotError(Exception):
    """The work did not come to an end of its own."""


class SlotCrashedError(SlotError):
    """The child process died."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(f"the slot process died with exit code {exit_code}")
        self.exit_code = exit_code


class SlotDeadlineError(SlotError):
    """The work took longer than it may and was killed."""


class SlotMemoryError(SlotError):
    """The work needed more memory than it may have."""


class SlotCancelledError(SlotError):
    """The work was stopped because it is not wanted any more."""


class SlotFaultError(SlotError):
    """The work raised something that is not meant for clients; the message is the child's traceback."""


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """How the child processes of a slot are made.

    Attributes:
        warm_up: `module:function` that the child calls before it counts as ready, with `warm_up_arguments`; it
            imports what the work needs. Empty for none.
        warm_up_arguments: Its arguments.
        memory_limit_bytes: Bound on the child's heap and private pages; 0 for none. Linux only.
        recycle_after: Jobs after which a fresh child takes over.
        threads: Threads that native libraries may use.
    """

    warm_up: str = ""
    warm_up_arguments: tuple[Any, ...] = ()
    memory_limit_bytes: int = 0
    recycle_after: int = 500
    threads: int = 1

    def environment(self) -> dict[str, str]:
        """The child's environment: libraries read their thread counts once, at import.

        Of the service's settings it needs none, and they hold logins: the child reads what strangers upload.
        """
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
        return {**kept, **dict.fromkeys(names, str(self.threads))}


@dataclass(frozen=True, slots=True)
class SlotReply:
    """What the work returned."""

    value: Any
    buffers: list[bytes]


@dataclass(frozen=True, slots=True)
class SlotWatch:
    """Hears of a run: each step as it begins (name, share of the run done), and all timings at the end."""

    on_step: Callable[[str, float], None]
    on_timings: Callable[[list[StepTiming]], None]


class _Child:
    """One process and the parent's end of its socket."""

    def __init__(self, process: subprocess.Popen[bytes], end: frames.LoopEnd) -> None:
        self._process = process
        self._end = end
        self.pid = process.pid
        self.jobs = 0

    @classmethod
    async def spawn(cls, plan: SlotPlan) -> _Child:
        """Starts a process and waits until it is warm.

        Raises:
            CutlineError: The warm-up names what is missing.
            SlotError: The warm-up failed otherwise.
        """
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER_BYTES)
        with theirs:
            process = subprocess.Popen(  # noqa: ASYNC220, S603  (returns after vfork; our own interpreter and module)
                [sys.executable, "-m", "cutline.messaging.slot_child", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                env=plan.environment(),
            )
        child = cls(process, frames.LoopEnd(ours))
        try:
            async with asyncio.timeout(_WARM_UP_S):
                await child._warm_up(plan)
        except BaseException:
            await child.end()
            raise
        return child

    async def _warm_up(self, plan: SlotPlan) -> None:
        await self.send(
            (frames.HELLO, os.getpid(), sys.path, plan.warm_up, plan.warm_up_arguments, plan.memory_limit_bytes)
        )
        head, _ = await self.receive()
        if head[0] == frames.ERROR:
            raise _error_of(head)

    async def send(self, head: tuple[Any, ...], buffers: Sequence[bytes] = ()) -> None:
        """Sends a frame; a child that is gone shows when the answer is read."""
        with suppress(frames.ClosedError):
            await self._end.send(head, buffers)

    async def receive(self) -> tuple[tuple[Any, ...], list[bytes]]:
        """The next frame.

        Raises:
            SlotCrashedError: The process is gone.
        """
        try:
            return await self._end.receive()
        except frames.ClosedError:
            await self.kill()
            raise SlotCrashedError(self._process.returncode) from None

    async def kill(self) -> None:
        """Ends the process at once and waits for its end; whoever reads from it sees that."""
        self._process.kill()
        await asyncio.shield(asyncio.to_thread(self._process.wait))  # whoever is cancelled here leaves no zombie

    async def end(self) -> None:
        """Kills the process and closes the socket; nobody may be reading."""
        await self.kill()
        self._end.close()

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None


class Slot:
    """Keeps one warm child process and runs work in it.

    A child that crashed, was killed or has done its share of jobs is replaced; for the last of these the new one warms
    up beside the old one, so that no job waits for it.
    """

    def __init__(self, plan: SlotPlan) -> None:
        self._plan = plan
        self._child: _Child | None = None
        self._next: asyncio.Task[_Child] | None = None
        self._retiring: asyncio.Task[None] | None = None
        self._failing = False

    @property
    def failing(self) -> bool:
        """Whether the last try to start a child failed; another follows."""
        return self._failing

    @property
    def warm(self) -> bool:
        """Whether a job would start at once."""
        coming = self._next
        if coming is not None and coming.done():
            return True
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        """Process id of the child."""
        return None if self._child is None else self._child.pid

    async def start(self) -> None:
        """Starts the first child.

        Raises:
            CutlineError: The warm-up names what is missing.
            SlotError: The warm-up failed otherwise.
        """
        self._child = await _Child.spawn(self._plan)

    async def warm_up(self) -> None:
        """Waits until a job would start at once, however often a child has to be tried."""
        if self._child is not None and not self._child.alive:
            log.warning("slot.child_lost", pid=self._child.pid)
            await self._replace()
        if self._child is None:
            if self._next is None:
                self._next = asyncio.create_task(self._respawn())
            await asyncio.shield(self._next)

    async def stop(self) -> None:
        """Ends the processes."""
        if (coming := self._next) is not None:
            self._next = None
            coming.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await (await coming).end()
        if (child := self._child) is not None:
            self._child = None
            await child.end()
        if self._retiring is not None:
            await self._retiring

    async def run(
        self,
        function: SlotFunction,
        arguments: tuple[Any, ...],
        buffers: Sequence[bytes],
        *,
        deadline_s: float,
        cancel: asyncio.Event,
        watch: SlotWatch,
    ) -> SlotReply:
        """Runs `function` in the child.

        Args:
            function: What to run.
            arguments: Small arguments; they are pickled.
            buffers: Large ones; they cross as they are.
            deadline_s: Time after which the child is killed.
            cancel: Asks the work to stop at its next step; the child is killed CANCEL_GRACE_S later.
            watch: Hears of steps.

        Raises:
            CutlineError: The work raised it.
            SlotError: The work crashed, took too long or too much memory, was cancelled, or raised anything else.
        """
        canceller = None
        try:
            async with asyncio.timeout(deadline_s):
                child = await self._warm_child()
                canceller = asyncio.create_task(self._cancel_when_asked(child, cancel))
                await child.send((frames.RUN, function, arguments), buffers)
                return await _answer(child, watch)
        except TimeoutError:
            await self._replace()
            message = f"killed after {deadline_s:g} s"
            raise SlotDeadlineError(message) from None
        except SlotCrashedError:
            await self._replace()
            if cancel.is_set():
                message = "killed: it did not stop by itself"
                raise SlotCancelledError(message) from None
            raise
        except SlotMemoryError:
            await self._replace()  # what is left of it is not to be trusted
            raise
        except asyncio.CancelledError:
            await self._replace()
            raise
        finally:
            if canceller is not None:
                canceller.cancel()

    async def _warm_child(self) -> _Child:
        await self.warm_up()
        if self._next is not None and (self._child is None or self._next.done()):
            fresh, old = await asyncio.shield(self._next), self._child
            self._next, self._child = None, fresh
            if old is not None:
                self._retiring = asyncio.create_task(old.end())
        child = self._child
        assert child is not None  # noqa: S101  (warming up gave one, or the one that comes next)
        child.jobs += 1
        if child.jobs >= self._plan.recycle_after and self._next is None:
            self._next = asyncio.create_task(self._respawn())
        return child

    async def _cancel_when_asked(self, child: _Child, cancel: asyncio.Event) -> None:
        """Asks the work to stop; if it is slow to, the next child warms up beside it, so that the kill frees a slot."""
        await cancel.wait()
        await child.send((frames.CANCEL,))
        await asyncio.sleep(_STEP_PATIENCE_S)
        if self._next is None:
            self._next = asyncio.create_task(self._respawn())
        await asyncio.sleep(CANCEL_GRACE_S - _STEP_PATIENCE_S)
        await child.kill()

    async def _replace(self) -> None:
        child, self._child = self._child, None
        if self._next is None:
            self._next = asyncio.create_task(self._respawn())
        if child is not None:
            await child.end()

    async def _respawn(self) -> _Child:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                child = await _Child.spawn(self._plan)
            except (CutlineError, SlotError, OSError, TimeoutError) as error:
                self._failing = True
                log.error("slot.respawn_failed", problem=str(error), error=type(error).__name__, pause_s=pause_s)  # noqa: TRY400  (a child's error carries its own traceback)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                self._failing = False
                return child


async def _answer(child: _Child, watch: SlotWatch) -> SlotReply:
    while True:
        head, buffers = await child.receive()
        if head[0] == frames.STEP:
            watch.on_step(head[1], head[2])
            continue
        watch.on_timings([StepTiming(name, begin, end, {}, error) for name, begin, end, error in head[-1]])
        if head[0] == frames.RESULT:
            return SlotReply(head[1], buffers)
        raise _error_of(head)


def _error_of(head: tuple[Any, ...]) -> Exception:
    _, kind, error, text, _ = head
    if kind == "named":
        return error if isinstance(error, CutlineError) else SlotFaultError(repr(error))
    if kind == "cancelled":
        return SlotCancelledError("stopped between two steps")
    return SlotMemoryError(text) if kind == "memory" else SlotFaultError(text)
