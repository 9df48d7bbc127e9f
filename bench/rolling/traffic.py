"""Clients of the SDK that submit at a fixed rate and watch every design to its end, without a thought for restarts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Final, Self
from uuid import UUID

from bench.percentiles import Percentiles
from bench.rolling.art import Art
from bench.watch_faults.hearing import Hearing, Strike
from bench.watch_faults.watchers import SdkWatcher
from cutline.client import AsyncClient, ClientError, ClientSettings
from cutline.client.specs import SpecFields
from cutline.v1 import job_pb2

CLIENTS: Final = 4
"""Each with connections of its own, so that every replica has some."""
LANES: Final = (job_pb2.LANE_EXPRESS, job_pb2.LANE_STANDARD, job_pb2.LANE_BULK)


@dataclass(frozen=True, slots=True)
class Submit:
    """What became of one submit.

    Attributes:
        due_s: When it was due, in seconds since the epoch.
        took_s: From then to its end, upload and the SDK's own tries included.
        design_id: What was accepted; None where the SDK gave up.
        error: Why it did; empty where it did not.
    """

    due_s: float
    took_s: float
    design_id: UUID | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Latency:
    """Figures of some submits; times in milliseconds."""

    submits: int
    p50_ms: float
    p99_ms: float
    longest_ms: float

    @classmethod
    def of(cls, submits: Sequence[Submit]) -> Latency:
        """The figures of at least one submit."""
        return cls(len(submits), *Percentiles.of((1000 * submit.took_s for submit in submits), digits=1))


@dataclass
class Traffic:
    """`async with Traffic(...) as traffic`: submits and watches until `finish`.

    Attributes:
        settings: Where to, and as whom.
        art: What is submitted.
        per_s: Submits a second.
        title: Of every design, so that the books can tell them from others.
        fields: The sticker wanted of everything.
        of_all: Watchers of every design, beside the one that each design has.
        submits: What was answered so far.
        watchers: Every design's own.
        watchers_of_all: The others.
    """

    settings: ClientSettings
    art: Art
    per_s: float
    title: str
    fields: SpecFields
    of_all: int = 2
    submits: list[Submit] = field(default_factory=list)
    watchers: dict[str, SdkWatcher] = field(default_factory=dict)
    watchers_of_all: list[SdkWatcher] = field(default_factory=list)
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)
    _clients: list[AsyncClient] = field(default_factory=list)
    _watches: list[asyncio.Task[None]] = field(default_factory=list)
    _endless: list[asyncio.Task[None]] = field(default_factory=list)
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def accepted(self) -> frozenset[UUID]:
        """Designs that were answered."""
        return frozenset(submit.design_id for submit in self.submits if submit.design_id is not None)

    def between(self, begin_s: float, end_s: float) -> list[Submit]:
        """Submits that were due in a span of time."""
        return [submit for submit in self.submits if begin_s <= submit.due_s < end_s]

    async def finish(self, *, within_s: float) -> int:
        """Submits no more and waits until every watcher has been served to the end.

        Returns:
            How many of the designs' own watchers were not, within the time.
        """
        self._over.set()
        await self._run
        if not self._watches:
            return 0
        _, waiting = await asyncio.wait(self._watches, timeout=within_s)
        return len(waiting)

    async def __aenter__(self) -> Self:
        for _ in range(CLIENTS):
            self._clients.append(await self._open.enter_async_context(AsyncClient(self.settings)))
        for number in range(self.of_all):
            watcher = SdkWatcher(Hearing(Strike()), self._clients[number % CLIENTS])
            self.watchers_of_all.append(watcher)
            self._endless.append(asyncio.create_task(watcher.watch_all()))
        self._run = asyncio.create_task(self._submit_steadily(), name="submits")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in (self._run, *self._watches, *self._endless):
            task.cancel()
        await asyncio.gather(self._run, *self._watches, *self._endless, return_exceptions=True)
        await self._open.aclose()

    async def _submit_steadily(self) -> None:
        """Each submit at its time, whatever became of the one before."""
        start_s = time.time()
        async with asyncio.TaskGroup() as group:
            for number in count():
                due_s = start_s + number / self.per_s
                await asyncio.sleep(due_s - time.time())
                if self._over.is_set():
                    return
                group.create_task(self._submit(number, due_s))

    async def _submit(self, number: int, due_s: float) -> None:
        client = self._clients[number % CLIENTS]
        try:
            design = await client.designs.submit(
                self.art(number),
                filename=f"art-{number}.png",
                media_type="image/png",
                title=self.title,
                job=job_pb2.JobOptions(lane=LANES[number % len(LANES)]),
                **self.fields,
            )
        except ClientError as error:
            self.submits.append(Submit(due_s, time.time() - due_s, None, f"{type(error).__name__}: {error}"))
            return
        self.submits.append(Submit(due_s, time.time() - due_s, UUID(design.id)))
        watcher = SdkWatcher(Hearing(Strike()), self._clients[(number + 1) % CLIENTS])
        self.watchers[design.id] = watcher
        self._watches.append(asyncio.create_task(watcher.watch_design(design.id)))
