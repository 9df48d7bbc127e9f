"""The supervisor keeps programs running and stops them when told."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from cutline.embedded.process import LeashedProcess, Order, StartError, bare_environment
from cutline.embedded.server import Server
from cutline.embedded.supervisor import Supervisor


class Sleeper(Server):
    """A program that says it is there and waits."""

    def __init__(self, name: str, folder: Path, script: str) -> None:
        super().__init__(name, folder / f"{name}.log")
        self._folder = folder
        self._script = script
        self._starts = 0

    async def launch(self) -> LeashedProcess:
        """Start it."""
        self._starts += 1
        return await LeashedProcess.start(
            (sys.executable, "-c", self._script),
            log_path=self.log_path,
            env=bare_environment(),
            cwd=self._folder,
            order=Order(),
        )

    async def ready(self) -> bool:
        """Whether it has spoken since its last start."""
        return self.log_path.read_text().count("ready") == self._starts


_WAITS = "import signal; print('ready', flush=True); signal.pause()"
_FAILS = "print('no paint left', flush=True); raise SystemExit(7)"


async def test_a_program_that_dies_is_started_again(tmp_path: Path) -> None:
    """After SIGKILL the program runs again, and the report names it, its exit code and its last words."""
    said: list[str] = []
    restarted = asyncio.Event()
    supervisor = Supervisor(said.append)

    class Watched(Sleeper):
        async def start(self) -> None:
            await super().start()
            if said:
                restarted.set()

    sleeper = Watched("sleeper", tmp_path, _WAITS)
    await supervisor.start(sleeper)
    try:
        first = sleeper.program_id
        os.kill(first, signal.SIGKILL)
        await asyncio.wait_for(restarted.wait(), 30)
        assert sleeper.program_id != first
        assert said == ["sleeper ended with exit code 137 and is started again; its log ends with:", "ready"]
    finally:
        last = sleeper.program_id
        await supervisor.stop(sleeper)
    assert not psutil.pid_exists(last)


async def test_one_that_cannot_start_stops_the_others(tmp_path: Path) -> None:
    """When one of several programs fails to start, its words are in the error and the others are gone."""
    supervisor = Supervisor(lambda _: None)
    fine, broken = Sleeper("fine", tmp_path, _WAITS), Sleeper("broken", tmp_path, _FAILS)
    with pytest.raises(StartError, match=r"(?s)broken ended with exit code 7 while starting:.*no paint left"):
        await supervisor.start(fine, broken)
    with pytest.raises(ProcessLookupError):
        _ = fine.program_id
