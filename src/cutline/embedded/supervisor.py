"""Keeps programs running: what ends by itself is started again, a little later each time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from cutline.embedded.process import StartError
from cutline.embedded.server import Server

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
STEADY_AFTER_S = 30.0
"""A program that ran this long begins with the first pause again."""


class Supervisor:
    """Starts programs, restarts those that end, stops all; `report` gets a line or more on every unexpected end."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._kept: list[tuple[Server, asyncio.Task[None]]] = []

    async def start(self, *servers: Server) -> None:
        """Start the given programs at once, wait until all serve, and keep them running from then on.

        Raises:
            StartError: One did not come up. All of them are stopped by then, none is kept.
        """
        starts = [asyncio.create_task(server.start(), name=f"start {server.name}") for server in servers]
        try:
            await asyncio.gather(*starts)
        except BaseException:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
            await asyncio.gather(*(server.stop() for server in servers))
            raise
        for server in servers:
            self._kept.append((server, asyncio.create_task(self._keep(server), name=f"keep {server.name}")))

    async def stop(self, *servers: Server) -> None:
        """Stop the given programs at once and wait until they are gone."""
        kept = [(server, keeper) for server, keeper in self._kept if server in servers]
        for _, keeper in kept:
            keeper.cancel()
        await asyncio.gather(*(keeper for _, keeper in kept), return_exceptions=True)
        await asyncio.gather(*(server.stop() for server in servers))
        self._kept = [entry for entry in self._kept if entry not in kept]

    async def _keep(self, server: Server) -> None:
        failures = 0
        while True:
            started_s = time.monotonic()
            exit_code = await server.wait()
            failures = 0 if time.monotonic() - started_s > STEADY_AFTER_S else failures + 1
            self._report(f"{server.name} ended with exit code {exit_code} and is started again; its log ends with:")
            self._report(server.log_tail())
            await asyncio.sleep(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** max(0, failures - 1)))
            try:
                await server.start()
            except (StartError, OSError) as error:
                self._report(str(error))
