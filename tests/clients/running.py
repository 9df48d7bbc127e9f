"""A built example as a running program."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.clients.conftest import example_command

SAMPLE: Final = Path(__file__).parents[2] / "samples/artworks/donut.png"
PATIENCE_S: Final = 60.0


@dataclass
class Run:
    """A running example and what it has said so far."""

    toolchain: str
    folder: Path
    process: asyncio.subprocess.Process
    printed: list[str] = field(default_factory=list)
    complained: list[str] = field(default_factory=list)

    async def reads(self, stream: asyncio.StreamReader | None, lines: list[str]) -> None:
        """Keeps the lines of one of its outputs."""
        assert stream is not None
        while line := await stream.readline():
            lines.append(line.decode().rstrip())

    async def ended(self) -> int:
        """Waits for its end; its exit code."""
        return await asyncio.wait_for(self.process.wait(), PATIENCE_S)

    async def is_watching(self) -> bool:
        """Whether it has told a revision."""
        return bool(self.revisions)

    async def is_at_its_third_stream(self) -> bool:
        """Whether it has asked again twice, at least."""
        return self.resumptions >= 2

    @property
    def design_id(self) -> str:
        """The design it made."""
        return self.printed[0].removeprefix("accepted ")

    @property
    def revisions(self) -> list[int]:
        """The revisions it has told."""
        return [int(found[1]) for line in self.printed if (found := re.match(r"revision (\d+) ", line))]

    @property
    def resumptions(self) -> int:
        """How often it asked again."""
        return sum(line.startswith("watching again") for line in self.complained)


@asynccontextmanager
async def running(toolchain: str, environment: Mapping[str, str], folder: Path, *, width_mm: int) -> AsyncIterator[Run]:
    """Runs an example; it is killed where the test ends before it does.

    Args:
        toolchain: Of which client, one of `TOOLCHAINS`.
        environment: Where the services are.
        folder: Where it is to leave the files.
        width_mm: The sticker it asks for.
    """
    process = await asyncio.create_subprocess_exec(
        *example_command(toolchain),
        SAMPLE,
        folder,
        str(width_mm),
        env={**{name: value for name, value in os.environ.items() if not name.startswith("CUTLINE_")}, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    run = Run(toolchain, folder, process)
    async with asyncio.TaskGroup() as group:
        group.create_task(run.reads(process.stdout, run.printed))
        group.create_task(run.reads(process.stderr, run.complained))
        try:
            yield run
        finally:
            if process.returncode is None:
                process.kill()
