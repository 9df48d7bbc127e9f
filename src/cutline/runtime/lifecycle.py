"""Starts the parts of a service in order, stops them in reverse, and ends the process as it should end.

On SIGTERM or SIGINT readiness flips first, then the parts stop, the last started first. `asyncio.run` alone would not
do that: SIGTERM kills a Python process without running a single `finally`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import NoReturn, Protocol, Self, runtime_checkable

from cutline.runtime.environment import EnvReader, SettingsError
from cutline.runtime.logging import configure_logging, get_logger, log_problems
from cutline.runtime.readiness import Readiness
from cutline.runtime.settings import LogLevel

log = get_logger(__name__)

EXIT_FAILED = 1
EXIT_SETTINGS = 2
STOP_TIMEOUT_S = 60.0
"""How long the stop of a part may take, beyond what the part itself grants to others."""


class Part(Protocol):
    """A long-lived piece of a service.

    `stop` returns only when the part has stopped; it tolerates a part that never started and a second call.
    """

    async def start(self) -> None:
        """Makes the part work; raises if it cannot."""

    async def stop(self) -> None:
        """Ends the part's work and gives back what it holds."""


@runtime_checkable
class PatientPart(Protocol):
    """A part whose stop waits for work that others began.

    Attributes:
        stop_grace_s: Longest it waits for that; what it does besides has the usual time on top.
    """

    stop_grace_s: float


class ServiceRuntime:
    """What the process gives to the composition root of a service."""

    def __init__(self) -> None:
        self.readiness = Readiness()
        self.stopping = asyncio.Event()
        self.failure: str | None = None

    def stop(self) -> None:
        """Asks for an orderly end; readiness flips before anything else happens."""
        self.readiness.end()
        self.stopping.set()

    def fatal(self, reason: str) -> None:
        """Ends the process in order and with a failure; call it on the event loop.

        For what cannot be mended from inside, so that a supervisor starts afresh: a closed broker connection, a
        background loop that died.
        """
        if self.failure is None:
            self.failure = reason
            log.error("service.fatal", reason=reason)
        self.stop()


Build = Callable[[Mapping[str, str], ServiceRuntime], Sequence[Part]]
"""The composition root of a service: environment in, parts out, in the order in which they start."""


class Lifecycle:
    """Runs parts: started in order, stopped in reverse."""

    def __init__(self, parts: Sequence[Part], *, stop_timeout_s: float = STOP_TIMEOUT_S) -> None:
        self._parts = parts
        self._stop_timeout_s = stop_timeout_s
        self._begun: list[Part] = []

    async def start(self) -> None:
        """Starts every part; if one cannot, stops those begun and raises what it raised."""
        try:
            for part in self._parts:
                self._begun.append(part)
                await part.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stops every part that was begun; one that fails or hangs does not keep the others from stopping."""
        while self._begun:
            part = self._begun.pop()
            grace_s = part.stop_grace_s if isinstance(part, PatientPart) else 0.0
            try:
                async with asyncio.timeout(self._stop_timeout_s + grace_s):
                    await part.stop()
            except Exception:
                log.exception("service.stop_failed", part=type(part).__name__)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


class BackgroundLoop:
    """A part that runs a coroutine until it is stopped; its end by itself is fatal to the service."""

    def __init__(self, name: str, run: Callable[[], Awaitable[None]], *, fatal: Callable[[str], None]) -> None:
        self._name = name
        self._run = run
        self._fatal = fatal
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins the loop."""
        self._task = asyncio.create_task(self._watch(), name=self._name)

    async def stop(self) -> None:
        """Cancels the loop and waits for its end."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _watch(self) -> None:
        try:
            await self._run()
        except Exception:
            log.exception("service.loop_failed", loop=self._name)
        self._fatal(f"the loop {self._name} ended")


def run_service(name: str, build: Build) -> NoReturn:
    """Runs a service until it is told to stop; the whole body of a service's `__main__`.

    Exit codes: 0 after an orderly stop, 1 after a failure, 2 when the settings cannot be used.
    """
    level = EnvReader(os.environ).choice("CUTLINE_LOG_LEVEL", LogLevel.INFO)
    configure_logging(name, level)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        code = runner.run(serve(build, os.environ))
    sys.exit(code)


async def serve(build: Build, environ: Mapping[str, str]) -> int:
    """Builds, starts and runs a service on the running loop; returns the exit code."""
    runtime = ServiceRuntime()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, runtime.stop)
    try:
        parts = build(environ, runtime)
    except SettingsError as error:
        log_problems(error)
        return EXIT_SETTINGS
    except Exception:
        log.exception("service.build_failed")
        return EXIT_FAILED
    lifecycle = Lifecycle(parts)
    if not await _started(lifecycle, runtime):
        return EXIT_FAILED if runtime.failure else 0
    runtime.readiness.begin()
    log.info("service.ready")
    await runtime.stopping.wait()
    log.info("service.stopping")
    await lifecycle.stop()
    log.info("service.stopped")
    return EXIT_FAILED if runtime.failure else 0


async def _started(lifecycle: Lifecycle, runtime: ServiceRuntime) -> bool:
    """Starts all parts unless the process is told to stop meanwhile; whether it shall go on."""
    starting = asyncio.create_task(lifecycle.start())
    stopping = asyncio.create_task(runtime.stopping.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    starting.cancel()  # does nothing to one that is done
    try:
        await starting
    except asyncio.CancelledError:
        return False
    except Exception:
        log.exception("service.start_failed")
        runtime.fatal("a part could not start")
        return False
    return True


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415  (there is none on Windows)

    return uvloop.new_event_loop
