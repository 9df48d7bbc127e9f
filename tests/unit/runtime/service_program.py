"""A service of one part, for tests that send it signals; its argument says whether the part ever gets started."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

from cutline.runtime.lifecycle import Part, ServiceRuntime, run_service
from cutline.runtime.logging import get_logger

log = get_logger(__name__)


class Spoken:
    """A part that says what happens to it."""

    def __init__(self, runtime: ServiceRuntime, *, hangs: bool) -> None:
        self._runtime = runtime
        self._hangs = hangs

    async def start(self) -> None:
        """Starts, or waits for ever."""
        if self._hangs:
            log.info("service.starting")
            await asyncio.Event().wait()
        log.info("part.started")

    async def stop(self) -> None:
        """Says whether the service still calls itself ready."""
        verdict = await self._runtime.readiness.verdict()
        log.info("part.stopped.ready" if verdict.ready else "part.stopped.not_ready")


def build(_environ: Mapping[str, str], runtime: ServiceRuntime) -> list[Part]:
    """The composition root."""
    return [Spoken(runtime, hangs=sys.argv[1] == "starting")]


if __name__ == "__main__":
    run_service("spoken", build)
