"""What every measurement stands on: real servers, the status service as a process, designs, a changer and callers."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

import psutil
from prometheus_client.parser import text_string_to_metric_families

from bench.delivery.floor import Floor, cpu_s, floor
from bench.submit import store_key
from bench.watch.asking import Program, program
from bench.watch.sizes import PER_CONNECTION
from bench.watch.watchers import BARE, WATCH_DESIGN, WATCH_DESIGNS
from cutline.contract.specs import spec_to_json
from cutline.domain.sticker_spec import StickerSpec
from cutline.embedded.ports import LOOPBACK
from cutline.embedded.process import Order
from cutline.embedded.server import plain_http_client
from cutline.embedded.service import Service
from cutline.messaging.tickets import read_ticket
from cutline.v1 import status_service_pb2 as pb

CLIENTS: Final = 2

_SMALL_WINDOW: Final = {"grpc.http2.bdp_probe": 0, "grpc.http2.lookahead_bytes": 65_535}
"""A connection that buffers little, so that a reader who stops is felt soon."""

SETTINGS: Final = {
    "CUTLINE_GRPC_MAX_STREAMS": "20000",
    "CUTLINE_GRPC_MAX_STREAMS_PER_TENANT": "20000",
    "CUTLINE_GRPC_MAX_STREAMS_PER_KEY": "20000",
}
"""All watchers have one key; all else is as the service has it by default."""


@dataclass(frozen=True, slots=True)
class Status:
    """The status service as a process.

    Attributes:
        service: The process.
        target: Its gRPC address.
    """

    service: Service
    target: str

    def rss_bytes(self) -> int:
        """Resident memory."""
        return int(psutil.Process(self.service.program_id).memory_info().rss)

    def cpu_s(self) -> float:
        """CPU time spent so far."""
        return cpu_s(self.service)

    async def metrics(self) -> dict[str, float]:
        """Its metrics now: sums over all attributes but the cause of a read and the outcome of a ring."""
        async with plain_http_client() as client:
            answer = await client.get(f"{self.service.http_url}/metrics")
        answer.raise_for_status()
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                told = [sample.labels[name] for name in _TOLD_APART if name in sample.labels]
                name = ".".join([sample.name, *told])
                found[name] = found.get(name, 0.0) + sample.value
        return found


_TOLD_APART: Final = ("cutline_read_cause", "cutline_outcome")


def design_requests(designs: Sequence[UUID]) -> list[bytes]:
    """What those who watch one design each ask for."""
    return [pb.WatchDesignRequest(design_id=str(design)).SerializeToString() for design in designs]


class Callers:
    """Client processes that watch, asked together.

    Attributes:
        programs: The processes.
    """

    def __init__(self, programs: Sequence[Program], key: str) -> None:
        self.programs = programs
        self._key = key

    async def watch(self, target: str, designs: Sequence[UUID]) -> float:
        """Watches each of these designs, evenly from all processes; watchers are numbered in this order.

        Returns:
            Seconds until every watcher had its first message.
        """
        return await self._open(target, WATCH_DESIGN, design_requests(designs))

    async def stall(self, target: str, designs: Sequence[UUID]) -> None:
        """Watches each of these designs over a connection of its own, reads one message and then nothing more."""
        await self._open(
            target, WATCH_DESIGN, design_requests(designs), per_connection=1, reads=1, options=_SMALL_WINDOW
        )

    async def watch_tenant(self, target: str, number: int) -> float:
        """Watches all designs of the tenant so many times, from now on: none is told what is unfinished already."""
        token = await self.programs[0].ask("token", target=target, key=self._key)
        request = pb.WatchDesignsRequest(resume_token=token)
        return await self._open(target, WATCH_DESIGNS, [request.SerializeToString()] * number)

    async def watch_bare(self, target: str, designs: Sequence[UUID]) -> float:
        """Watches designs at the bare doorbell."""
        return await self._open(target, BARE, [str(design).encode() for design in designs])

    async def churn(self, target: str, designs: Sequence[UUID], *, per_s: float, duration_s: float) -> Counter[str]:
        """Connects, watches and cancels so often; how many of the watches came to what."""
        requests = [request.hex() for request in design_requests(designs)]
        answers = await asyncio.gather(
            *(
                one.ask(
                    "churn",
                    target=target,
                    key=self._key,
                    path=WATCH_DESIGN,
                    requests=requests,
                    per_s=per_s / len(self.programs),
                    duration_s=duration_s,
                )
                for one in self.programs
            )
        )
        return sum((Counter(answer["outcomes"]) for answer in answers), Counter())

    async def _open(
        self,
        target: str,
        path: str,
        requests: Sequence[bytes],
        *,
        per_connection: int = PER_CONNECTION,
        reads: int | None = None,
        options: Mapping[str, int] | None = None,
    ) -> float:
        answers = await asyncio.gather(
            *(
                one.ask(
                    "open",
                    target=target,
                    key=self._key,
                    path=path,
                    requests=[request.hex() for request in requests[turn :: len(self.programs)]],
                    per_connection=per_connection,
                    reads=reads,
                    options=options,
                )
                for turn, one in enumerate(self.programs)
            )
        )
        return max(float(answer["took_s"]) for answer in answers)

    async def take(self, awaited: Sequence[int] = (), *, within_s: float = 30.0) -> Taken:
        """What came since the last time, of all processes.

        Args:
            awaited: Watchers by number, once for each message about a design that is to be waited for.
            within_s: How long it is waited for.
        """
        several = len(self.programs)
        shares = Counter(number % several for number in awaited)
        answers = await asyncio.gather(
            *(one.ask("take", at_least=shares[turn], within_s=within_s) for turn, one in enumerate(self.programs))
        )
        return Taken(
            receipts=[
                (number * several + turn, at_ns, revision)
                for turn, answer in enumerate(answers)
                for number, at_ns, revision in answer["receipts"]
            ],
            quiet=sum(answer["quiet"] for answer in answers),
            ended=[
                (number * several + turn, code, at_ns)
                for turn, answer in enumerate(answers)
                for number, code, at_ns in answer["ended"]
            ],
        )

    async def hear(self, revisions: Mapping[int, int]) -> Taken:
        """Waits until each of these watchers knows of its revision or a later one; everything since the last time.

        Raises:
            RuntimeError: Nobody was told anything for a long time.
        """
        waiting, heard = dict(revisions), Taken([], 0, [])
        while waiting:
            taken = await self.take([*waiting])
            if not taken.receipts:
                watcher, revision = next(iter(waiting.items()))
                msg = f"{len(waiting)} watchers were not told, as {watcher} of revision {revision}"
                raise RuntimeError(msg)
            for watcher, _, revision in taken.receipts:
                if revision >= waiting.get(watcher, sys.maxsize):
                    del waiting[watcher]
            heard = heard.followed_by(taken)
        return heard

    async def close(self) -> None:
        """Cancels every watch."""
        await asyncio.gather(*(one.ask("close") for one in self.programs))


@dataclass(frozen=True, slots=True)
class Taken:
    """What watchers got.

    Attributes:
        receipts: Number of the watcher, time (ns, monotonic) and revision of every message about a design.
        quiet: Other messages.
        ended: Number of the watcher, code and time of each stream that ended by itself.
    """

    receipts: list[tuple[int, int, int]]
    quiet: int
    ended: list[tuple[int, str, int]]

    def followed_by(self, later: Taken) -> Taken:
        """Both together."""
        return Taken(self.receipts + later.receipts, self.quiet + later.quiet, self.ended + later.ended)


class Stamp(NamedTuple):
    """One change: number of the design, the revision, when its commit was asked for and when it was done (ns)."""

    number: int
    revision: int
    begun_ns: int
    committed_ns: int


def last_revisions(stamps: Sequence[Stamp]) -> dict[int, int]:
    """The last revision that changes made, for each design."""
    return {stamp.number: stamp.revision for stamp in sorted(stamps, key=lambda stamp: stamp.revision)}


class Stand:
    """Servers with designs that are under way, held by a changer.

    Attributes:
        floor: Servers and a connection to each.
        changer: The process that changes designs.
        designs: Ids by number.
        key: API key of the designs' tenant.
    """

    def __init__(self, floor_: Floor, changer: Program, designs: Sequence[UUID], key: str) -> None:
        self.floor = floor_
        self.changer = changer
        self.designs = designs
        self.key = key
        self._statuses = 0

    @asynccontextmanager
    async def status(self, settings: Mapping[str, str] | None = None) -> AsyncIterator[Status]:
        """A fresh process of the status service."""
        self._statuses += 1
        name = f"status-{self._statuses}"
        servers = self.floor.stack.servers
        http_port, grpc_port = servers.ports.take(), servers.ports.take()
        target = f"{LOOPBACK}:{grpc_port}"
        environment = {
            **os.environ,
            **servers.environment(),
            "CUTLINE_HTTP_LISTEN": f"{LOOPBACK}:{http_port}",
            "CUTLINE_GRPC_LISTEN": target,
            **SETTINGS,
            **(settings or {}),
        }
        service = Service(
            name,
            module="services.status",
            http_port=http_port,
            environment=environment,
            log_path=servers.instance.log_path(name),
            order=Order(grace_s=30.0),
        )
        await service.start()
        try:
            yield Status(service, target)
        finally:
            await service.stop()

    @asynccontextmanager
    async def callers(self, number: int = CLIENTS) -> AsyncIterator[Callers]:
        """Client processes."""
        async with AsyncExitStack() as stack:
            programs = [await stack.enter_async_context(program("bench.watch.watchers")) for _ in range(number)]
            yield Callers(programs, self.key)

    @asynccontextmanager
    async def bare_doorbell(self) -> AsyncIterator[str]:
        """The yardstick's server; gives its address."""
        async with program("bench.watch.bare_doorbell", self.floor.stack.servers.environment()) as served:
            yield f"{LOOPBACK}:{await served.ask('where')}"

    async def change(
        self, numbers: Sequence[int], per_s: float = 1.0, *, hot: int | None = None, hot_per_s: float = 0.0
    ) -> list[Stamp]:
        """Changes designs; see `bench.watch.changer`."""
        stamps = await self.changer.ask("change", numbers=[*numbers], per_s=per_s, hot=hot, hot_per_s=hot_per_s)
        return [Stamp(*stamp) for stamp in stamps]

    async def ring(self, numbers: Sequence[int], per_s: float) -> list[Stamp]:
        """Rings without any change."""
        return [Stamp(*stamp) for stamp in await self.changer.ask("ring", numbers=[*numbers], per_s=per_s)]

    async def burst(self, number: int, changes: int) -> list[Stamp]:
        """Changes one design as fast as its row lets."""
        return [Stamp(*stamp) for stamp in await self.changer.ask("burst", number=number, changes=changes)]


@asynccontextmanager
async def stand(designs: int) -> AsyncIterator[Stand]:
    """Starts the servers, writes designs and has their jobs claimed."""
    async with floor() as floor_:
        servers = floor_.stack.servers
        key = await store_key(servers.postgres_dsn)
        tickets = [message.payload for message in await floor_.write(designs)]
        await floor_.database.execute("UPDATE generations SET spec = $1", spec_to_json(StickerSpec()))
        async with program("bench.watch.changer", servers.environment()) as changer:
            await changer.ask("claim", tickets=[payload.hex() for payload in tickets])
            # Plans are made by statistics, and the claims left dead rows.
            await floor_.database.execute("VACUUM ANALYZE")
            read = [read_ticket(payload) for payload in tickets]
            yield Stand(floor_, changer, [UUID(ticket.design_id) for ticket in read if ticket], key)


def raise_file_limit(needed: int) -> int:
    """Takes the limit of open files to the hard one, which children inherit.

    Raises:
        RuntimeError: The hard limit is too low.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        msg = f"RLIMIT_NOFILE: {needed} open files are needed, the hard limit is {hard}"
        raise RuntimeError(msg)
    if hard != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
