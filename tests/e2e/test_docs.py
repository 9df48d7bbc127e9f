"""What the documentation shows is what happens: its blocks are run, against the whole of Cutline where they need it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import grpc
import pytest

from cutline.embedded.stack import EmbeddedStack
from cutline.v1 import status_service_pb2 as pb
from cutline.v1 import status_service_pb2_grpc
from tests.support.doc_pages import ROOT, blocks_of, commands_of, pages_with, runner

PATIENCE_S: Final = 110.0

# Programs of console blocks that are not run, and why.
EXEMPT_COMMANDS: Final = {
    "make": "starts what the fixture has started, and does not end",
}
# Pages whose blocks of Python are not run here, and why.
EXEMPT_PAGES: Final = {
    "docs/quickstart.md": "they are run with its commands, below",
    "docs/sdk.md": "they ask for a fake server, and are run by tests/integration/client",
    "docs/testing-your-code.md": "they are files of tests, run as such by tests/unit/testing",
}


@pytest.fixture
def folder(stack: EmbeddedStack, tmp_path: Path) -> Path:
    """A folder that looks like a checkout in which `make up` runs."""
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    shutil.copy(ROOT / "samples" / "artworks" / "fox.png", tmp_path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    instance = tmp_path / ".cutline" / "1"
    instance.mkdir(parents=True)
    lines = (f"{name}={value}\n" for name, value in stack.client_environment().items())
    (instance / "client.env").write_text("".join(lines), "utf-8")
    return tmp_path


async def output_of(*command: str, folder: Path, settings: Mapping[str, str] | None = None) -> str:
    """Runs a program to its end with no settings but those given; what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CUTLINE_")}
    environment |= settings or {}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, printed.decode()
    return printed.decode()


def token_of_now(stack: EmbeddedStack) -> str:
    """The token of a watch over all designs that starts now."""
    key = (("authorization", f"Bearer {stack.api_key}"),)
    with grpc.insecure_channel(stack.status_target) as channel:
        stub = status_service_pb2_grpc.StatusServiceStub(channel)
        for message in stub.WatchDesigns(pb.WatchDesignsRequest(), metadata=key, timeout=PATIENCE_S):
            if message.HasField("heartbeat"):
                return message.resume_token
    raise AssertionError


@pytest.mark.parametrize("page", [page for page in pages_with("python") if page not in EXEMPT_PAGES])
async def test_blocks_of_python_run(stack: EmbeddedStack, folder: Path, page: str) -> None:
    """The blocks of a page run in order in one namespace, as somebody who reads it would type them."""
    blocks = blocks_of(ROOT / page, "python")
    (folder / "blocks.json").write_text(json.dumps(blocks), "utf-8")

    program = (sys.executable, "-c", runner(), "samples/artworks/donut.png")
    printed = await output_of(*program, folder=folder, settings=stack.client_environment())

    assert printed.count("== block") == len(blocks)


async def test_the_quickstart_leads_to_stickers(stack: EmbeddedStack, folder: Path) -> None:
    """Its commands and its programs leave the files that the page promises."""
    page = ROOT / "docs/quickstart.md"
    commands = commands_of(page, exempt=EXEMPT_COMMANDS)
    assert len(commands) >= 2
    listed = await output_of("/bin/sh", "-e", "-c", "\n".join(commands), folder=folder)
    assert {"print.pdf", "cutline.svg", "cutline.dxf", "report.json"} <= set(listed.split())
    # From here on nothing is missed, however late the program on the page begins to watch.
    (folder / "resume-token.txt").write_text(await asyncio.to_thread(token_of_now, stack), "utf-8")
    (folder / "blocks.json").write_text(json.dumps(blocks_of(page, "python")), "utf-8")
    printed = await output_of(sys.executable, "-c", runner(), folder=folder)

    assert len(list((folder / "out" / "shell" / "fox").iterdir())) == 10
    assert len(list((folder / "out" / "mine").iterdir())) == 10
    assert len(list((folder / "out" / "async").iterdir())) == 10
    assert "spec.width_mm - 2 is not 5 to 1000 mm" in printed
    assert "ARTWORK_UNREADABLE" in printed
    assert "order-7 READY" in printed
