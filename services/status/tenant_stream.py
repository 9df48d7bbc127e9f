"""One caller's stream of everything that happens to a tenant's designs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from cutline.contract.tokens import ResumePoint, encode_resume_token, resume_token_invalid
from cutline.contract.watch_messages import heartbeat_message, reconnect_message, with_resume_token
from cutline.store.design_reads import DesignRow, Queryable, list_changed, list_unfinished, read_bounds
from services.status.frames import FrameMaker
from services.status.hub import Hub, ReadCause
from services.status.lifetime import Lifetime
from services.status.watches import Frame, TenantWatch

PAGE_MOST = 100


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
        self._hub = hub
        self._frames = frames
        self._tenant = tenant
        self._watch = watch
        self._point = point
        self._heartbeat_s = heartbeat_s
        self._lifetime = lifetime

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """WatchDesignsResponse messages, to the end of the lifetime; a catch-up is never cut off by it.

        Raises:
            OutOfRangeError: The point lies in the future: it belongs to another database.
            CutlineError: The watch was failed.
        """
        while True:
            async for frame in self._catch_up():
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
        begun = resumed or ResumePoint(bounds.xmin, snapshot_due=True)
        self._point = begun
        self._watch.begin_catch_up(0 if begun.snapshot_due else begun.xid)
        if begun.snapshot_due:
            async for row in self._unfinished():
                if self._watch.wants(row):
                    yield self._told(row)
        if resumed is not None:
            async for row in self._changed(resumed.xid):
                if self._watch.wants(row):
                    yield self._told(row)
        if self._watch.end_catch_up(bounds.xmin):
            self._point = ResumePoint(bounds.xmin)

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

    def _told(self, row: DesignRow) -> Frame:
        self._watch.check()
        frame = self._frames.of_row(row)
        self._watch.told(frame)
        return frame

    def _message(self, body: bytes) -> bytes:
        point = self._point
        return with_resume_token(body, encode_resume_token(point, tenant=self._tenant)) if point else body

    async def _unfinished(self) -> AsyncGenerator[DesignRow, None]:
        after = None
        while True:
            page = await list_unfinished(self._database, self._tenant, after=after, limit=PAGE_MOST)
            for row in self._counted(page):
                yield row
            if len(page) < PAGE_MOST:
                return
            after = page[-1].design_id

    async def _changed(self, since_xid: int) -> AsyncGenerator[DesignRow, None]:
        after = None
        while True:
            page = await list_changed(self._database, self._tenant, since_xid=since_xid, after=after, limit=PAGE_MOST)
            for row in self._counted(page):
                yield row
            if len(page) < PAGE_MOST:
                return
            since_xid, after = page[-1].change_xid, page[-1].design_id

    def _counted(self, page: Sequence[DesignRow]) -> Sequence[DesignRow]:
        self._hub.note_reads([ReadCause.CATCH_UP] * len(page))
        return page
