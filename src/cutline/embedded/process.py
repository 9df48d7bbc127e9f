"""One program on a leash: it ends when we say so, or when we end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

_LEASH = Path(__file__).with_name("leash.py")
_LOG_TAIL_BYTES = 4096


class StartError(RuntimeError):
    """A program did not come up; the message says which one and holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the leash has to know besides the command.

    Attributes:
        stop_signal: The signal that asks the program to end well.
        grace_s: How long it may take before it is killed.
        user_id: The user to run it as; None for our own.
        group_id: The group that goes with `user_id`.
        hold_descriptors: File descriptors the leash keeps open while the program lives (the lock of its data).
        leavings: Files the program may leave behind, removed after it has ended.
    """

    stop_signal: int = signal.SIGTERM
    grace_s: float = 15.0
    user_id: int | None = None
    group_id: int | None = None
    hold_descriptors: tuple[int, ...] = ()
    leavings: tuple[str, ...] = ()


class LeashedProcess:
    """A running program; `start` makes one."""

    def __init__(self, leash: asyncio.subprocess.Process, log_path: Path) -> None:
        self._leash = leash
        self.log_path = log_path

    @classmethod
    async def start(
        cls, command: Sequence[str | Path], *, log_path: Path, env: Mapping[str, str], cwd: Path, order: Order
    ) -> LeashedProcess:
        """Start `command` (an absolute path and its arguments) with both outputs appended to `log_path`."""
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("ab") as log:
            leash = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", _LEASH, json.dumps(asdict(order)), *command),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(env),
                cwd=cwd,
                pass_fds=order.hold_descriptors,
                start_new_session=True,  # Ctrl-C is ours to handle: the terminal's signal must not reach it
            )
        return cls(leash, log_path)

    @property
    def running(self) -> bool:
        """Whether the program has not ended yet."""
        return self._leash.returncode is None

    @property
    def program_id(self) -> int:
        """The process id of the program itself; for fault tests that kill it.

        Raises:
            ProcessLookupError: It has ended.
        """
        try:
            children = psutil.Process(self._leash.pid).children()
        except psutil.NoSuchProcess:
            children = []
        if not children:
            message = f"the program of {self.log_path.name} has ended"
            raise ProcessLookupError(message)
        return children[0].pid

    async def wait(self) -> int:
        """Wait for the end; the exit code, 128 + n after signal n."""
        return await self._leash.wait()

    async def stop(self) -> None:
        """Ask the program to end and wait until it has; after its grace it is killed. Stopping twice is fine."""
        if self._leash.stdin is not None:
            self._leash.stdin.close()
        await self._leash.wait()

    def log_tail(self) -> str:
        """The end of the log, whole lines of it where they are not too long, to show when something went wrong."""
        with self.log_path.open("rb") as log:
            start = max(0, self.log_path.stat().st_size - _LOG_TAIL_BYTES)
            log.seek(start)
            tail = log.read()
        _, cut, whole = tail.partition(b"\n")
        return (whole if start and cut and whole else tail).decode(errors="replace").strip()


async def run_to_end(
    command: Sequence[str | Path], *, log_path: Path, env: Mapping[str, str], cwd: Path, order: Order
) -> None:
    """Run a short program on a leash.

    Raises:
        StartError: It ended with another exit code than 0.
    """
    process = await LeashedProcess.start(command, log_path=log_path, env=env, cwd=cwd, order=order)
    try:
        code = await process.wait()
    finally:
        await process.stop()
    if code != 0:
        message = f"{Path(command[0]).name} ended with exit code {code}:\n{process.log_tail()}"
        raise StartError(message)


def bare_environment() -> dict[str, str]:
    """An environment for third-party servers: they read their own settings only, not whatever the shell holds."""
    kept = ("PATH", "TMPDIR", "SYSTEMROOT")
    return {"LC_ALL": "C", "HOME": os.devnull} | {name: os.environ[name] for name in kept if name in os.environ}
