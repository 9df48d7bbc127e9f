"""Deletes, told to whoever watches all designs, however late."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc
import pytest

from cutline.domain.errors import Reason
from cutline.store.ids import new_id
from cutline.store.tombstones import forget_deleted, read_deleted
from services.status.frames import FrameMaker
from services.status.watches import GONE, Frame, ResumeMark, TenantWatch
from tests.integration.status.conftest import Stand, StandSettings
from tests.integration.status.streams import next_of, refusal
from tests.support.polling import eventually

DESIGN = UUID("0192f0c1-2f3a-7c11-8000-00000000beef")


async def told_until_heartbeat(watch: Any) -> tuple[list[tuple[str, int]], str]:
    """What a catch-up tells: ids with revisions, GONE for deletes; and the token behind it."""
    told = []
    while not (message := await next_of(watch)).HasField("heartbeat"):
        if message.HasField("deleted"):
            told.append((message.deleted.design_id, GONE))
        else:
            told.append((message.design.id, message.design.revision))
    return told, message.resume_token


async def token_of_now(stand: Stand, tenant: str) -> str:
    """The token of a watch that has told everything."""
    watch = stand.watch_all(tenant)
    _, token = await told_until_heartbeat(watch)
    watch.cancel()
    return token


async def test_a_resumed_watch_tells_deletes_since_its_token(stand: Stand, tenant: str) -> None:
    """What vanished while the caller was away is told once, the tenant's own only, and not what vanished before."""
    await stand.add_tenant("other")
    before, gone, _ = [await stand.add_design(tenant) for _ in range(3)]
    await stand.delete(before)
    token = await token_of_now(stand, tenant)
    await stand.delete(gone)
    await stand.delete(await stand.add_design("other"))
    watch = stand.watch_all(tenant, resume_token=token)
    told, token = await told_until_heartbeat(watch)
    assert told == [(str(gone), GONE)]
    watch.cancel()
    told, _ = await told_until_heartbeat(stand.watch_all(tenant, resume_token=token))
    assert told == []


async def test_many_deletes_are_told_page_by_page(stand: Stand, tenant: str) -> None:
    """More deletes than one page holds, in one transaction and in many, all arrive."""
    designs = [await stand.add_design(tenant) for _ in range(230)]
    token = await token_of_now(stand, tenant)
    await stand.connection.execute("DELETE FROM designs WHERE design_id = ANY ($1)", designs[:200])
    for design_id in designs[200:]:
        await stand.delete(design_id)
    told, _ = await told_until_heartbeat(stand.watch_all(tenant, resume_token=token))
    assert sorted(told) == sorted((str(design_id), GONE) for design_id in designs)


async def test_a_delete_nobody_rang_for_is_found_by_the_resync_once(stand: Stand, tenant: str) -> None:
    """A live watch hears of a delete by the comparison, and the next comparisons do not repeat it."""
    gone, changed = [await stand.add_design(tenant) for _ in range(2)]
    watch = stand.watch_all(tenant)
    await told_until_heartbeat(watch)
    await stand.delete(gone)
    stand.resync.ask()
    assert (await next_of(watch)).deleted.design_id == str(gone)
    (live,) = stand.hub.topics.tenants[tenant]
    for _ in range(2):
        point = live.resume_xid
        await stand.add_design("nobody")  # so that the next comparison has a later place
        stand.resync.ask()
        assert await eventually(lambda point=point: live.resume_xid > point)  # type: ignore[misc]  # bound by default
    await stand.ring(tenant, changed, await stand.start_imaging(changed))
    assert (await next_of(watch)).design.id == str(changed)
    watch.cancel()


async def test_an_id_that_never_was_is_no_delete(stand: Stand, tenant: str) -> None:
    """Whoever asks for ids that are none is told so, and who watches all designs hears nothing of it."""
    design_id = await stand.add_design(tenant)
    everything = stand.watch_all(tenant)
    await told_until_heartbeat(everything)
    for after_revision in (0, 5):
        code, _, _ = await refusal(stand.watch(tenant, new_id(), after_revision=after_revision))
        assert code is grpc.StatusCode.NOT_FOUND
    await stand.ring(tenant, design_id, await stand.start_imaging(design_id))
    assert (await next_of(everything)).design.id == str(design_id)
    everything.cancel()


