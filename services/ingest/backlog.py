"""How much is under way, known well enough to decide by: counted each second, with local additions on top."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial

from cutline.domain.errors import Reason, ResourceExhaustedError
from cutline.domain.states import Lane, Stage
from cutline.store.admission import BacklogCounts, count_backlog
from cutline.store.pool import Database
from cutline.store.release import Queue
from cutline.telemetry.metrics import Metrics
from cutline.telemetry.names import Attribute
from services.ingest.duty import Duty
from services.ingest.settings import BacklogLimits

REFRESH_S = 1.0
RETRY_AFTER_S = 5.0


class Backlog:
    """Counts of unfinished designs and of released jobs.

    What this process adds counts at once; what others add or finish is seen with the next refresh. The overshoot is so
    at most a second's accepts of each replica.
    """

    def __init__(self, limits: BacklogLimits, metrics: Metrics) -> None:
        self._limits = limits
        self._metrics = metrics
        self._counts = BacklogCounts(Counter(), Counter())
        self._added = BacklogCounts(Counter(), Counter())
        self._held: set[Queue] = set()

    def full(self, tenant: str) -> ResourceExhaustedError | None:
        """The error for a tenant that may not add a design now; None where it may."""
        unfinished, added = self._counts.unfinished, self._added.unfinished
        if unfinished[tenant] + added[tenant] >= self._limits.tenant_cap:
            return ResourceExhaustedError(
                Reason.TENANT_BACKLOG_FULL,
                f"{self._limits.tenant_cap} designs are under way; try again when some have ended.",
                metadata={"limit": str(self._limits.tenant_cap)},
                retry_after_s=RETRY_AFTER_S,
            )
        if unfinished.total() + added.total() >= self._limits.global_cap:
            return ResourceExhaustedError(
                Reason.BACKLOG_FULL,
                "The service has as much work as it takes; try again later.",
                metadata={"limit": str(self._limits.global_cap)},
                retry_after_s=RETRY_AFTER_S,
            )
        return None

    def window_full(self, tenant: str, stage: Stage, lane: Lane) -> bool:
        """Whether a tenant's next job in that queue has to wait for its turn.

        So it is while earlier ones wait there: a job that came later must not overtake them.
        """
        queue = (tenant, stage, lane)
        if queue in self._counts.held or queue in self._held:
            return True
        return self._counts.released[queue] + self._added.released[queue] >= self._limits.release_window

    def add(self, tenant: str, released: Queue | None) -> None:
        """Counts a design of the tenant, and its job where it is released at once."""
        self._added.unfinished[tenant] += 1
        if released is not None:
            self._added.released[released] += 1

    def hold(self, tenant: str, stage: Stage, lane: Lane) -> None:
        """Notes that a job of the queue was stored to wait for its turn."""
        self._held.add((tenant, stage, lane))

    async def refresh(self, database: Database) -> None:
        """Counts anew; what is added while the count runs stays on top of it, counted twice for a second at most."""
        before = BacklogCounts(self._added.unfinished.copy(), self._added.released.copy())
        held_before = self._held.copy()
        self._counts = await count_backlog(database)
        self._held -= held_before
        self._added.unfinished.subtract(before.unfinished)
        self._added.released.subtract(before.released)
        # Unary plus drops what is zero: tenants come and go.
        self._added = BacklogCounts(+self._added.unfinished, +self._added.released)
        self._show()

    def _show(self) -> None:
        self._metrics.unfinished_designs.set(self._counts.unfinished.total())
        depths = Counter({(stage, lane): 0 for stage in Stage for lane in Lane})
        for (_, stage, lane), number in self._counts.released.items():
            depths[stage, lane] += number
        for (stage, lane), depth in depths.items():
            self._metrics.queue_depth.set(depth, {Attribute.STAGE.value: stage.value, Attribute.LANE.value: lane.value})

    async def run(self, database: Database) -> None:
        """Refreshes each second, for ever."""
        duty = Duty("backlog")
        while True:
            await duty.attempt(partial(self.refresh, database))
            await asyncio.sleep(REFRESH_S)
