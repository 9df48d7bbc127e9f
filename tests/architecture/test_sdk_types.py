"""The types of the SDK hold for both type checkers that its users have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "tests/typing/sdk_program.py"


def check(*command: str) -> str:
    """What a type checker says, empty where it is content."""
    tool = Path(sys.executable).with_name(command[0])
    if not tool.exists():
        pytest.skip(f"{command[0]} is not installed beside this Python")
    said = subprocess.run((tool, *command[1:]), cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if said.returncode == 0 else said.stdout + said.stderr


def test_a_program_of_users_passes_mypy() -> None:
    """A program that uses the whole SDK is clean under `mypy --strict`, and what must be refused is refused."""
    assert check("mypy", "--strict", "--no-error-summary", PROGRAM) == ""


def test_the_sdk_and_a_program_of_users_pass_pyright() -> None:
    """The SDK, the fake server and that program are clean under the rules of pyright's standard mode."""
    assert check("basedpyright", "--pythonpath", sys.executable) == ""
