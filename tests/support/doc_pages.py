"""The code blocks of a page of documentation, as programs that can be run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE_NAME: Final = re.compile(r"# ([\w-]+\.py)\n")

# Runs the blocks of a page in one namespace; one that awaits at its top level is run in an event loop.
_RUNNER: Final = """
import ast, asyncio, inspect, json, sys

namespace = {"__name__": "__main__"}
for number, block in enumerate(json.load(open("blocks.json", encoding="utf-8")), start=1):
    code = compile(block, f"block {number}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if code.co_flags & inspect.CO_COROUTINE:
        async def run(code=code):
            await eval(code, namespace)
        asyncio.run(run())
    else:
        exec(code, namespace)
    print(f"== block {number} done", flush=True)
"""


def pages_with(language: str) -> list[str]:
    """Pages that hold blocks of a language, by their path from the root."""
    pages = sorted((ROOT / "docs").glob("*.md"))
    return [str(page.relative_to(ROOT)) for page in (ROOT / "README.md", *pages) if blocks_of(page, language)]


def blocks_of(page: Path, language: str) -> list[str]:
    """The blocks of one language, in order."""
    return [body for kind, body in _BLOCK.findall(page.read_text("utf-8")) if kind == language]


def named_files(blocks: list[str]) -> dict[str, str]:
    """Blocks that begin with the name of a file, by it."""
    return {match[1]: block for block in blocks if (match := _FILE_NAME.match(block))}


def commands_of(page: Path, *, exempt: dict[str, str]) -> list[str]:
    """The commands of a page's console blocks, in order, without the programs that are exempt."""
    lines = [line[2:] for block in blocks_of(page, "console") for line in block.splitlines() if line.startswith("$ ")]
    return [line for line in lines if shlex.split(line, comments=True)[0] not in exempt]


def runner() -> str:
    """A program that runs the blocks in blocks.json."""
    return _RUNNER
