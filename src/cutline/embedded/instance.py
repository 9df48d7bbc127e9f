"""A folder of data that belongs to one running stack at a time."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import secrets
from pathlib import Path
from types import TracebackType
from typing import Self


class InstanceBusyError(RuntimeError):
    """Another stack is using this data."""


class DamagedDataError(RuntimeError):
    """A file of the data cannot be used; the message says how to begin anew."""


class Instance:
    """One data folder, locked while open.

    The lock is a file lock on an open descriptor. Every leash holds that descriptor too, so the data stays locked
    until the last server has ended, even when the stack itself was killed.
    """

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock = lock

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Lock `folder`, making it when missing, and clear the logs of the run before.

        Raises:
            InstanceBusyError: Another stack, or a server of one that is still stopping, has it.
        """
        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        instance = cls(folder, _lock(folder))
        for log in instance.log_path("any").parent.glob("*.log"):
            log.unlink()
        return instance

    @classmethod
    def open_first_free(cls, root: Path, *, prefix: str = "") -> Self:
        """Lock the first of `root`/1, `root`/2, ... that nobody uses: a second stack runs beside the first.

        Args:
            root: Where the folders are.
            prefix: Goes before the numbers, so that stacks of one kind do not get the data of another.
        """
        for number in itertools.count(1):
            try:
                return cls.open(root / f"{prefix}{number}")
            except InstanceBusyError:
                continue
        raise AssertionError

    @property
    def lock_descriptor(self) -> int:
        """The descriptor that keeps the lock, for leashes to hold."""
        return self._lock

    def log_path(self, name: str) -> Path:
        """Where a program's output goes."""
        return self.folder / "logs" / f"{name}.log"

    def secret(self, name: str) -> str:
        """A random secret that stays the same for this data.

        Raises:
            DamagedDataError: The file that holds the secrets cannot be read.
        """
        path = self.folder / "secrets.json"
        try:
            known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        except ValueError:
            message = f"{path} is damaged; remove {self.folder} to begin anew, without the designs in it"
            raise DamagedDataError(message) from None
        if name not in known:
            known[name] = secrets.token_hex(16)
            write_private(path, json.dumps(known).encode())
        return known[name]

    def close(self) -> None:
        """Unlock."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def in_use(folder: Path) -> bool:
    """Whether a stack, or a server of one that is still stopping, has this data."""
    try:
        os.close(_lock(folder))
    except InstanceBusyError:
        return True
    return False


def write_private(path: Path, data: bytes) -> None:
    """Put a file in its place whole, for its owner only."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_bytes(data)
    draft.rename(path)


def _lock(folder: Path) -> int:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        message = f"{folder} is in use by another stack"
        raise InstanceBusyError(message) from None
    return descriptor
