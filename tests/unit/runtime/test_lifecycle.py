"""Parts start in order and stop in reverse, and a process ends on SIGTERM as it should."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from cutline.runtime.environment import ListenAddress, SettingsError
from cutline.runtime.http import HttpServer
from cutline.runtime.lifecycle import BackgroundLoop, Lifecycle, Part, ServiceRuntime, serve

PROGRAM = Path(__file__).parent / "service_program.py"


class Recorded:
    """A part that notes what happens to it."""

    def __init__(self, name: str, happened: list[str], *, broken: bool = False, hangs: bool = False) -> None:
        self._name, self._happened, self._broken, self._hangs = name, happened, broken, hangs

    async def start(self) -> None:
        """Notes the start, or fails."""
        self._happened.append(f"start {self._name}")
        if self._broken:
            raise OSError(self._name)

    async def stop(self) -> None:
        """Notes the stop, or never returns."""
        self._happened.append(f"stop {self._name}")
        if self._hangs:
            await asyncio.Event().wait()


async def test_parts_stop_in_reverse() -> None:
    """What started last stops first, once."""
    happened: list[str] = []
    async with Lifecycle([Recorded("a", happened), Recorded("b", happened)]) as lifecycle:
        await lifecycle.stop()

    assert happened == ["start a", "start b", "stop b", "stop a"]


async def test_a_part_that_cannot_start_stops_those_before_it() -> None:
    """The failure is raised, and what had begun is given back; what never began is left alone."""
    happened: list[str] = []
    parts = [Recorded("a", happened), Recorded("b", happened, broken=True), Recorded("c", happened)]
    with pytest.raises(OSError, match="b"):
        await Lifecycle(parts).start()

    assert happened == ["start a", "start b", "stop b", "stop a"]


async def test_a_part_that_hangs_does_not_keep_the_others() -> None:
    """After the limit the next part is stopped."""
    happened: list[str] = []
    parts = [Recorded("a", happened), Recorded("b", happened, hangs=True)]
    async with Lifecycle(parts, stop_timeout_s=0.01):
        pass

    assert happened[-2:] == ["stop b", "stop a"]


async def test_a_part_that_waits_for_others_work_has_its_grace_on_top() -> None:
    """A worker that may wait for its job for minutes is not cut off after the time that other parts have."""
    done: list[str] = []

    class Patient(Recorded):
        stop_grace_s = 3600.0

        async def stop(self) -> None:
            """Waits for far longer than the usual limit."""
            over = asyncio.Event()
            asyncio.get_running_loop().call_later(0.1, over.set)
            await over.wait()
            done.append("job")

    async with Lifecycle([Patient("worker", [])], stop_timeout_s=0.001):
        pass

    assert done == ["job"]


async def test_probes_answer_while_others_work_is_waited_for() -> None:
    """During a stop the process is alive and not ready, so that it is neither restarted nor sent anything."""
    waits, go_on = asyncio.Event(), asyncio.Event()

    class Waiting(Recorded):
        async def stop(self) -> None:
            """Waits until the test has asked."""
            waits.set()
            await go_on.wait()

    runtime = ServiceRuntime()
    http = HttpServer(ListenAddress("127.0.0.1", 0), readiness=runtime.readiness, exposition=bytes)
    process = Lifecycle([http, Waiting("worker", [])])
    await process.start()
    runtime.readiness.begin()
    runtime.stop()
    stopping = asyncio.create_task(process.stop())
    await waits.wait()

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{http.port}", trust_env=False) as client:
        alive, ready = await client.get("/livez"), await client.get("/readyz")
    go_on.set()
    await stopping

    assert (alive.status_code, ready.status_code) == (200, 503)
    assert ready.json()["missing"] == {"service": "stopping"}


@pytest.mark.parametrize("raises", [True, False])
async def test_the_end_of_a_background_loop_is_fatal(*, raises: bool) -> None:
    """A loop that fails or just returns ends the service with a reason; one that is stopped does not."""
    ended = asyncio.Event()
    reasons: list[str] = []

    async def run() -> None:
        if raises:
            raise ValueError

    def fatal(reason: str) -> None:
        reasons.append(reason)
        ended.set()

    loop = BackgroundLoop("relay", run, fatal=fatal)
    await loop.start()
    await ended.wait()
    await loop.stop()
    assert reasons == ["the loop relay ended"]


async def test_a_stopped_background_loop_is_not_fatal() -> None:
    """Stop cancels the loop and waits for its end."""
    reasons: list[str] = []
    ended: list[bool] = []

    async def run() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    loop = BackgroundLoop("relay", run, fatal=reasons.append)
    await loop.start()
    await asyncio.sleep(0)
    await loop.stop()
    await loop.stop()

    assert (reasons, ended) == ([], [True])


async def test_settings_problems_end_with_2() -> None:
    """A service whose settings cannot be used ends with 2 before anything starts."""

    def build(_environ: Mapping[str, str], _runtime: ServiceRuntime) -> list[Part]:
        raise SettingsError(("CUTLINE_A: is required",))

    assert await serve(build, {}) == 2


async def test_a_part_that_cannot_start_ends_with_1() -> None:
    """A start that fails is a failure of the process, so that a supervisor tries again."""

    def build(_environ: Mapping[str, str], _runtime: ServiceRuntime) -> list[Part]:
        return [Recorded("a", [], broken=True)]

    assert await serve(build, {}) == 1


async def test_fatal_stops_in_order_and_ends_with_1() -> None:
    """What cannot be mended ends the process through the same door: readiness first, then the parts."""
    happened: list[str] = []
    ready: list[bool] = []

    class Fatal:
        def __init__(self, runtime: ServiceRuntime) -> None:
            self._runtime = runtime

        async def start(self) -> None:
            asyncio.get_running_loop().call_soon(self._runtime.fatal, "the broker closed the connection")

        async def stop(self) -> None:
            ready.append((await self._runtime.readiness.verdict()).ready)

    def build(_environ: Mapping[str, str], runtime: ServiceRuntime) -> list[Part]:
        return [Recorded("a", happened), Fatal(runtime)]

    assert await serve(build, {}) == 1
    assert (happened, ready) == (["start a", "stop a"], [False])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["starting", "ready"])
async def test_a_signal_ends_the_process_in_order(number: signal.Signals, moment: str) -> None:
    """SIGTERM and Ctrl-C, during the start or after it, stop the parts and end with 0."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), moment, stdout=asyncio.subprocess.PIPE, env={**os.environ, "NO_COLOR": "1"}
    )
    assert process.stdout is not None
    events: list[str] = []
    async for line in process.stdout:
        events.append(json.loads(line)["event"])
        if events[-1] == f"service.{moment}":
            process.send_signal(number)

    assert await process.wait() == 0
    begun = ["part.started", "service.ready", "service.stopping"] if moment == "ready" else ["service.starting"]
    ended = ["part.stopped.not_ready", "service.stopped"] if moment == "ready" else ["part.stopped.not_ready"]
    assert events == begun + ended
