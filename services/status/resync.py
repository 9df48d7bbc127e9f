"""Finds what no doorbell told: compares revisions on a slow timer, and at once when the bus comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final
from uuid import UUID

from cutline.domain.errors import UnavailableError
from cutline.runtime.logging import get_logger
from cutline.store.design_reads import DesignKey, Queryable, list_changes, read_bounds, read_revisions
from cutline.store.tombstones import list_deleted
from cutline.telemetry.metrics import Metrics
from services.status.change_pages import pages_since
from services.status.hub import READ_MOST, Hub, ReadCause
from services.status.watches import GONE, TenantWatch

log = get_logger(__name__)

COMPARE_MOST: Final = 2_000


class Resync:
    """Keeps watches true without the bus; `run` is a loop for the composition root to keep.

    Args:
        database: Where revisions are read.
        hub: Whose watches are kept true.
        bus_connected: Whether doorbells can be heard now.
        pause_s: Time between comparisons while they can.
        pause_alone_s: Time between comparisons while they cannot: this alone tells changes then.
        metrics: Where the state of the bus is shown.
    """

    def __init__(
        self,
        database: Queryable,
        hub: Hub,
        *,
        bus_connected: Callable[[], bool],
        pause_s: float,
        pause_alone_s: float,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._hub = hub
        self._bus_connected = bus_connected
        self._pause_s = pause_s
        self._pause_alone_s = pause_alone_s
        self._metrics = metrics
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Asks for a comparison now: doorbells may have been missed."""
        self._asked.set()

    async def run(self) -> None:
        """Compares when asked and on the timer, for ever."""
        while True:
            await self._wait()
            self._asked.clear()
            try:
                await self._compare()
            except Exception:  # the loop outlives whatever the store does
                log.warning("status.resync_failed", exc_info=True)

    async def _compare(self) -> None:
        """Compares everything that is watched; the bounds are read before any tenant is, so they hold for all."""
        await self._outlive(self._compare_designs())
        tenants = list(self._hub.topics.tenants)
        if tenants:
            bounds = await read_bounds(self._database)
            for tenant in tenants:
                await self._outlive(self._compare_tenant(tenant, bounds.xmin))

    @staticmethod
    async def _outlive(compare: Awaitable[None]) -> None:
        """Makes one comparison, whose failure is no other's loss; a store that is away would answer none of them.

        Raises:
            UnavailableError: It is.
        """
        try:
            await compare
        except UnavailableError:
            raise
        except Exception:  # as above
            log.warning("status.resync_failed", exc_info=True)

    async def _wait(self) -> None:
        """Waits until asked or until it is time; looks so often at the bus that its loss is noticed in time."""
        begun_s = time.monotonic()
        while True:
            connected = self._bus_connected()
            self._metrics.bus_connected.set(int(connected))
            left_s = begun_s + (self._pause_s if connected else self._pause_alone_s) - time.monotonic()
            if left_s <= 0 or await self._was_asked(min(left_s, self._pause_alone_s)):
                return

    async def _was_asked(self, within_s: float) -> bool:
        try:
            async with asyncio.timeout(within_s):
                return await self._asked.wait()
        except TimeoutError:
            return False

    async def _compare_designs(self) -> None:
        """Marks the designs watched one by one whose revision is not the one told."""
        keys = list(self._hub.topics.designs)
        for begin in range(0, len(keys), COMPARE_MOST):
            some = keys[begin : begin + COMPARE_MOST]
            revisions = await read_revisions(self._database, some)
            changed = (key for key in some if key not in revisions or self._hub.topics.is_news(key, revisions[key]))
            self._hub.mark(changed, ReadCause.RESYNC)

    async def _compare_tenant(self, tenant: str, xmin: int) -> None:
        """Tells a tenant's watchers what they were not told since their resume points, and moves those to `xmin`."""
        live = [watch for watch in self._hub.topics.tenants.get(tenant, ()) if not watch.catching_up]
        if not live:
            return
        since_xid = min(watch.resume_xid for watch in live)
        async for changes in pages_since(partial(list_changes, self._database, tenant), since_xid, limit=COMPARE_MOST):
            await self._tell(tenant, {change.design_id: change.revision for change in changes}, live)
        async for deleted in pages_since(partial(list_deleted, self._database, tenant), since_xid, limit=COMPARE_MOST):
            await self._tell(tenant, {tombstone.design_id: GONE for tombstone in deleted}, live)
        for watch in live:
            watch.mark(xmin)

    async def _tell(self, tenant: str, revisions: Mapping[UUID, int], live: list[TenantWatch]) -> None:
        """Reads the designs at whose revision some watch is not yet."""
        behind: list[DesignKey] = [
            (tenant, design_id)
            for design_id, revision in revisions.items()
            if any(watch.behind(design_id, revision) for watch in live)
        ]
        for begin in range(0, len(behind), READ_MOST):
            await self._hub.read(dict.fromkeys(behind[begin : begin + READ_MOST], ReadCause.RESYNC))
