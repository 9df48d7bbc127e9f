"""Processes that watch, asked together, and what they got."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from bench.watch.asking import Program
from bench.watch.sizes import PER_CONNECTION
from bench.watch.watchers import BARE, WATCH_DESIGN, WATCH_DESIGNS
from cutline.v1 import status_service_pb2 as pb

_SMALL_WINDOW: Final = {"grpc.http2.bdp_probe": 0, "grpc.http2.lookahead_bytes": 2_048}
"""A connection that buffers little, so that a reader who stops is felt soon."""


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
