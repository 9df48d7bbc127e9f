"""What is broken under the watchers: each fault does its harm and waits until what was away is there again."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from bench.faults.polling import until
from bench.watch_faults.stage import Stage

NATS: Final = "nats-server"
POSTGRES: Final = "postgres"
FIRST: Final = "status-1"
BURST_PAUSE_S: Final = 0.3
SWAMP_PAUSE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class WatchFault:
    """One way to break what watchers stand on.

    Attributes:
        name: For the table.
        act: Does the harm, notes its time, and waits until everything runs again.
        alone: Whether all watchers are served by one process, which nothing stands in for.
    """

    name: str
    act: Callable[[Stage], Awaitable[None]]
    alone: bool = False


def watch_faults(*, nats_away_s: float, status_away_s: float) -> list[WatchFault]:
    """Every fault.

    Args:
        nats_away_s: How long doorbells are lost.
        status_away_s: How long the only status process is away in the longest of the faults.
    """
    return [
        WatchFault("NATS stopped, started again", partial(restarted, NATS, signal.SIGTERM)),
        WatchFault("NATS killed", partial(restarted, NATS, signal.SIGKILL)),
        WatchFault("NATS away, doorbells lost", partial(away, NATS, signal.SIGTERM, nats_away_s)),
        WatchFault("PostgreSQL restarted, fast", partial(restarted, POSTGRES, signal.SIGINT)),
        WatchFault("PostgreSQL restarted, immediate", partial(restarted, POSTGRES, signal.SIGQUIT)),
        WatchFault("one of two status killed", partial(restarted, FIRST, signal.SIGKILL)),
        WatchFault("status rolled out, two", rolled_out),
        WatchFault("only status killed", partial(restarted, FIRST, signal.SIGKILL), alone=True),
        WatchFault("only status rolled out", partial(restarted, FIRST, signal.SIGTERM), alone=True),
        WatchFault("only status away", partial(away, FIRST, signal.SIGKILL, status_away_s), alone=True),
    ]


async def nothing(stage: Stage) -> None:
    """Breaks nothing: what a calm round looks like."""
    stage.strike.now()


async def restarted(name: str, number: signal.Signals, stage: Stage) -> None:
    """Ends a program; the supervisor starts it again."""
    farm = stage.farm
    before = farm.server(name).program_id
    stage.strike.now()
    farm.signal(name, number)
    await farm.replaced(name, before)
    await farm.whole()


async def away(name: str, number: signal.Signals, away_s: float, stage: Stage) -> None:
    """Ends a program and starts it again only after a while."""
    server = stage.farm.server(name)
    stage.strike.now()
    stage.farm.signal(name, number)
    await stage.farm.supervisor.stop(server)
    await asyncio.sleep(away_s)
    await stage.farm.supervisor.start(server)
    await stage.farm.whole()


async def rolled_out(stage: Stage) -> None:
    """Replaces one status process after the other, each when the one before serves again."""
    farm = stage.farm
    stage.strike.now()
    for name in farm.replicas("status"):
        before = farm.server(name).program_id
        farm.signal(name, signal.SIGTERM)
        await farm.replaced(name, before)
        await farm.whole()


async def aged(times: int, stage: Stage) -> None:
    """Lets every stream of all designs grow old a few times; the service ends it and sends its watcher back."""

    async def sent_back() -> bool:
        return all(watcher.hearing.words["reconnect"] >= times for watcher in stage.bare_of_all)

    await until(sent_back)


async def swamped(bursts: int, stage: Stage) -> None:
    """Changes every design at once, a few times, while half the watchers of all designs do not read.

    Again where a stream grew old meanwhile and its successor began with an empty queue.
    """
    readers = stage.bare_of_all
    while not any(reader.hearing.overflows for reader in readers):
        for reader in readers:
            reader.reading.clear()
        for _ in range(bursts):
            await stage.traffic.burst()
            await asyncio.sleep(BURST_PAUSE_S)
        for reader in readers:
            reader.hearing.pause()
            reader.reading.set()
        await asyncio.sleep(SWAMP_PAUSE_S)
