"""What a round plays on: the farm, what changes there, and who watches."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from bench.faults.farm import Farm
from bench.faults.polling import until
from bench.watch_faults.hearing import Hearing, Strike
from bench.watch_faults.traffic import Traffic
from bench.watch_faults.watchers import BareWatcher, SdkWatcher, Watcher, bare_channels

STREAMS_EACH: Final = 50
"""Streams of one connection."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many watch; every other one is the SDK's.

    Attributes:
        of_one: Watchers of one design after the other.
        of_all: Watchers of every design.
    """

    of_one: int
    of_all: int

    @property
    def size(self) -> int:
        """All of them."""
        return self.of_one + self.of_all


@dataclass
class Stage:
    """One round's.

    Attributes:
        of_one: Watchers of one design after the other.
        of_all: Watchers of every design.
        over: Set when no further design is to be watched.
    """

    farm: Farm
    traffic: Traffic
    strike: Strike
    of_one: list[Watcher] = field(default_factory=list)
    of_all: list[Watcher] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _endless: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def watchers(self) -> Sequence[Watcher]:
        """All of them."""
        return (*self.of_one, *self.of_all)

    @property
    def bare_of_all(self) -> list[BareWatcher]:
        """The watchers of every design that stand on the bare stub."""
        return [watcher for watcher in self.of_all if isinstance(watcher, BareWatcher)]

    @asynccontextmanager
    async def peopled(self, crowd: Crowd, rng: random.Random, *, alone: bool) -> AsyncIterator[None]:
        """Fills the stage with watchers, who are gone after the block.

        Args:
            crowd: How many.
            rng: Draws what they watch.
            alone: Whether all go to the first status process.
        """
        async with AsyncExitStack() as connections:
            make = await _makers(self.farm, connections, crowd, alone=alone)
            self.of_all = [make(number)(Hearing(self.strike)) for number in range(crowd.of_all)]
            self.of_one = [make(number)(Hearing(self.strike)) for number in range(crowd.of_one)]
            self._endless = [asyncio.create_task(watcher.watch_all()) for watcher in self.of_all]
            await until(self._all_know_the_live)
            self.traffic.begin.set()
            self._tasks = [asyncio.create_task(watcher.watch_some(self._choice(rng))) for watcher in self.of_one]
            try:
                yield
            finally:
                for task in (*self._tasks, *self._endless):
                    task.cancel()
                await asyncio.gather(*self._tasks, *self._endless, return_exceptions=True)

    async def all_have_heard(self, fact: Callable[[Hearing], object]) -> None:
        """Waits until something is true of every watcher's hearing."""

        async def told() -> bool:
            self._raise_failures()
            return all(fact(watcher.hearing) for watcher in self.watchers)

        await until(told)

    def close(self) -> None:
        """Has nobody begin to watch another design, and counts no silence from here on."""
        self.over.set()
        for watcher in self.watchers:
            watcher.hearing.close()

    async def left(self) -> None:
        """Waits until the watchers of single designs have come to their ends."""
        await asyncio.wait(self._tasks)
        self._raise_failures()

    def _raise_failures(self) -> None:
        for task in (*self._tasks, *self._endless):
            if task.done():
                task.result()

    def _choice(self, rng: random.Random) -> Callable[[], str | None]:
        def choose() -> str | None:
            return None if self.over.is_set() else rng.choice(self.traffic.live or [*self.traffic.designs])

        return choose

    async def _all_know_the_live(self) -> bool:
        self._raise_failures()
        return all(watcher.hearing.newest.keys() >= {*self.traffic.live} for watcher in self.of_all)


async def _makers(
    farm: Farm, connections: AsyncExitStack, crowd: Crowd, *, alone: bool
) -> Callable[[int], Callable[[Hearing], Watcher]]:
    """Gives for each number a maker of a watcher, SDK and bare in turn, fifty to a connection."""
    targets = farm.targets["status"][:1] if alone else farm.targets["status"]
    count = -(-crowd.size // (2 * STREAMS_EACH))
    clients = [await connections.enter_async_context(farm.connect(0 if alone else None)) for _ in range(count)]
    channels = bare_channels(targets, count)
    for channel in channels:
        connections.push_async_callback(channel.close)
    metadata = (("authorization", f"Bearer {farm.api_key}"),)

    def make(number: int) -> Callable[[Hearing], Watcher]:
        which = number // 2 % count
        if number % 2:
            return lambda hearing: SdkWatcher(hearing, clients[which])
        return lambda hearing: BareWatcher(hearing, channels[which], metadata)

    return make
