"""What a shell is told when somebody presses the tab key."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cutline.cli.app import app
from cutline.domain.outputs import OutputFormat
from cutline.domain.presets import printer_preset_ids
from cutline.domain.scenes import SCENE_IDS
from cutline.domain.states import DesignState, JobState

BASH = shutil.which("bash")
STATES = [state.value for state in DesignState]


def completed(shell: str, *words: str) -> list[str]:
    """What is offered for the last of the words after `cutline`."""
    line = ["cutline", *words]
    env = {
        "_CUTLINE_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "\n".join(line),
        "COMP_CWORD": str(len(line) - 1),
        "_TYPER_COMPLETE_ARGS": " ".join(line),
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    shown = CliRunner().invoke(app, [], env=env, prog_name="cutline")
    assert shown.exit_code == 0, shown.output
    if shell == "zsh":
        return re.findall(r'^[^"]*"([^"]+)"', shown.stdout, re.MULTILINE)
    return [line.split("\t")[0] for line in shown.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["list", "--state", ""], STATES),
        (["list", "--state", "re"], ["READY"]),
        (["queue", "jobs", "--state", ""], [state.value for state in JobState]),
        (["submit", "--printer-preset", ""], list(printer_preset_ids())),
        (["submit", "--printer-preset", "ro"], ["roland"]),
        (["process", "--printer-preset", "ro"], ["roland"]),
        (["submit", "--scene", ""], list(SCENE_IDS)),
        (["submit", "--format", ""], [kind.value for kind in OutputFormat]),
        (["submit", "--format", "print"], ["PRINT_PDF"]),
        (["submit", "--lane", "b"], ["bulk"]),
        (["list", "--reason", "NO_"], ["NO_SUBJECT"]),
        (["watch", "--output", "nd"], ["ndjson"]),
        (["sub"], ["submit"]),
        (["submit", "--rec"], ["--recursive"]),
        (["submit", "--title", ""], []),
    ],
)
def test_bash_is_offered_what_fits(words: list[str], offered: list[str]) -> None:
    """States, presets, scenes, kinds of files, commands and options are completed; free text is not."""
    assert completed("bash", *words) == offered


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_offered_the_same(shell: str) -> None:
    """The protocols of zsh and fish ask for the same words."""
    assert completed(shell, "submit", "--scene", "b") == ["bottle"]
    assert completed(shell, "list", "--state", "FA") == ["FAILED"]


@pytest.mark.parametrize(("shell", "sign"), [("bash", "complete -o default"), ("zsh", "compdef"), ("fish", "complete")])
def test_every_shell_has_its_script(shell: str, sign: str) -> None:
    """The script asks the command under its own name."""
    shown = CliRunner().invoke(app, [], env={"_CUTLINE_COMPLETE": f"source_{shell}"}, prog_name="cutline")
    assert sign in shown.stdout
    assert "_CUTLINE_COMPLETE" in shown.stdout


@pytest.mark.skipif(BASH is None, reason="there is no bash")
def test_bash_takes_the_script(tmp_path: Path) -> None:
    """With the script installed bash itself completes a state by asking the command."""
    shown = CliRunner().invoke(app, [], env={"_CUTLINE_COMPLETE": "source_bash"}, prog_name="cutline")
    (tmp_path / "cutline").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cutline.cli "$@"\n')
    (tmp_path / "cutline").chmod(0o755)
    script = (
        f'PATH="{tmp_path}:$PATH"\n{shown.stdout}\n'
        'COMP_WORDS=(cutline list --state CAN); COMP_CWORD=3; _cutline_completion cutline; echo "${COMPREPLY[@]}"\n'
    )
    ended = subprocess.run([str(BASH), "--norc", "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (ended.stdout, ended.returncode) == ("CANCELLED\n", 0), ended.stderr