class TestSlowCaller:
    """A caller whose queue is short."""

    @pytest.fixture
    def stand_settings(self) -> StandSettings:
        """Three messages may wait."""
        return StandSettings(queue_most=3)

    async def test_deletes_dropped_from_a_full_queue_are_told_after_all(self, stand: Stand, tenant: str) -> None:
        """A caller who falls behind catches up with deletes, too."""
        designs = [await stand.add_design(tenant) for _ in range(8)]
        watch = stand.watch_all(tenant)
        await told_until_heartbeat(watch)
        (live,) = stand.hub.topics.tenants[tenant]
        for design_id in designs:
            await stand.delete(design_id)
        deleted_xids = await read_deleted(stand.database, [(tenant, design_id) for design_id in designs])
        for key, deleted_xid in deleted_xids.items():  # all in one turn of the loop: the stream cannot take in between
            stand.hub.topics.tell(key, None, read=1_000, deleted_xid=deleted_xid)
        assert live.lagging
        told: set[str] = set()
        while len(told) < len(designs):
            message = await next_of(watch)
            if message.HasField("deleted"):
                told.add(message.deleted.design_id)
        assert told == set(map(str, designs))
        watch.cancel()


async def test_a_token_older_than_the_memory_of_deletes_asks_to_start_anew(stand: Stand, tenant: str) -> None:
    """Once deletes since a token are forgotten the token is refused; tokens behind them and other tenants' are not."""
    await stand.add_tenant("other")
    tokens = {name: await token_of_now(stand, name) for name in (tenant, "other")}
    await stand.delete(await stand.add_design(tenant))
    kept = await stand.add_design(tenant)
    later = await token_of_now(stand, tenant)
    await stand.connection.execute("UPDATE design_tombstones SET delete_time = now() - interval '8 days'")
    assert await forget_deleted(stand.connection, keep_s=7 * 86_400.0, limit=10) == 1
    code, info, _ = await refusal(stand.watch_all(tenant, resume_token=tokens[tenant]))
    assert (code, info.reason) == (grpc.StatusCode.OUT_OF_RANGE, Reason.RESUME_TOKEN_INVALID)
    for name, token in ((tenant, later), ("other", tokens["other"])):
        told, _ = await told_until_heartbeat(stand.watch_all(name, resume_token=token))
        assert told in ([], [(str(kept), 1)])


async def test_only_old_tombstones_are_forgotten(stand: Stand, tenant: str) -> None:
    """A tombstone younger than the time to keep stays, and the batch has its limit."""
    for _ in range(5):
        await stand.delete(await stand.add_design(tenant))
    await stand.connection.execute(
        """UPDATE design_tombstones SET delete_time = now() - interval '8 days'
           WHERE design_id IN (SELECT design_id FROM design_tombstones ORDER BY design_id LIMIT 3)"""
    )
    week_s = 7 * 86_400.0
    removed = [await forget_deleted(stand.connection, keep_s=week_s, limit=2) for _ in range(3)]
    assert removed == [2, 1, 0]
    assert await stand.connection.fetchval("SELECT count(*) FROM design_tombstones") == 2


def frame(revision: int, *, terminal: bool = False) -> Frame:
    """A frame of the design that these tests watch."""
    return Frame(DESIGN, revision, terminal, change_xid=revision, body=b"")


def test_nothing_older_follows_what_a_catch_up_told() -> None:
    """A row read newer than what waits takes it off the queue; a terminal revision that waited is told before it."""
    watch = TenantWatch(1, capacity=10)
    for waiting in (frame(2), frame(3, terminal=True), frame(5)):
        watch.offer(waiting)
    assert [each.revision for each in watch.overtaken(DESIGN)] == [3]
    watch.told(frame(7))
    assert watch.take() is None
    watch.offer(frame(6))
    assert watch.take() is None


def test_a_caller_stands_behind_what_waited_when_it_is_told() -> None:
    """What was offered during a catch-up comes before the point that the catch-up reached: no token may skip it."""
    watch = TenantWatch(1, capacity=10)
    watch.begin_catch_up(1)
    watch.offer(frame(2))
    assert watch.end_catch_up(5)

    assert [watch.take() for _ in range(3)] == [frame(2), ResumeMark(5), None]


def test_nothing_of_a_design_follows_its_delete() -> None:
    """Behind the news of a delete older frames and rows of the design are no news."""
    watch = TenantWatch(1, capacity=10)
    watch.offer(FrameMaker.of_deleted(DESIGN, 7))
    watch.offer(frame(9))
    first = watch.take()
    assert isinstance(first, Frame)
    assert first.revision == GONE
    assert watch.take() is None
    assert not watch.behind(DESIGN, GONE)
