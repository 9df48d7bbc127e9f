"""Finds and stops stacks that run elsewhere on the same data."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from cutline.embedded.instance import Instance, in_use

_FILE = "stack.json"
_CLIENT_FILE = "client.env"
_STOP_WITHIN_S = 90.0
_POLL_S = 0.1


@contextmanager
def record(instance: Instance) -> Iterator[None]:
    """Leave a note of this process beside its data, so that `down` finds it."""
    path = instance.folder / _FILE
    me = psutil.Process()
    path.write_text(json.dumps({"process_id": me.pid, "create_time": me.create_time()}), encoding="utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def client_environment(instance: Instance, variables: Mapping[str, str]) -> Iterator[Path]:
    """Leave the variables clients need in a file that the SDK finds and a shell can read; only the owner may."""
    path = instance.folder / _CLIENT_FILE
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items()), encoding="utf-8")
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A stack whose data is locked.

    Attributes:
        folder: Its data.
        process_id: The process that supervises it; None when that one is gone and its servers are still stopping.
    """

    folder: Path
    process_id: int | None

    @classmethod
    def find(cls, root: Path) -> list[RunningStack]:
        """All stacks that run on data below `root`."""
        notes = sorted(root.glob(f"*/{_FILE}"))
        return [cls(note.parent, _supervisor_of(note)) for note in notes if in_use(note.parent)]

    async def stop(self) -> bool:
        """Ask it to stop and wait until its last server is gone; False when that takes too long."""
        if self.process_id is not None:
            os.kill(self.process_id, signal.SIGTERM)
        deadline_s = time.monotonic() + _STOP_WITHIN_S
        while in_use(self.folder):
            if time.monotonic() > deadline_s:
                return False
            await asyncio.sleep(_POLL_S)
        return True


def _supervisor_of(path: Path) -> int | None:
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        same = psutil.Process(note["process_id"]).create_time() == note["create_time"]
    except (FileNotFoundError, ValueError, KeyError, psutil.NoSuchProcess):
        return None
    return int(note["process_id"]) if same else None
