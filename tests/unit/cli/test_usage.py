"""The command line where no service is reached."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cutline.cli.app import app
from cutline.cli.failures import ExitCode, exit_code
from cutline.client import (
    ClientError,
    DesignDeletedError,
    DesignFailedError,
    NotConfiguredError,
    UploadError,
    WaitTimeoutError,
)
from cutline.domain.sticker_spec import StickerSpec
from cutline.v1 import design_pb2

VARIABLES = ("CUTLINE_INGEST_TARGET", "CUTLINE_STATUS_TARGET", "CUTLINE_TARGET", "CUTLINE_API_KEY")


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No service is configured, and none runs from the current folder."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", ["submit", "reprocess", "process"])
def test_every_field_of_the_spec_has_an_option(command: str) -> None:
    """A field added to the spec is an option of every command that takes a spec; `process` renders no mockups."""
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "240", "NO_COLOR": "1"})
    assert shown.exit_code == 0
    options = set(re.findall(r"--[a-z-]+", shown.stdout))
    renamed = {"output_formats": "--format", "mockup_scenes": "--scene"}
    assert ("--scene" in options) is (command != "process")
    for field in dataclasses.fields(StickerSpec):
        if field.name == "mockup_scenes" and command == "process":
            continue
        assert renamed.get(field.name, f"--{field.name.replace('_', '-')}") in options


@pytest.mark.parametrize(
    "arguments",
    [
        ["get", "d"],
        ["list"],
        ["watch", "d"],
        ["download", "d"],
        ["cancel", "d"],
        ["reprocess", "d"],
        ["delete", "d"],
        ["submit", "a.png"],
        ["queue", "stats"],
        ["queue", "stats", "--watch"],
        ["queue", "jobs"],
        ["queue", "job", "j"],
        ["queue", "dead"],
        ["queue", "redrive", "d"],
        ["queue", "discard", "--all", "--yes"],
        ["queue", "pause", "imaging", "--for", "1m"],
        ["queue", "resume", "mockup"],
    ],
)
def test_without_an_address_the_variables_are_named(arguments: list[str]) -> None:
    """Every command that needs a service says how to name one."""
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 2
    assert "CUTLINE_INGEST_TARGET, CUTLINE_STATUS_TARGET, CUTLINE_API_KEY are not set" in shown.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["submit"],
        ["submit", "a.png", "--label", "novalue"],
        ["submit", "a.png", "--lane", "slow"],
        ["submit", "a.png", "--scene", "laptop", "--no-mockups"],
        ["submit", "a.png", "--cut-type", "sideways"],
        ["list", "--state", "bogus"],
        ["list", "--limit", "0"],
        ["process", "a.png"],
        ["nonsense"],
        ["queue"],
        ["queue", "job"],
        ["queue", "jobs", "--stage", "cutting"],
        ["queue", "jobs", "--state", "QUICK"],
        ["queue", "stats", "--watch", "--interval", "0.5"],
        ["queue", "redrive"],
        ["queue", "discard", "d", "--all"],
        ["queue", "dead", "--before", "yesterday"],
        ["queue", "pause", "imaging"],
        ["queue", "pause", "cutting", "--for", "1m"],
        ["queue", "pause", "imaging", "--for", "soon"],
        ["queue", "pause", "imaging", "--for", "1m", "--until", "2030-01-01T00:00:00Z"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    """Whatever the command line cannot be read as, it ends with 2."""
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_an_unreachable_service_is_exit_code_3() -> None:
    """Nobody listening ends the command with 3 and one line."""
    env = {"CUTLINE_TARGET": "127.0.0.1:1", "CUTLINE_API_KEY": "k"}
    shown = CliRunner().invoke(app, ["get", "d"], env=env)
    assert (shown.exit_code, shown.stderr.count("\n")) == (3, 1)


def test_the_doctor_names_what_is_unreachable_and_the_mend() -> None:
    """With a wrong address the doctor says which service is away, what to do, and ends with 3."""
    env = {"CUTLINE_TARGET": "127.0.0.1:1", "CUTLINE_API_KEY": "k"}
    shown = CliRunner().invoke(app, ["doctor"], env=env)
    assert shown.exit_code == 3
    assert re.search(r"service ingest\s+away\s+127\.0\.0\.1:1", shown.stdout)
    assert "CUTLINE_STATUS_TARGET" in shown.stdout
    assert re.search(r"python\s+ok", shown.stdout)
    assert "service admin" not in shown.stdout
    shown = CliRunner().invoke(app, ["doctor"], env={**env, "CUTLINE_ADMIN_TARGET": "127.0.0.1:2"})
    assert re.search(r"service admin\s+away\s+127\.0\.0\.1:2", shown.stdout)


def test_the_doctor_without_an_address_says_how_to_name_one() -> None:
    """Nothing configured is a fault with a mend, and ends with 2."""
    shown = CliRunner().invoke(app, ["doctor"], env={})
    assert shown.exit_code == 2
    assert "make up" in shown.stdout


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DesignFailedError(design_pb2.Design(id="d", state=design_pb2.Design.STATE_FAILED)), ExitCode.DESIGN_FAILED),
        (DesignDeletedError("d"), ExitCode.DESIGN_FAILED),
        (NotConfiguredError(["X"]), ExitCode.BAD_INPUT),
        (UploadError("refused", retryable=False), ExitCode.BAD_INPUT),
        (UploadError("away", retryable=True), ExitCode.UNAVAILABLE),
        (WaitTimeoutError("late"), ExitCode.TIMED_OUT),
    ],
)
def test_every_failure_has_its_exit_code(error: ClientError, code: ExitCode) -> None:
    """1 a design failed, 2 bad input, 3 unavailable, 4 out of time."""
    assert exit_code(error) is code


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR set nothing is coloured even where colours are forced on."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[31m" in CliRunner().invoke(app, ["get", "d"]).stderr
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in CliRunner().invoke(app, ["get", "d"]).stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_standard_output_is_one_line() -> None:
    """Output that cannot be written ends the command with one line and exit code 2, not with a traceback."""
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "cutline.cli", "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == ExitCode.BAD_INPUT
    assert ended.stderr == "error: standard output: No space left on device\n"


def test_a_reader_that_went_away_ends_the_command_quietly() -> None:
    """Where nobody reads any more, as after `head`, nothing is said, and the code is that of a closed pipe."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "cutline.cli", "--version"], stdout=writer, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")
