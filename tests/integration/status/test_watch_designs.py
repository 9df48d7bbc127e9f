"""WatchDesigns: everything of a tenant, resumable."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import grpc
import pytest

from cutline.contract.tokens import ResumePoint, encode_resume_token
from cutline.domain.errors import Reason, UnavailableError
from cutline.rpc.refusals import draining
from cutline.v1 import design_pb2
from services.status.frames import FrameMaker
from services.status.hub import ReadCause
from services.status.watches import ResumeMark, TenantWatch
from tests.integration.status.conftest import Stand, StandSettings
from tests.integration.status.streams import next_of, refusal
from tests.support.polling import eventually

READY = design_pb2.Design.STATE_READY


async def until_heartbeat(watch: Any) -> tuple[dict[str, int], str]:
    """The revisions told up to the heartbeat behind a catch-up, by design, and the token it carries."""
    told: dict[str, int] = {}
    while True:
        message = await next_of(watch)
        if message.WhichOneof("event") == "heartbeat":
            return told, message.resume_token
        assert message.design.id not in told
        told[message.design.id] = message.design.revision


async def test_the_first_snapshot_holds_unfinished_designs_only(stand: Stand, tenant: str) -> None:
    """A new watch tells the QUEUED and PROCESSING designs of its tenant and nothing else."""
    await stand.add_tenant("other")
    await stand.add_design("other")
    queued, processing, ready = [await stand.add_design(tenant) for _ in range(3)]
    await stand.start_imaging(processing)
    await stand.start_imaging(ready)
    await stand.finish(ready)
    watch = stand.watch_all(tenant)
    told, token = await until_heartbeat(watch)
    assert told == {str(queued): 1, str(processing): 2}
    assert token
    watch.cancel()


async def test_changes_of_every_design_of_the_tenant_follow(stand: Stand, tenant: str) -> None:
    """New designs, progress and ends are told as they ring, with addresses in the terminal revision."""
    await stand.add_tenant("other")
    watch = stand.watch_all(tenant)
    await until_heartbeat(watch)
    foreign = await stand.add_design("other")
    await stand.ring("other", foreign, 1)
    design_id = await stand.add_design(tenant)
    await stand.ring(tenant, design_id, 1)
    assert (await next_of(watch)).design.revision == 1
    await stand.ring(tenant, design_id, await stand.start_imaging(design_id))
    assert (await next_of(watch)).design.revision == 2
    await stand.ring(tenant, design_id, await stand.finish(design_id), "READY")
    last = await next_of(watch)
    assert (last.design.state, last.design.id) == (READY, str(design_id))
    assert last.design.artifacts[0].url
    assert last.resume_token
    watch.cancel()


async def test_a_resumed_watch_tells_what_changed_while_the_caller_was_away(stand: Stand, tenant: str) -> None:
    """Behind a token come the designs that changed since, finished ones included, and no others."""
    kept, moved, finished = [await stand.add_design(tenant) for _ in range(3)]
    watch = stand.watch_all(tenant)
    _, token = await until_heartbeat(watch)
    watch.cancel()
    await stand.start_imaging(moved)
    await stand.start_imaging(finished)
    await stand.finish(finished)
    added = await stand.add_design(tenant)
    resumed = stand.watch_all(tenant, resume_token=token)
    told, _ = await until_heartbeat(resumed)
    assert told == {str(moved): 2, str(finished): 3, str(added): 1}
    assert str(kept) not in told
    resumed.cancel()


async def test_a_change_that_commits_late_is_behind_the_token(stand: Stand, tenant: str, postgres_dsn: str) -> None:
    """A transaction that was open when the token was made, and commits after it, is told on resume."""
    import asyncpg  # noqa: PLC0415  (this test alone opens a connection of its own)

    design_id = await stand.add_design(tenant)
    other = await asyncpg.connect(postgres_dsn)
    try:
        async with other.transaction():
            await other.execute("UPDATE designs SET progress = 0.5 WHERE design_id = $1", design_id)
            # Others commit with younger transactions meanwhile, and the token is made behind them.
            await stand.add_design(tenant)
            watch = stand.watch_all(tenant)
            told, token = await until_heartbeat(watch)
            assert told[str(design_id)] == 1
            watch.cancel()
    finally:
        await other.close()
    resumed = stand.watch_all(tenant, resume_token=token)
    told, _ = await until_heartbeat(resumed)
    assert told[str(design_id)] == 2
    resumed.cancel()


async def test_a_resync_finds_lost_rings_and_moves_the_token_on(stand: Stand, tenant: str) -> None:
    """After a resync the change is told, and resuming by the newer token does not repeat it."""
    design_id = await stand.add_design(tenant)
    watch = stand.watch_all(tenant)
    _, first = await until_heartbeat(watch)
    (live,) = stand.hub.topics.tenants[tenant]
    begun_xid = live.resume_xid
    await stand.start_imaging(design_id)
    stand.resync.ask()
    message = await next_of(watch)
    assert message.design.revision == 2
    # The next message travels behind the mark that the resync left.
    assert await eventually(lambda: live.resume_xid > begun_xid)
    other = await stand.add_design(tenant)
    await stand.ring(tenant, other, 1)
    token = (await next_of(watch)).resume_token
    assert token != first
    watch.cancel()
    resumed = stand.watch_all(tenant, resume_token=token)
    told, _ = await until_heartbeat(resumed)
    assert told == {str(other): 1}
    resumed.cancel()


async def test_what_cannot_be_read_of_one_tenant_is_found_of_the_others(stand: Stand, tenant: str) -> None:
    """A comparison that fails for one tenant goes on with the next, and is made up for by the one after it."""
    await stand.add_tenant("other")
    designs = {name: await stand.add_design(name) for name in (tenant, "other")}
    watches = {name: stand.watch_all(name) for name in designs}
    for name, watch in watches.items():
        await until_heartbeat(watch)
        await stand.start_imaging(designs[name])  # nobody rings
    stand.database.failures.append(ValueError("a row of a later release"))
    heard = {asyncio.create_task(next_of(watch)): name for name, watch in watches.items()}
    waiting = set(heard)
    while waiting:  # one is told at each comparison, whichever tenant's turn comes first
        stand.resync.ask()
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            assert task.result().design.id == str(designs[heard[task]])
    for watch in watches.values():
        watch.cancel()


async def test_a_deleted_design_is_told(stand: Stand, tenant: str) -> None:
    """The ring of a delete becomes a deleted message, and the stream goes on."""
    design_id = await stand.add_design(tenant)
    watch = stand.watch_all(tenant)
    await until_heartbeat(watch)
    await stand.delete(design_id)
    await stand.ring(tenant, design_id, 0, "DELETED")
    assert (await next_of(watch)).deleted.design_id == str(design_id)
    added = await stand.add_design(tenant)
    await stand.ring(tenant, added, 1)
    assert (await next_of(watch)).design.id == str(added)
    watch.cancel()


async def test_a_terminal_revision_is_told_before_the_next_generation(stand: Stand, tenant: str) -> None:
    """A READY that waits for a slow caller is not merged into the QUEUED that follows it."""
    design_id = await stand.add_design(tenant)
    await stand.start_imaging(design_id)
    with stand.hub.watch_tenant(tenant) as watch:
        watch.begin_catch_up(0)
        assert watch.end_catch_up(1)
        assert watch.take() == ResumeMark(1)
        keys = {(tenant, design_id): ReadCause.CHANGE}
        await stand.hub.read(keys)
        await stand.finish(design_id)
        await stand.hub.read(keys)
        await stand.reprocess(design_id)
        await stand.hub.read(keys)
        await stand.start_imaging(design_id)
        await stand.hub.read(keys)
        waiting = [watch.take() for _ in range(3)]
    assert [getattr(frame, "revision", None) for frame in waiting] == [3, 5, None]


def test_a_watch_that_failed_tells_nothing_more() -> None:
    """What waits is left to the caller's next watch: a slow one would else be told for as long as it likes."""
    watch = TenantWatch(1, capacity=10)
    watch.offer(FrameMaker.of_deleted(UUID(int=1), 7))
    watch.fail(draining())
    with pytest.raises(UnavailableError):
        watch.take()


