"""One caller's stream of everything that happens to a tenant's designs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator

from cutline.contract.tokens import ResumePoint, encode_resume_token, resume_token_invalid
from cutline.contract.watch_messages import heartbeat_message, reconnect_message, with_resume_token
from cutline.store.design_reads import DesignRow, Queryable, read_bounds
from cutline.store.tombstones import read_horizon
from services.status.frames import FrameMaker
from services.status.hub import Hub
from services.status.lifetime import Lifetime
from services.status.tenant_pages import TenantPages
from services.status.watches import GONE, Frame, TenantWatch


class TenantStream:
    """Catches up by reading, then tells what the hub offers, and catches up again should the caller fall behind.

    Args:
        database: Where the stream reads by itself.
        hub: Counts what the stream reads.
        frames: Makes what is told.
        tenant: Whose designs.
        watch: What the hub offers to.
        point: Where to resume; None begins with the unfinished designs.
        heartbeat_s: Longest silence.
        lifetime: When the caller is to come back.
    """

    def __init__(
        self,
        database: Queryable,
        hub: Hub,
        frames: FrameMaker,
        *,
        tenant: str,
        watch: TenantWatch,
        point: ResumePoint | None,
        heartbeat_s: float,
        lifetime: Lifetime,
    ) -> None:
        self._database = database
        self._pages = TenantPages(database, hub, tenant, watch)
        self._frames = frames
        self._tenant = tenant
        self._watch = watch
        self._point = point
        self._heartbeat_s = heartbeat_s
        self._lifetime = lifetime

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """WatchDesignsResponse messages, to the end of the lifetime; a catch-up is never cut off by it.

        Raises:
            OutOfRangeError: The point lies in the future: it belongs to another database. Or it lies so far back that
                deletes since then are forgotten.
            CutlineError: The watch was failed.
        """
        while True:
            async for frame in self._catch_up():
                yield self._message(frame.body)
            if not self._watch.lagging:
                for frame in self._waited():
                    yield self._message(frame.body)
            if not self._watch.lagging:
                yield self._message(heartbeat_message())  # says where the caller now stands
                async for body in self._follow():
                    yield self._message(body)
            if self._lifetime.over:
                yield self._message(reconnect_message())
                return

    async def _catch_up(self) -> AsyncGenerator[Frame, None]:
        bounds = await read_bounds(self._database)
        resumed = self._point
        if resumed is not None and resumed.xid > bounds.xmax:
            raise resume_token_invalid()
        self._point = begun = resumed or ResumePoint(bounds.xmin, snapshot_due=True)
        self._watch.begin_catch_up(0 if begun.snapshot_due else begun.xid)
        if begun.snapshot_due:
            async for frame in self._rows(self._pages.unfinished()):
                yield frame
        if resumed is not None:
            async for frame in self._deletes(resumed.xid):
                yield frame
            async for frame in self._rows(self._pages.changed(resumed.xid)):
                yield frame
        self._watch.end_catch_up(bounds.xmin)

    async def _rows(self, rows: AsyncGenerator[DesignRow, None]) -> AsyncGenerator[Frame, None]:
        async for row in rows:
            if self._watch.wants(row):
                for frame in self._told(self._frames.of_row(row)):
                    yield frame

    async def _deletes(self, since_xid: int) -> AsyncGenerator[Frame, None]:
        async for tombstone in self._pages.deleted(since_xid):
            if self._watch.behind(tombstone.design_id, GONE):
                for frame in self._told(self._frames.of_deleted(tombstone.design_id, tombstone.change_xid)):
                    yield frame
        if since_xid <= await read_horizon(self._database, self._tenant):
            raise resume_token_invalid()

    def _waited(self) -> Generator[Frame, None, None]:
        """What the hub offered during the catch-up; a token must not say that the caller has it before it is told."""
        while isinstance(item := self._watch.take(), Frame):
            yield item
        if item is not None:
            self._point = ResumePoint(item.xid)

    async def _follow(self) -> AsyncGenerator[bytes, None]:
        """What the hub offers, until the watch lags or the lifetime is over; what waits then is told on resume."""
        silent = False
        while not self._watch.lagging and not self._lifetime.over:
            item = self._watch.take()
            if isinstance(item, Frame):
                silent = False
                yield item.body
            elif item is not None:
                self._point = ResumePoint(item.xid)
            elif silent:
                silent = False
                yield heartbeat_message()
            else:
                silent = not await self._watch.wait(min(self._heartbeat_s, self._lifetime.left_s))

    def _told(self, frame: Frame) -> list[Frame]:
        """A frame that was read here, behind the terminal ones of its design that waited."""
        self._watch.check()
        frames = [*self._watch.overtaken(frame.design_id), frame]
        self._watch.told(frame)
        return frames

    def _message(self, body: bytes) -> bytes:
        point = self._point
        return with_resume_token(body, encode_resume_token(point, tenant=self._tenant)) if point else body
