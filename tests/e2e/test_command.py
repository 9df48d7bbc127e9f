"""The `cutline` command against running services."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from cutline.domain.outputs import FILE_NAMES
from cutline.embedded.stack import EmbeddedStack
from tests.e2e.test_main_job import PATIENCE_S, artwork


async def started(stack: EmbeddedStack, *arguments: str, errors: int) -> asyncio.subprocess.Process:
    """The command, running, with its output in pipes."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cutline.cli",
        *arguments,
        env={**os.environ, **stack.client_environment(), "NO_COLOR": "1"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=errors,
    )


async def command(stack: EmbeddedStack, *arguments: str) -> tuple[int, str]:
    """Runs the command; its exit code and all it printed."""
    process = await started(stack, *arguments, errors=asyncio.subprocess.STDOUT)
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return process.returncode or 0, output.decode()


async def told(stack: EmbeddedStack, *arguments: str, typed: bytes = b"") -> tuple[int, list[dict[str, Any]]]:
    """Runs the command with ndjson; its exit code and the values it printed."""
    process = await started(stack, *arguments, "--output", "ndjson", errors=asyncio.subprocess.DEVNULL)
    output, _ = await asyncio.wait_for(process.communicate(typed), PATIENCE_S)
    return process.returncode or 0, [json.loads(line) for line in output.splitlines()]


async def test_submit_waits_and_brings_the_files(stack: EmbeddedStack, tmp_path: Path) -> None:
    """Two files in, two folders of files out, exit code 0."""
    for name, color in (("red.png", "#d62828"), ("blue.png", "#003049")):
        (tmp_path / name).write_bytes(artwork(color))
    out = tmp_path / "out"
    code, printed = await command(
        stack,
        "submit",
        str(tmp_path / "red.png"),
        str(tmp_path / "blue.png"),
        "--width-mm",
        "45",
        "--wait",
        "--out",
        str(out),
    )

    assert code == 0, printed
    for name in ("red", "blue"):
        made = {path.name for path in (out / name).iterdir()}
        assert set(FILE_NAMES.values()) <= made


async def test_submit_of_bad_artwork_says_why_and_exits_1(stack: EmbeddedStack, tmp_path: Path) -> None:
    """A design that fails is exit code 1 with its reason."""
    path = tmp_path / "broken.png"
    path.write_bytes(artwork()[:200])
    code, printed = await command(stack, "submit", str(path), "--wait", "--out", str(tmp_path / "out"))

    assert code == 1, printed
    assert "ARTWORK_UNREADABLE" in printed


async def test_doctor_finds_a_running_stack_well(stack: EmbeddedStack) -> None:
    """With everything reachable, doctor exits 0."""
    code, printed = await command(stack, "doctor")

    assert code == 0, printed


async def test_a_folder_is_submitted_within_its_window(stack: EmbeddedStack, tmp_path: Path) -> None:
    """Of a folder with bad files the good ones are made, two at a time; again under its name nothing is made twice."""
    art = tmp_path / "art"
    (art / "deep").mkdir(parents=True)
    colors = {"red": "#d62821", "blue": "#003041", "deep/green": "#2a9d81", "deep/grey": "#6c7571"}
    for name, color in colors.items():
        (art / f"{name}.png").write_bytes(artwork(color, side_px=200))
    (art / "cut.png").write_bytes(artwork()[:200])
    (art / "empty.png").write_bytes(b"")
    (art / "again").symlink_to(art)
    submit = ["submit", str(art), "--recursive", "--window", "2", "--batch", tmp_path.name, "--format", "print_pdf"]

    code, first = await told(stack, *submit, "--no-mockups", "--wait")
    again_code, again = await told(stack, *submit, "--no-mockups", "--out", str(tmp_path / "out"))

    assert (code, again_code) == (2, 2)
    codes = {Path(one["file"]).stem: one.get("exit_code", 0) for one in first}
    assert codes == {"red": 0, "blue": 0, "green": 0, "grey": 0, "cut": 1, "empty": 2}
    assert ids(first) == ids(again)
    assert all((tmp_path / "out" / name / "print.pdf").stat().st_size for name in colors)
    spans = [(one["design"]["create_time"], one["design"]["finish_time"]) for one in first if "design" in one]
    assert max(sum(begin <= moment < end for begin, end in spans) for moment, _ in spans) <= 2


def ids(told: list[dict[str, Any]]) -> dict[str, str]:
    """The designs of files."""
    return {one["file"]: one["design"]["id"] for one in told if "design" in one}


async def test_standard_input_is_submitted(stack: EmbeddedStack) -> None:
    """What comes through a pipe is artwork like any other."""
    code, (one,) = await told(
        stack, "submit", "-", "--filename", "piped.png", "--wait", "--no-mockups", typed=artwork("#9d4edd")
    )
    assert (code, one["design"]["state"], one["design"]["title"]) == (0, "STATE_READY", "piped.png")


async def test_every_change_is_watched_and_gone_on_with(stack: EmbeddedStack, tmp_path: Path) -> None:
    """A watch over all designs tells a new one at once; by the token of its first line another goes on behind it."""
    path = tmp_path / "watched.png"
    path.write_bytes(artwork("#ff006e"))
    watch = ["watch", "--all", "--output", "ndjson"]
    process = await started(stack, *watch, errors=asyncio.subprocess.DEVNULL)
    _, (one,) = await told(stack, "submit", str(path), "--no-mockups", "--wait")
    first = await anext(changes := changes_of(process, one["design"]["id"]))
    await changes.aclose()
    assert process.returncode == 130

    if first["design"]["state"] != "STATE_READY":
        token = first["resume_token"]
        process = await started(stack, *watch, "--resume-token", token, errors=asyncio.subprocess.DEVNULL)
        revision = int(first["design"]["revision"])
        async with aclosing(changes_of(process, one["design"]["id"])) as rest:
            async for change in rest:
                assert int(change["design"]["revision"]) > revision
                revision = int(change["design"]["revision"])
                if change["design"]["state"] == "STATE_READY":
                    break


async def changes_of(process: asyncio.subprocess.Process, design_id: str) -> AsyncGenerator[dict[str, Any], None]:
    """The changes of one design that a watch prints; the watch is interrupted in the end."""
    assert process.stdout is not None
    try:
        while line := await asyncio.wait_for(process.stdout.readline(), PATIENCE_S):
            change = json.loads(line)
            if change.get("design", {}).get("id") == design_id:
                yield change
    finally:
        process.send_signal(signal.SIGINT)
        await process.communicate()
