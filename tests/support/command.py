"""The `cutline` command as a process of its own: in a pipe, or on a terminal of a chosen size."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping
from typing import Final

COMMAND: Final = (sys.executable, "-m", "cutline.cli")
PATIENCE_S: Final = 60.0


def start(environment: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    """Starts the command with its output in pipes."""
    return subprocess.Popen(
        (*COMMAND, *arguments),
        env={**os.environ, "NO_COLOR": "1", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def on_terminal(
    environment: Mapping[str, str], *arguments: str, columns: int, rows: int = 24, then: Callable[[], None]
) -> tuple[int, str]:
    """Runs the command with all its streams on a terminal.

    Args:
        environment: What to add to its environment.
        arguments: Those of the command.
        columns: Width of the terminal.
        rows: Its height.
        then: Called once the command runs; what it shows meanwhile is kept.

    Returns:
        The exit code, and all that was written to the terminal.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        (*COMMAND, *arguments),
        env={**os.environ, "TERM": "xterm-256color", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        then()
        written = bytearray()
        while block := _read(ours):
            written += block
        return process.wait(PATIENCE_S), written.decode()
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # how Linux says that nobody has the other end open
        return b""