class TestSlowCaller:
    """A caller whose queue is short."""

    @pytest.fixture
    def stand_settings(self) -> StandSettings:
        """Three messages may wait."""
        return StandSettings(queue_most=3)

    async def test_a_caller_who_falls_behind_catches_up_by_reading(self, stand: Stand, tenant: str) -> None:
        """More changes than the queue holds are all told in the end, each design at its last revision."""
        watch = stand.watch_all(tenant)
        await until_heartbeat(watch)
        (live,) = stand.hub.topics.tenants[tenant]
        designs: list[UUID] = [await stand.add_design(tenant) for _ in range(8)]
        for design_id in designs:
            await stand.start_imaging(design_id)
            await stand.finish(design_id)
        # All in one turn of the loop: the stream cannot take in between.
        rows = await read_rows(stand, tenant, designs)
        for design_id in designs:
            stand.hub.topics.tell((tenant, design_id), rows[tenant, design_id], read=1_000)
        assert live.lagging
        told: dict[str, int] = {}
        while len(told) < len(designs):
            message = await next_of(watch)
            if message.HasField("design"):
                told[message.design.id] = message.design.revision
        assert told == dict.fromkeys(map(str, designs), 3)
        watch.cancel()


async def read_rows(stand: Stand, tenant: str, designs: list[UUID]) -> Any:
    """The rows of designs as the hub reads them."""
    from cutline.store.design_reads import read_designs  # noqa: PLC0415  (this alone needs it)

    return await read_designs(stand.database, [(tenant, design_id) for design_id in designs])


