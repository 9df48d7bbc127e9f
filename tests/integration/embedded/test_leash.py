"""A program on a leash never outlives the process that started it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from cutline.embedded.instance import in_use
from cutline.embedded.process import LeashedProcess, Order, StartError, bare_environment, run_to_end
from tests.support.polling import eventually

_HOLDER = """
import asyncio, json, sys
from pathlib import Path
from cutline.embedded.servers import EmbeddedServers

async def hold():
    async with EmbeddedServers(Path(sys.argv[1])) as servers:
        print(json.dumps([server.program_id for server in servers.all]), flush=True)
        await asyncio.Event().wait()

asyncio.run(hold())
"""

_STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child == 0:
    signal.pause()
print(child, flush=True)
while True:
    signal.pause()
"""


async def _first_line(path: Path) -> str:
    assert await eventually(lambda: path.exists() and path.read_text().endswith("\n"))
    return path.read_text().splitlines()[0]  # noqa: ASYNC240  (a line of a local file)


@pytest.fixture
async def holder(tmp_path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that holds the three servers, with their process ids as its first line."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _HOLDER, str(tmp_path / "data")), stdout=asyncio.subprocess.PIPE
    )
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_servers_die_with_their_parent(
    holder: asyncio.subprocess.Process, tmp_path: Path, number: signal.Signals
) -> None:
    """When the process that holds the servers is killed, every server ends and the data is unlocked."""
    assert holder.stdout is not None
    programs = json.loads(await holder.stdout.readline())
    assert len(programs) == 3
    assert in_use(tmp_path / "data")
    holder.send_signal(number)
    await holder.wait()
    assert await eventually(lambda: not in_use(tmp_path / "data"))
    assert not any(psutil.pid_exists(program) for program in programs)


async def test_a_killed_leash_takes_its_server_along(holder: asyncio.subprocess.Process) -> None:
    """On Linux not even SIGKILL of the leash itself leaves a server behind."""
    if sys.platform != "linux":
        pytest.skip("only Linux tells a program that its parent died")
    assert holder.stdout is not None
    programs = [psutil.Process(program) for program in json.loads(await holder.stdout.readline())]
    for program in programs:
        os.kill(program.ppid(), signal.SIGKILL)
    assert await eventually(lambda: not any(program.is_running() for program in programs))


async def test_a_stubborn_program_and_its_children_are_killed(tmp_path: Path) -> None:
    """A program that ignores the signal to stop is killed after its grace, with what it started."""
    log_path = tmp_path / "stubborn.log"
    process = await LeashedProcess.start(
        (sys.executable, "-c", _STUBBORN),
        log_path=log_path,
        env=bare_environment(),
        cwd=tmp_path,
        order=Order(grace_s=0.2),
    )
    grandchild = psutil.Process(int(await _first_line(log_path)))
    await process.stop()
    assert await process.wait() == 128 + signal.SIGKILL
    assert await eventually(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE)


async def test_the_exit_code_and_the_log_are_told(tmp_path: Path) -> None:
    """A short program that fails is reported with its exit code and what it said."""
    with pytest.raises(StartError, match=r"(?s)exit code 3:.*out of paint"):
        await run_to_end(
            (sys.executable, "-c", "import sys; print('out of paint'); sys.exit(3)"),
            log_path=tmp_path / "short.log",
            env=bare_environment(),
            cwd=tmp_path,
            order=Order(),
        )


async def test_root_runs_a_program_as_another_user_in_a_closed_folder(tmp_path: Path) -> None:
    """Under another user a program still reaches a folder closed to others, and holds no other capability."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("only root on Linux changes users")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "note").write_text("reached", encoding="utf-8")
    show = (
        "import os; print(os.geteuid(), os.access('note', os.R_OK), open('note').read());"
        "print(open('/proc/self/status').read())"
    )
    await run_to_end(
        (sys.executable, "-c", show),
        log_path=tmp_path / "user.log",
        env=bare_environment(),
        cwd=closed,
        order=Order(user_id=65534, group_id=65534),
    )
    said = (tmp_path / "user.log").read_text()
    assert said.startswith("65534 True reached")
    assert "CapEff:\t0000000000000002" in said
