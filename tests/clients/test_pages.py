"""The programs that docs/other-languages.md shows for the ready clients."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

import pytest

from clients.build import GO, TYPESCRIPT
from cutline.embedded.stack import EmbeddedStack
from tests.clients.conftest import go, run_well, typescript

ROOT: Final = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(300)  # starts the whole of Cutline, on a machine that may have other work


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of somebody else's, with an artwork."""
    shutil.copy(ROOT / "samples/artworks/fox.png", tmp_path)
    return tmp_path


def first_program(language: str) -> str:
    """The first block of a language on the page."""
    page = (ROOT / "docs/other-languages.md").read_text("utf-8")
    found = re.search(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


async def test_the_program_for_node_makes_a_sticker(stack: EmbeddedStack, project: Path) -> None:
    """It tells revisions up to READY, and the reason of the call that must fail."""
    node = typescript(of_lock=True)
    (project / "node_modules").mkdir()
    (project / "node_modules/cutline").symlink_to(TYPESCRIPT)
    (project / "main.mjs").write_text(first_program("js"), "utf-8")

    printed = await run_well(*node, "main.mjs", cwd=project, **stack.client_environment())

    assert printed.endswith(" READY\nDESIGN_NOT_FOUND\n")


async def test_the_program_for_go_makes_a_sticker(stack: EmbeddedStack, project: Path) -> None:
    """The same for Go, in a workspace with the client; nothing is downloaded."""
    command = go()
    (project / "main.go").write_text(first_program("go"), "utf-8")
    (project / "go.mod").write_text("module shop.example/stickers\n\ngo 1.26.0\n", "utf-8")
    (project / "go.work").write_text(f"go 1.26.0\n\nuse (\n\t.\n\t{GO}\n)\n", "utf-8")
    offline = {"GOPROXY": "off", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}

    printed = await run_well(command, "run", ".", cwd=project, **offline, **stack.client_environment())

    assert printed.endswith(" STATE_READY\n")
