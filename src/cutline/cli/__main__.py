"""The entry of the `cutline` command.

Exit codes: 0 done, 1 a design failed, 2 wrong usage or bad input, 3 a service cannot be reached, 4 out of time.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cutline.cli.app import app
from cutline.cli.failures import ExitCode


def main() -> None:
    """Runs the command line; the commands explain their own files, so what is left is a full or broken output."""
    try:
        app()
    except OSError as error:
        sys.stderr.write(f"error: standard output: {error.strerror or error}\n")
        with Path(os.devnull).open("wb") as nowhere:  # what is left in the buffer would fail again, and change the code
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        sys.exit(ExitCode.BAD_INPUT)


if __name__ == "__main__":
    main()
