"""The entry of the `cutline` command.

Exit codes: 0 done, 1 a design failed, 2 wrong usage or bad input, 3 a service cannot be reached, 4 out of time.
"""

from __future__ import annotations

from cutline.cli.app import app


def main() -> None:
    """Runs the command line."""
    app()


if __name__ == "__main__":
    main()
