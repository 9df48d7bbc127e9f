"""One run: an undisturbed phase, every service rolled out, another undisturbed phase, and the books."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Self
from uuid import uuid4

from bench.faults.farm import MODULES
from bench.rolling.art import Art, disc, order
from bench.rolling.books import Books, read_books
from bench.rolling.rollout import Restart, roll_out
from bench.rolling.traffic import Latency, Traffic
from cutline.client import ClientSettings
from cutline.client.specs import SpecFields
from cutline.domain.outputs import OutputFormat
from cutline.embedded.stack import EmbeddedStack, StackPlan

_DEADLINE_S: Final = 120
_PATIENT: Final = MappingProxyType(
    {
        "CUTLINE_JOB_DEADLINE": f"{_DEADLINE_S}s",
        # Above the deadline, as in production: a worker that stops finishes what it has begun.
        "CUTLINE_WORKER_STOP_GRACE": f"{_DEADLINE_S + 10}s",
    }
)
_GRACE_S: Final = _DEADLINE_S + 30.0
_PLAIN_WORK: Final = MappingProxyType({name: MODULES[name] for name in ("imaging", "mockup")})
_NO_MODULES: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Schedule:
    """How much is done.

    Attributes:
        per_s: Submits a second.
        calm_s: How long it goes on before the first restart and after the last.
        replicas: Processes of every kind.
        art: What is submitted.
        fields: The sticker wanted of it.
        files: Artifacts of each design.
        modules: What runs in place of the workers.
        drain_s: After this, counted from the last submit, a watcher counts as not served.
        settings: More environment for the services.
    """

    per_s: float
    calm_s: float
    replicas: int
    art: Art = order
    fields: SpecFields = field(default_factory=lambda: SpecFields(width_mm=60))
    files: int = 2
    modules: Mapping[str, str] = field(default_factory=lambda: _PLAIN_WORK)
    drain_s: float = 180.0
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def plan(self) -> StackPlan:
        """The stack for it."""
        return StackPlan(
            secure=True,
            replicas=self.replicas,
            spares=1,
            modules=self.modules,
            settings={**_PATIENT, **self.settings},
            grace_s=_GRACE_S,
        )

    def at(self, per_s: float) -> Self:
        """The same at another rate."""
        return replace(self, per_s=per_s)


FULL: Final = Schedule(
    per_s=20,
    calm_s=20,
    replicas=2,
    drain_s=600,
    settings={
        "CUTLINE_IMAGING_SLOTS": "2",
        "CUTLINE_MOCKUP_SLOTS": "2",
        # One key watches every design there is, and where the cores are few a backlog keeps thousands of them open.
        "CUTLINE_GRPC_MAX_STREAMS_PER_KEY": "10000",
        "CUTLINE_GRPC_MAX_STREAMS_PER_TENANT": "10000",
    },
)
QUICK: Final = Schedule(per_s=2, calm_s=2, replicas=1)
PIXELS: Final = Schedule(
    per_s=1, calm_s=10, replicas=2, art=disc, files=len(OutputFormat), modules=_NO_MODULES, drain_s=900
)
SHORT: Final = Schedule(
    per_s=0.5,
    calm_s=2,
    replicas=1,
    art=disc,
    fields=SpecFields(width_mm=60, output_formats=("PRINT_PDF",), mockup_scenes=("peel",)),
    files=3,
    modules=_NO_MODULES,
)
"""For a stack that has pixels and more to do."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        schedule: Designs a second, and replicas of every service.
        calm: Submits before the first restart.
        rolling: Submits while services restarted.
        restarts: In turn.
        took_s: For all restarts.
        drained_s: From the last submit until the last watcher had its design's end.
        watchers: How many listened.
        books: The accounts.
    """

    schedule: Mapping[str, float]
    calm: Latency
    rolling: Latency
    restarts: tuple[Restart, ...]
    took_s: float
    drained_s: float
    watchers: int
    books: Books


async def run(
    stack: EmbeddedStack, schedule: Schedule, *, report: Callable[[Restart], None] = lambda _: None
) -> Outcome:
    """Runs a schedule on a stack that has a spare address of every kind.

    Raises:
        StartError: A new process did not become ready.
    """
    settings = ClientSettings.from_env(stack.client_environment())
    title = f"rolling {uuid4()}"
    async with Traffic(settings, schedule.art, schedule.per_s, title=title, fields=schedule.fields) as traffic:
        begun_s = time.time()
        await asyncio.sleep(schedule.calm_s)
        rolling_s = time.time()
        restarts = []
        async for restart in roll_out(stack):
            report(restart)
            restarts.append(restart)
        rolled_s = time.time()
        await asyncio.sleep(schedule.calm_s)
        last_s = time.time()
        unserved = await traffic.finish(within_s=schedule.drain_s)
        drained_s = time.time() - last_s
        books = await read_books(stack, traffic, files=schedule.files, unserved=unserved)
    return Outcome(
        schedule={"designs_per_s": schedule.per_s, "replicas": schedule.replicas},
        calm=Latency.of(traffic.between(begun_s, rolling_s)),
        rolling=Latency.of(traffic.between(rolling_s, rolled_s)),
        restarts=tuple(restarts),
        took_s=rolled_s - rolling_s,
        drained_s=drained_s,
        watchers=len(traffic.watchers) + len(traffic.watchers_of_all),
        books=books,
    )