@pytest.mark.parametrize("token", ["nonsense", "AAAA", "%%%", "é", "AgAAAAAAAAABAA" * 3])
async def test_a_token_nobody_made_is_out_of_range(stand: Stand, tenant: str, token: str) -> None:
    """A token that cannot be read asks to start anew."""
    code, info, _ = await refusal(stand.watch_all(tenant, resume_token=token))
    assert (code, info.reason) == (grpc.StatusCode.OUT_OF_RANGE, Reason.RESUME_TOKEN_INVALID)


async def test_a_token_of_another_tenant_or_of_the_future_is_out_of_range(stand: Stand, tenant: str) -> None:
    """A token is good for its own tenant and database only."""
    for token in (
        encode_resume_token(ResumePoint(1), tenant="other"),
        encode_resume_token(ResumePoint(2**62), tenant=tenant),
    ):
        code, info, _ = await refusal(stand.watch_all(tenant, resume_token=token))
        assert (code, info.reason) == (grpc.StatusCode.OUT_OF_RANGE, Reason.RESUME_TOKEN_INVALID)


async def test_a_snapshot_that_was_cut_off_is_told_again_on_resume(stand: Stand, tenant: str) -> None:
    """A token from the middle of the first snapshot brings the unfinished designs and what ended meanwhile."""
    queued, ended = [await stand.add_design(tenant) for _ in range(2)]
    watch = stand.watch_all(tenant)
    token = (await next_of(watch)).resume_token
    watch.cancel()
    await stand.start_imaging(ended)
    await stand.finish(ended)
    resumed = stand.watch_all(tenant, resume_token=token)
    told, _ = await until_heartbeat(resumed)
    assert told == {str(queued): 1, str(ended): 3}
    resumed.cancel()


async def test_many_changes_are_caught_up_page_by_page(stand: Stand, tenant: str) -> None:
    """More designs than one page holds arrive whole, in the snapshot and on resume."""
    watch = stand.watch_all(tenant)
    _, token = await until_heartbeat(watch)
    watch.cancel()
    designs = [await stand.add_design(tenant) for _ in range(230)]
    async with asyncio.timeout(60):
        told, _ = await until_heartbeat(stand.watch_all(tenant))
        resumed, _ = await until_heartbeat(stand.watch_all(tenant, resume_token=token))
    assert told == resumed == dict.fromkeys(map(str, designs), 1)
