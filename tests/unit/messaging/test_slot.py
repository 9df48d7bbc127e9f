"""The slot: one child process, watched."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from cutline.domain.errors import ArtworkError, Reason
from cutline.messaging.slot import (
    Slot,
    SlotCancelledError,
    SlotCrashedError,
    SlotDeadlineError,
    SlotFaultError,
    SlotFunction,
    SlotMemoryError,
    SlotPlan,
    SlotReply,
    SlotWatch,
)
from cutline.telemetry.steps import StepTiming
from tests.support import slot_work
from tests.support.polling import eventually

MEBIBYTE = 1024 * 1024
MakeSlot = Callable[[SlotPlan], Awaitable[Slot]]


@pytest.fixture
async def make_slot() -> AsyncIterator[MakeSlot]:
    """Starts slots and stops them after the test."""
    made = []

    async def make(plan: SlotPlan) -> Slot:
        slot = Slot(plan)
        made.append(slot)
        await slot.start()
        return slot

    yield make
    for slot in made:
        await slot.stop()


class Run:
    """One run of a function in a slot, and what was heard of it."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.cancel = asyncio.Event()
        self.stepped = asyncio.Event()
        self.steps: list[tuple[str, float]] = []
        self.timings: list[StepTiming] = []

    def _step(self, name: str, share: float) -> None:
        self.steps.append((name, share))
        self.stepped.set()

    async def of(self, function: SlotFunction, *arguments: Any, deadline_s: float = 30) -> SlotReply:
        """Runs `function` with one buffer."""
        watch = SlotWatch(self._step, self.timings.extend)
        buffers = [b"pixels" * 1000]
        return await self.slot.run(function, arguments, buffers, deadline_s=deadline_s, cancel=self.cancel, watch=watch)


async def test_values_and_buffers_cross_the_socket(make_slot: MakeSlot) -> None:
    """What the function returns comes back, small values pickled and large ones as bytes, with its steps timed."""
    run = Run(await make_slot(SlotPlan()))

    reply = await run.of(slot_work.echo, {"answer": 42})

    assert reply == SlotReply({"answer": 42}, [b"pixels" * 1000])
    assert run.steps == [("first", 0.0), ("second", 0.5)]
    assert [timing.name for timing in run.timings] == ["first", "second"]
    assert all(timing.start_time_ns <= timing.end_time_ns for timing in run.timings)


async def test_one_process_serves_many_jobs_and_is_recycled_beside_the_work(make_slot: MakeSlot) -> None:
    """The same process does job after job until its share is done; then another one takes over."""
    slot = await make_slot(SlotPlan(recycle_after=3))

    first = [(await Run(slot).of(slot_work.process_id)).value for _ in range(3)]
    assert len(set(first)) == 1

    async with asyncio.timeout(30):
        while (await Run(slot).of(slot_work.process_id)).value == first[0]:
            pass
    assert await eventually(lambda: not psutil.pid_exists(first[0]))


