"""The entry of the `cutline` command.

Exit codes: 0 done, 1 a design failed, 2 wrong usage or bad input, 3 a service cannot be reached, 4 out of time; 130,
143 and 141 where Ctrl-C, SIGTERM or a reader that went away ended it. docs/cli.md explains them.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import NoReturn

# gRPC reads this when it is loaded; what it says about connections is told in words of ours.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from cutline.cli.app import app
from cutline.cli.failures import OUTPUT_CLOSED, ExitCode
from cutline.cli.printing import OutputClosedError


def main() -> None:
    """Runs the command line; the commands explain their own files, so what is left is a full or broken output."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what it cannot write is shown as escapes, not refused
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="cutline")
    except (OutputClosedError, BrokenPipeError):
        _end(OUTPUT_CLOSED)
    except OSError as error:
        sys.stderr.write(f"error: standard output: {error.strerror or error}\n")
        _end(ExitCode.BAD_INPUT)


def _end(code: int) -> NoReturn:
    """Ends the program; what is left in the buffer would fail again, and change the code."""
    with Path(os.devnull).open("wb") as nowhere:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere.fileno(), stream.fileno())
    sys.exit(code)


if __name__ == "__main__":
    main()
