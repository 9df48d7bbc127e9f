"""What a failure becomes on a command line: one line and an exit code."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from enum import IntEnum
from typing import Any, Final, NoReturn, TypeVar

import typer

from cutline.cli.printing import complain
from cutline.client import (
    ApiError,
    ClientError,
    DeadlineExceededError,
    DesignDeletedError,
    DesignFailedError,
    DownloadError,
    NotConfiguredError,
    ResourceExhaustedError,
    UnavailableError,
    UploadError,
    WaitTimeoutError,
)
from cutline.domain.errors import CutlineError

_T = TypeVar("_T")


INTERRUPTED: Final = 130
TERMINATED: Final = 143
OUTPUT_CLOSED: Final = 141
"""What a shell expects of a command that Ctrl-C, SIGTERM or a reader that went away ended."""


class ExitCode(IntEnum):
    """How the command ended; of several failures the highest code is told."""

    OK = 0
    DESIGN_FAILED = 1
    BAD_INPUT = 2
    UNAVAILABLE = 3
    TIMED_OUT = 4


def exit_code(error: Exception) -> ExitCode:
    """The exit code of a failure."""
    if isinstance(error, DesignFailedError | DesignDeletedError):
        return ExitCode.DESIGN_FAILED
    if isinstance(error, WaitTimeoutError):
        return ExitCode.TIMED_OUT
    if isinstance(error, UnavailableError | DeadlineExceededError | ResourceExhaustedError):
        return ExitCode.UNAVAILABLE
    if isinstance(error, UploadError | DownloadError) and error.retryable:
        return ExitCode.UNAVAILABLE
    return ExitCode.BAD_INPUT


def explain(error: Exception) -> str:
    """A failure in one line."""
    if isinstance(error, NotConfiguredError):
        return f"{error}; `cutline doctor` tells more"
    if isinstance(error, ApiError | CutlineError) and error.violations:
        return "; ".join(f"{at.field}: {at.description}" for at in error.violations)
    return " ".join(str(error).split()) or type(error).__name__


def fail(message: str, code: ExitCode) -> NoReturn:
    """Ends the command with one line on the error stream."""
    complain(message)
    raise typer.Exit(code)


def run(work: Coroutine[Any, Any, _T], stopped: Callable[[], None] | None = None) -> _T:
    """Runs a command's work to its end; a foreseen failure ends the command with its line and code.

    Args:
        work: What to do; Ctrl-C cancels it.
        stopped: Called after that; with it SIGTERM is heard the same way.
    """
    tell = stopped or (lambda: None)
    try:
        return asyncio.run(_until_sigterm(work) if stopped else work)
    except KeyboardInterrupt:
        tell()
        raise typer.Exit(INTERRUPTED) from None
    except asyncio.CancelledError:
        tell()
        raise typer.Exit(TERMINATED) from None
    except (ClientError, CutlineError) as error:
        fail(explain(error), exit_code(error))


async def _until_sigterm(work: Coroutine[Any, Any, _T]) -> _T:
    task = asyncio.ensure_future(work)
    with suppress(NotImplementedError, RuntimeError):  # Windows has no such signals, other threads do not hear them
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task