async def test_the_child_sees_no_setting_of_its_service(make_slot: MakeSlot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logins reach services by their environment; the process that decodes what strangers upload is given none."""
    monkeypatch.setenv("CUTLINE_POSTGRES_DSN", "postgresql://u:secret@h/db")

    assert (await Run(await make_slot(SlotPlan())).of(slot_work.settings)).value == []


async def test_a_crash_is_one_jobs_and_the_next_runs_in_a_new_process(make_slot: MakeSlot) -> None:
    """A child that dies fails its own job with its exit code, and the slot goes on."""
    slot = await make_slot(SlotPlan())

    with pytest.raises(SlotCrashedError) as caught:
        await Run(slot).of(slot_work.die)

    assert caught.value.exit_code == 66
    assert (await Run(slot).of(slot_work.echo, "alive")).value == "alive"


async def test_a_child_that_died_while_idle_is_replaced(make_slot: MakeSlot) -> None:
    """Losing the idle child shows in `warm`, and costs the next job nothing but a start."""
    slot = await make_slot(SlotPlan())
    assert slot.warm
    assert slot.pid is not None

    os.kill(slot.pid, signal.SIGKILL)
    assert await eventually(lambda: not slot.warm)

    assert (await Run(slot).of(slot_work.echo, "alive")).value == "alive"


async def test_the_deadline_kills(make_slot: MakeSlot) -> None:
    """A job that hangs is killed at its deadline, and its process with it."""
    slot = await make_slot(SlotPlan())
    pid = slot.pid
    assert pid is not None

    with pytest.raises(SlotDeadlineError):
        await Run(slot).of(slot_work.hang, deadline_s=0.2)

    assert not psutil.pid_exists(pid)
    assert (await Run(slot).of(slot_work.echo, "alive")).value == "alive"


async def test_cancel_stops_between_two_steps_and_keeps_the_process(make_slot: MakeSlot) -> None:
    """A job that takes steps sees the cancel at its next one; its process lives on."""
    slot = await make_slot(SlotPlan())
    run = Run(slot)
    working = asyncio.create_task(run.of(slot_work.step_forever))
    await run.stepped.wait()

    run.cancel.set()
    with pytest.raises(SlotCancelledError):
        await working

    assert (await Run(slot).of(slot_work.process_id)).value == slot.pid


async def test_cancel_kills_what_takes_no_step(make_slot: MakeSlot) -> None:
    """A job that never comes to a step is killed after the grace."""
    slot = await make_slot(SlotPlan())
    pid, run = slot.pid, Run(slot)
    run.cancel.set()

    with pytest.raises(SlotCancelledError):
        await run.of(slot_work.hang)

    assert pid is not None
    assert not psutil.pid_exists(pid)


async def test_memory_is_bounded(make_slot: MakeSlot) -> None:
    """Work beyond the limit fails as such, in NumPy, in OpenCV and in GEOS; work below it passes."""
    plan = SlotPlan(warm_up="tests.support.slot_work:warm_up_numpy", memory_limit_bytes=512 * MEBIBYTE, threads=2)
    slot = await make_slot(plan)

    assert (await Run(slot).of(slot_work.allocate, 64 * MEBIBYTE)).value == 64 * MEBIBYTE
    with pytest.raises(SlotMemoryError):
        await Run(slot).of(slot_work.allocate, 1024 * MEBIBYTE)
    with pytest.raises(SlotMemoryError):
        await Run(slot).of(slot_work.allocate_in_opencv, 20_000)
    with pytest.raises(SlotMemoryError):
        await Run(slot).of(slot_work.allocate_in_geos, 100_000_000)
    assert (await Run(slot).of(slot_work.allocate, 64 * MEBIBYTE)).value == 64 * MEBIBYTE
    assert (await Run(slot).of(slot_work.threads)).value == "2"


async def test_errors_for_clients_come_back_whole(make_slot: MakeSlot) -> None:
    """An ArtworkError crosses with reason, message and metadata."""
    with pytest.raises(ArtworkError) as caught:
        await Run(await make_slot(SlotPlan())).of(slot_work.reject)

    assert (caught.value.reason, caught.value.message) == (Reason.NO_SUBJECT, "There is nothing on it.")
    assert caught.value.metadata == {"pixels": "0"}


async def test_a_bug_comes_back_as_its_traceback(make_slot: MakeSlot) -> None:
    """Any other exception becomes text for the log, its step marked; the process lives on."""
    slot = await make_slot(SlotPlan())
    run = Run(slot)

    with pytest.raises(SlotFaultError, match="the inside of it") as caught:
        await run.of(slot_work.fail)

    assert "slot_work.py" in str(caught.value)
    assert run.timings[0].error_type == "RuntimeError"
    assert (await Run(slot).of(slot_work.process_id)).value == slot.pid


async def test_a_warm_up_that_names_what_is_missing_fails_the_start() -> None:
    """The error of the warm-up is the error of the start, and no process is left."""
    slot = Slot(SlotPlan(warm_up="tests.support.slot_work:warm_up_fails"))

    with pytest.raises(ArtworkError, match="no model"):
        await slot.start()

    await slot.stop()
    assert not slot.warm


async def test_giving_a_run_up_kills_its_process(make_slot: MakeSlot) -> None:
    """Cancelling the task that waits for a run leaves nothing running."""
    slot = await make_slot(SlotPlan())
    pid, run = slot.pid, Run(slot)
    assert pid is not None
    working = asyncio.create_task(run.of(slot_work.step_forever))
    await run.stepped.wait()

    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    assert not psutil.pid_exists(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG to die in the middle of a job")
async def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    """A parent that is killed takes its busy child with it."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import asyncio, sys\n"
        "from cutline.messaging.slot import Slot, SlotPlan, SlotWatch\n"
        "from tests.support import slot_work\n"
        "async def main():\n"
        "    slot = Slot(SlotPlan())\n"
        "    await slot.start()\n"
        "    print(slot.pid, flush=True)\n"
        "    watch = SlotWatch(lambda *_: None, lambda _: None)\n"
        "    await slot.run(slot_work.hang, (), [], deadline_s=60, cancel=asyncio.Event(), watch=watch)\n"
        "asyncio.run(main())\n"
    )
    parent = subprocess.Popen(  # noqa: ASYNC220  (its output is one line)
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.getcwd()},  # noqa: PTH109
    )
    assert parent.stdout is not None
    pid = int(await asyncio.to_thread(parent.stdout.readline))
    assert psutil.pid_exists(pid)

    parent.kill()
    parent.wait()
    parent.stdout.close()

    assert await eventually(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie")
