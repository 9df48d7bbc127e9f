"""The `cutline` command against running services."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from cutline.domain.outputs import FILE_NAMES
from cutline.embedded.stack import EmbeddedStack
from tests.e2e.test_main_job import PATIENCE_S, artwork


async def command(stack: EmbeddedStack, *arguments: str) -> tuple[int, str]:
    """Runs the command; its exit code and all it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cutline.cli",
        *arguments,
        env={**os.environ, **stack.client_environment(), "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return process.returncode or 0, output.decode()


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
