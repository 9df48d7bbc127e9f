"""What can happen to a broker of three nodes, each with the time until work goes on."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from bench.faults.farm import Farm
from bench.faults.faults import Recovery, first_after
from bench.faults.polling import until

LIMIT_S: Final = 10.0
AWAY_S: Final = 10.0
"""How long a quorum is missing, and how long a hung node hangs at least."""
_PATIENCE_S: Final = 90.0
# Of a design that was accepted after the fault: its ticket went through the broker that was hit.
_FIRST_START: Final = """
    SELECT extract(epoch FROM min(start_time))::float8
    FROM designs JOIN jobs USING (design_id) JOIN attempts USING (job_id)
    WHERE designs.create_time > to_timestamp($1)
"""


class Role(StrEnum):
    """What a node may be the leader of."""

    JOBS = "leader of JOBS"
    """The stream of tickets."""
    META = "meta leader"
    """The cluster itself: it makes streams and consumers and says who else leads."""


@dataclass(frozen=True, slots=True)
class ClusterFault:
    """One thing that can happen; `act` gives the seconds until work went on."""

    name: str
    act: Callable[[Farm, random.Random], Awaitable[float]]

    async def strike(self, farm: Farm, rng: random.Random) -> Recovery:
        """Lets it happen once; there must be load on the farm.

        Raises:
            TimeoutError: Nothing recovered.
        """
        async with asyncio.timeout(_PATIENCE_S):
            await farm.whole()
            took_s = await self.act(farm, rng)
        return Recovery(self.name, round(took_s, 3), LIMIT_S)


def cluster_faults(*roles: Role) -> list[ClusterFault]:
    """Every fault of a leader, for each of the roles, and the loss of the quorum."""
    faults = []
    for role in roles:
        faults += [
            ClusterFault(f"{role} killed", partial(leader_killed, role)),
            ClusterFault(f"{role} stopped, then woken", partial(leader_stopped, role)),
            ClusterFault(f"{role} a lame duck", partial(leader_lame, role)),
        ]
    return [*faults, ClusterFault("quorum lost", quorum_lost), ClusterFault("quorum hung", quorum_hung)]


async def leader_killed(role: Role, farm: Farm, _rng: random.Random) -> float:
    """SIGKILL the leader; its supervisor starts it again."""
    at_s = farm.signal(await leader(farm, role), signal.SIGKILL)
    return await first_after(farm, _FIRST_START, at_s) - at_s


async def leader_stopped(role: Role, farm: Farm, _rng: random.Random) -> float:
    """SIGSTOP the leader until every client must have left it, then SIGCONT it."""
    name = await leader(farm, role)
    at_s = farm.signal(name, signal.SIGSTOP)
    try:
        took_s = await first_after(farm, _FIRST_START, at_s) - at_s
        await asyncio.sleep(at_s + AWAY_S - time.time())
    finally:
        farm.signal(name, signal.SIGCONT)
    return took_s


async def leader_lame(role: Role, farm: Farm, _rng: random.Random) -> float:
    """Makes the leader a lame duck, as a rollout does: it hands over, sends its clients away and ends."""
    name = await leader(farm, role)
    before = farm.server(name).program_id
    at_s = farm.signal(name, signal.SIGUSR2)
    took_s = await first_after(farm, _FIRST_START, at_s) - at_s
    await farm.replaced(name, before)
    return took_s


async def quorum_lost(farm: Farm, rng: random.Random) -> float:
    """Ends two of three nodes and starts them again after a while; counts from the start."""
    away = [farm.server(name) for name in rng.sample(_nodes(farm), k=2)]
    await farm.supervisor.stop(*away)
    await asyncio.sleep(AWAY_S)
    at_s = time.time()
    starting = asyncio.create_task(farm.supervisor.start(*away))
    took_s = await first_after(farm, _FIRST_START, at_s) - at_s
    await starting
    return took_s


async def quorum_hung(farm: Farm, rng: random.Random) -> float:
    """SIGSTOP two of three nodes and SIGCONT them after a while; counts from their waking."""
    hung = rng.sample(_nodes(farm), k=2)
    for name in hung:
        farm.signal(name, signal.SIGSTOP)
    try:
        await asyncio.sleep(AWAY_S)
    finally:
        at_s = max([farm.signal(name, signal.SIGCONT) for name in hung])
    return await first_after(farm, _FIRST_START, at_s) - at_s


async def leader(farm: Farm, role: Role) -> str:
    """Name of the node that leads now."""
    return await until(partial(_meta_leader if role is Role.META else _jobs_leader, farm))


async def _meta_leader(farm: Farm) -> str:
    return await farm.servers.nats_cluster.meta_leader()


async def _jobs_leader(farm: Farm) -> str | None:
    async with farm.jetstream() as jetstream:
        cluster = (await jetstream.stream_info(farm.topology.jobs_stream)).cluster
    return cluster.leader if cluster else None


def _nodes(farm: Farm) -> list[str]:
    return [node.name for node in farm.servers.nats_cluster.nodes]
