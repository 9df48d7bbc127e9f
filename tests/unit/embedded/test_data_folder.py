"""What the embedded stack makes of a data folder that somebody harmed, and of a terminal that is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cutline.embedded.instance import DamagedDataError, Instance
from cutline.embedded.process import LeashedProcess, Order
from cutline.embedded.running import RunningStack


def test_a_secret_stays_the_same(tmp_path: Path) -> None:
    """A secret of the same name is the same the next time the data is opened, and nobody else may read it."""
    with Instance.open(tmp_path) as instance:
        first = instance.secret("nats")
    with Instance.open(tmp_path) as instance:
        assert instance.secret("nats") == first
        assert instance.secret("postgres") != first
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0


def test_damaged_secrets_are_explained(tmp_path: Path) -> None:
    """A file of secrets that cannot be read is named, with the way to begin anew."""
    (tmp_path / "secrets.json").write_text("{", "utf-8")
    with Instance.open(tmp_path) as instance, pytest.raises(DamagedDataError, match="begin anew"):
        instance.secret("nats")


@pytest.mark.parametrize("note", ["", "{}", "{"])
def test_a_damaged_note_of_a_running_stack_names_no_process(tmp_path: Path, note: str) -> None:
    """A stack whose note cannot be read still counts as running, and no process is taken for it."""
    with Instance.open(tmp_path / "1") as instance:
        (instance.folder / "stack.json").write_text(note, "utf-8")

        assert RunningStack.find(tmp_path) == [RunningStack(instance.folder, None)]


async def test_the_end_of_a_log_begins_with_a_whole_line(tmp_path: Path) -> None:
    """Of a long log whole lines are shown; of one endless line its end."""
    lines = "".join(f"line {number:04} {'x' * 90}\n" for number in range(100))
    (tmp_path / "log").write_text(lines, "utf-8")
    process = await LeashedProcess.start(("/bin/true",), log_path=tmp_path / "log", env={}, cwd=tmp_path, order=Order())
    await process.wait()
    await process.stop()

    assert process.log_tail().startswith("line 00")
    assert process.log_tail().endswith("x")
    (tmp_path / "log").write_text("y" * 10_000, "utf-8")
    assert process.log_tail() == "y" * 4096


def test_nobody_has_to_listen(tmp_path: Path) -> None:
    """A command whose messages nobody reads any more does its work all the same."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        command = (sys.executable, "-m", "cutline.embedded", "--data-dir", str(tmp_path), "down")
        assert subprocess.run(command, stderr=writing, check=False, timeout=60).returncode == 0
    finally:
        os.close(writing)
