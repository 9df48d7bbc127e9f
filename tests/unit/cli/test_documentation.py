"""docs/cli.md says what the commands do."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cutline.cli.app import app
from cutline.cli.failures import INTERRUPTED, OUTPUT_CLOSED, TERMINATED, ExitCode

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text("utf-8")
EXAMPLES = re.findall(r"^\$ (?:.*\| )?(cutline .*?)(?:\s+#.*)?$", PAGE, re.MULTILINE)


def test_there_are_examples() -> None:
    """The page is read as it is meant to be."""
    assert len(EXAMPLES) > 12


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_option_of_the_examples_exists(example: str) -> None:
    """No example names a command or an option that is not there."""
    words = shlex.split(example.split(" | ", maxsplit=1)[0])[1:]
    names = [] if words[0].startswith("-") else words[:1]
    shown = CliRunner().invoke(app, [*names, "--help"], env={"COLUMNS": "240", "NO_COLOR": "1"})
    assert shown.exit_code == 0
    known = set(re.findall(r"--[a-z-]+", shown.stdout))
    assert {word for word in words if word.startswith("--")} <= known


def test_every_command_is_named() -> None:
    """The table of commands leaves none out."""
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "240", "NO_COLOR": "1"})
    commands = re.findall(r"^│ ([a-z]+) {2,}", shown.stdout, re.MULTILINE)
    assert len(commands) == 11
    assert all(f"`{command}" in PAGE for command in commands)


@pytest.mark.parametrize("code", [*ExitCode, INTERRUPTED, TERMINATED, OUTPUT_CLOSED])
def test_every_exit_code_is_explained(code: int) -> None:
    """Each code stands in the first column of the table of exit codes."""
    table = PAGE.split("## Exit codes")[1].split("## ")[0]
    assert str(int(code)) in re.findall(r"\d+", " ".join(re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)))
