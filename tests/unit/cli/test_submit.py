"""`cutline submit` and `watch` where no service answers, and what they refuse."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cutline.cli.app import app

NOBODY = {"CUTLINE_TARGET": "127.0.0.1:1", "CUTLINE_API_KEY": "k"}
PNG = b"\x89PNG\r\n\x1a\n"


def said(text: str) -> str:
    """A complaint without the frame and the folding of its box."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder to be in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["submit", "."], "FILE: . is a folder without artwork"),
        (["submit", "-"], "FILE: standard input is empty"),
        (["submit", "-", "-"], "FILE: standard input can be read once"),
        (["submit", "a.png", "--window", "0"], "'--window'"),
        (["submit", "a.png", "--out", ""], "'--out': is empty; . is the current folder"),
        (["download", "d", "--out", ""], "'--out': is empty; . is the current folder"),
        (["watch"], "DESIGN / --all: name designs, or say --all"),
        (["watch", "d", "--all"], "DESIGN / --all: name designs, or say --all"),
        (["watch", "d", "--resume-token", "t"], "--resume-token: goes with --all only"),
        (["watch", "--all", "--output", "json"], "--output: json is told at the end, and --all has none; use ndjson"),
        (["list", "--since", "yesterday"], "'yesterday' does not match the formats"),
    ],
)
def test_wrong_usage_names_the_option(arguments: list[str], complaint: str) -> None:
    """What is wrong and with which option is told, and the exit code is 2."""
    shown = CliRunner().invoke(app, arguments, env={**NOBODY, "COLUMNS": "200", "NO_COLOR": "1"})
    assert shown.exit_code == 2
    assert complaint in said(shown.stderr)
    assert shown.stdout == ""


def test_files_that_cannot_be_read_do_not_need_a_service(folder: Path) -> None:
    """Each is told with its reason, also as a line for programs, and the exit code is 2."""
    os.mkfifo(folder / "pipe.png")
    (folder / "text.txt").write_bytes(b"no picture")
    shown = CliRunner().invoke(app, ["submit", "no.png", "pipe.png", "text.txt", "--output", "ndjson"], env=NOBODY)
    assert shown.exit_code == 2
    told = {line["file"]: line for line in map(json.loads, shown.stdout.splitlines())}
    assert {name: line["exit_code"] for name, line in told.items()} == {"no.png": 2, "pipe.png": 2, "text.txt": 2}
    assert sorted(shown.stderr.splitlines()) == [
        "error: no.png: No such file or directory",
        "error: pipe.png: is no regular file",
        "error: text.txt: not a PNG, JPEG, WebP, TIFF, GIF, AVIF or SVG file",
    ]


def test_no_further_file_is_tried_where_the_service_is_away(folder: Path) -> None:
    """Only as many files as are under way at once meet the fault; the rest are told as not submitted, with 3."""
    for number in range(9):
        (folder / f"{number}.png").write_bytes(PNG)
    shown = CliRunner().invoke(app, ["submit", ".", "--window", "2", "--output", "json"], env=NOBODY)
    assert shown.exit_code == 3
    told = json.loads(shown.stdout)
    assert [one["file"] for one in told] == [f"{number}.png" for number in range(9)]
    assert [one["error"].startswith("not submitted: ") for one in told] == [False] * 2 + [True] * 7
    assert {one["exit_code"] for one in told} == {3}
    assert sorted(line[:12] for line in shown.stderr.splitlines()[:-2]) == ["error: 0.png", "error: 1.png"]
    assert "0 still under way, 9 not submitted" in shown.stderr
    assert "the same command again submits the rest" in shown.stderr


def test_the_highest_exit_code_is_told(folder: Path) -> None:
    """Of a bad file and an absent service the service's code wins; what was never sent is told as waiting."""
    (folder / "a.png").write_bytes(PNG)
    shown = CliRunner().invoke(app, ["submit", "no.png", "a.png"], env=NOBODY)
    assert shown.exit_code == 3
    assert "1 waiting, 1 failed" in shown.stderr.splitlines()


@pytest.mark.parametrize("action", ["redrive", "discard"])
def test_nothing_is_counted_where_nobody_answered(action: str) -> None:
    """A redrive or discard that reached no service prints its error and no count."""
    shown = CliRunner().invoke(app, ["queue", action, "d", "--output", "table"], env=NOBODY)
    assert (shown.exit_code, shown.stdout, shown.stderr.count("\n")) == (3, "", 1)


def test_no_color_stands_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """--no-color is known before and after the command, and wins over colours forced on."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    for arguments in (["--no-color", "get", "d"], ["get", "d", "--no-color"], ["queue", "stats", "--no-color"]):
        monkeypatch.setenv("NO_COLOR", "")
        shown = CliRunner().invoke(app, arguments, env={"CUTLINE_TARGET": ""})
        assert "not set" in shown.stderr
        assert "\x1b" not in shown.stderr
