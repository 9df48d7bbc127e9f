"""What every measurement stands on: real servers, the status service as a process, designs, a changer and callers."""

from __future__ import annotations

import os
import resource
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
from bench.watch.callers import Callers
from cutline.contract.specs import spec_to_json
from cutline.domain.sticker_spec import StickerSpec
from cutline.embedded.ports import LOOPBACK
from cutline.embedded.process import Order
from cutline.embedded.server import plain_http_client
from cutline.embedded.service import Service
from cutline.messaging.tickets import read_ticket

CLIENTS: Final = 2

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
