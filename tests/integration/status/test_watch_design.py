"""WatchDesign: snapshot, then what is newer, to the end."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from google.rpc import error_details_pb2

from cutline.domain.errors import Reason, UnavailableError
from cutline.store.design_reads import read_design
from cutline.v1 import design_pb2
from cutline.v1 import status_service_pb2 as pb
from tests.integration.status.conftest import Stand, StandSettings
from tests.integration.status.streams import fields_at_fault, next_of, refusal
from tests.support.polling import eventually

READY = design_pb2.Design.STATE_READY
PROCESSING = design_pb2.Design.STATE_PROCESSING


async def test_a_watch_sends_a_snapshot_then_newer_revisions_and_ends_ok(stand: Stand, tenant: str) -> None:
    """A watcher gets the design as it is, each change after its ring, and OK behind the terminal revision."""
    design_id = await stand.add_design(tenant)
    watch = stand.watch(tenant, design_id)
    first = await next_of(watch)
    assert (first.design.id, first.design.revision) == (str(design_id), 1)
    assert first.design.state == design_pb2.Design.STATE_QUEUED
    await stand.ring(tenant, design_id, await stand.start_imaging(design_id))
    second = await next_of(watch)
    assert (second.design.revision, second.design.state) == (2, PROCESSING)
    await stand.ring(tenant, design_id, await stand.finish(design_id), "READY")
    third = await next_of(watch)
    assert (third.design.revision, third.design.state) == (3, READY)
    assert [artifact.url for artifact in third.design.artifacts] == [
        "http://files/key-CUTOUT_PNG/cutout.png",
        "http://files/key-PRINT_PDF/print.pdf",
    ]
    assert third.design.mockups[0].url == "http://files/key-laptop/mockup-laptop.jpg"
    assert await next_of(watch) == grpc.aio.EOF
    assert await watch.code() == grpc.StatusCode.OK


async def test_a_resumed_watch_sends_only_what_is_newer(stand: Stand, tenant: str) -> None:
    """With after_revision at the present revision nothing is sent until the design changes."""
    design_id = await stand.add_design(tenant)
    revision = await stand.start_imaging(design_id)
    watch = stand.watch(tenant, design_id, after_revision=revision)
    waiting = asyncio.create_task(next_of(watch))
    await watch_registered(stand)
    await stand.ring(tenant, design_id, revision)
    newer = await stand.start_imaging(design_id, progress=0.5)
    await stand.ring(tenant, design_id, newer)
    message = await waiting
    assert (message.design.revision, message.design.progress) == (newer, 0.5)
    watch.cancel()


@pytest.mark.parametrize("beyond", [0, 5])
async def test_a_watch_resumed_at_the_end_sends_the_terminal_snapshot_once(
    stand: Stand, tenant: str, beyond: int
) -> None:
    """At or past the terminal revision the caller gets that snapshot and OK."""
    design_id = await stand.add_design(tenant)
    await stand.start_imaging(design_id)
    revision = await stand.finish(design_id)
    watch = stand.watch(tenant, design_id, after_revision=revision + beyond)
    message = await next_of(watch)
    assert (message.design.revision, message.design.state) == (revision, READY)
    assert await next_of(watch) == grpc.aio.EOF


async def test_a_ring_during_a_read_has_the_design_read_again(stand: Stand, tenant: str) -> None:
    """A change that commits while an older row is on its way still reaches the watcher."""
    design_id = await stand.add_design(tenant)
    hold = asyncio.Event()
    stand.database.before_answer.append(hold)
    watch = stand.watch(tenant, design_id)
    waiting = asyncio.create_task(next_of(watch))
    await asyncio.wait_for(stand.database.read_begun.wait(), 20)
    revision = await stand.start_imaging(design_id)
    stand.hub.ring(tenant, design_id, revision)
    hold.set()
    assert (await waiting).design.revision == 1
    assert (await next_of(watch)).design.revision == revision
    watch.cancel()


async def test_a_hundred_watchers_cost_one_row_read_per_change(stand: Stand, tenant: str) -> None:
    """However many watch a design, a ring reads its row once, and a repeated ring not at all."""
    design_id = await stand.add_design(tenant)
    watches = [stand.watch(tenant, design_id) for _ in range(100)]
    for watch in watches:
        assert (await next_of(watch)).design.revision == 1
    await idle(stand)
    stand.database.design_reads.clear()
    revision = await stand.start_imaging(design_id)
    for _ in range(3):
        await stand.ring(tenant, design_id, revision)
    for watch in watches:
        assert (await next_of(watch)).design.revision == revision
    revision = await stand.finish(design_id)
    await stand.ring(tenant, design_id, revision, "READY")
    for watch in watches:
        assert (await next_of(watch)).design.revision == revision
        assert await next_of(watch) == grpc.aio.EOF
    assert stand.database.design_reads == [1, 1]
    assert stand.metric("cutline_row_reads_total", cutline_read_cause="change") == 2
    assert stand.metric("cutline_changes_told_total") == 2
    assert sorted(stand.signed) == ["key-CUTOUT_PNG", "key-PRINT_PDF", "key-laptop"]


async def test_rings_that_gather_during_a_read_are_read_in_one_statement(stand: Stand, tenant: str) -> None:
    """Many designs that change at once cost one statement."""
    designs = [await stand.add_design(tenant) for _ in range(20)]
    watches = [stand.watch(tenant, design_id) for design_id in designs]
    for watch in watches:
        await next_of(watch)
    await idle(stand)
    stand.database.design_reads.clear()
    hold = asyncio.Event()
    stand.database.before_answer.append(hold)
    stand.database.read_begun.clear()
    for number, design_id in enumerate(designs):
        stand.hub.ring(tenant, design_id, await stand.start_imaging(design_id))
        if number == 0:
            await asyncio.wait_for(stand.database.read_begun.wait(), 20)
    hold.set()
    for watch in watches:
        assert (await next_of(watch)).design.revision == 2
    assert stand.database.design_reads == [1, 19]
    for watch in watches:
        watch.cancel()


async def test_a_lost_ring_is_found_by_the_resync(stand: Stand, tenant: str) -> None:
    """A change nobody rang for reaches the watcher by the comparison of revisions."""
    design_id = await stand.add_design(tenant)
    watch = stand.watch(tenant, design_id)
    await next_of(watch)
    revision = await stand.start_imaging(design_id)
    stand.resync.ask()
    assert (await next_of(watch)).design.revision == revision
    watch.cancel()


async def test_a_watch_behind_a_reprocess_is_not_ended_by_the_run_before(stand: Stand, tenant: str) -> None:
    """Who watches from the old terminal revision once the reprocess was acknowledged is told the new run to its end.

    A read of the old terminal row is on its way meanwhile, for somebody who began to watch before.
    """
    design_id = await stand.add_design(tenant)
    await stand.start_imaging(design_id)
    ended = await stand.finish(design_id)
    hold = asyncio.Event()
    stand.database.before_answer.append(hold)
    before = stand.watch(tenant, design_id)
    await asyncio.wait_for(stand.database.read_begun.wait(), 20)
    revision = await stand.reprocess(design_id)
    after = stand.watch(tenant, design_id, after_revision=ended)
    assert await eventually(lambda: stand.rpc.open_streams == 2)
    hold.set()
    assert (await next_of(before)).design.revision == ended
    assert await next_of(before) == grpc.aio.EOF
    first = await next_of(after)
    assert (first.design.revision, first.design.state) == (revision, design_pb2.Design.STATE_QUEUED)
    await stand.start_imaging(design_id)
    revision = await stand.finish(design_id, generation=2)
    await stand.ring(tenant, design_id, revision, "READY")
    last = await next_of(after)
    assert (last.design.revision, last.design.state, last.design.generation) == (revision, READY, 2)
    assert await next_of(after) == grpc.aio.EOF


async def test_an_older_read_that_ends_last_is_told_to_nobody(stand: Stand, tenant: str) -> None:
    """Of two reads at once the one from before a reprocess may come last; the watch goes on with the new run."""
    design_id = await stand.add_design(tenant)
    watch = stand.watch(tenant, design_id)
    await next_of(watch)
    await stand.start_imaging(design_id)
    await stand.finish(design_id)
    before = await read_design(stand.database, tenant, design_id)
    reprocessed = await stand.reprocess(design_id)
    await stand.ring(tenant, design_id, reprocessed, "QUEUED")
    assert (await next_of(watch)).design.revision == reprocessed
    assert not stand.hub.topics.tell((tenant, design_id), before, read=1_000)
    revision = await stand.start_imaging(design_id)
    await stand.ring(tenant, design_id, revision)
    assert (await next_of(watch)).design.revision == revision


async def test_a_watch_from_the_revision_of_a_reprocess_waits_for_the_new_run(stand: Stand, tenant: str) -> None:
    """With the revision that the reprocess answered nothing is sent until the new run moves, and no old end ends it."""
    design_id = await stand.add_design(tenant)
    await stand.start_imaging(design_id)
    await stand.finish(design_id)
    revision = await stand.reprocess(design_id)
    watch = stand.watch(tenant, design_id, after_revision=revision)
    await watch_registered(stand)
    await stand.ring(tenant, design_id, await stand.start_imaging(design_id))
    assert (await next_of(watch)).design.revision == revision + 1
    watch.cancel()


async def test_a_watch_that_resumes_on_a_deleted_design_is_told_so(stand: Stand, tenant: str) -> None:
    """Who has seen the design gets the deleted message and OK; who names a revision of nothing gets NOT_FOUND."""
    await stand.add_tenant("other")
    design_id = await stand.add_design(tenant)
    await stand.delete(design_id)
    watch = stand.watch(tenant, design_id, after_revision=1)
    assert (await next_of(watch)).deleted.design_id == str(design_id)
    assert await next_of(watch) == grpc.aio.EOF
    unknown = "0192f0c1-2f3a-7c11-8000-00000000beef"
    for stranger in (
        stand.watch(tenant, design_id),
        stand.watch(tenant, unknown, after_revision=1),
        stand.watch("other", design_id, after_revision=1),
    ):
        code, info, _ = await refusal(stranger)
        assert (code, info.reason) == (grpc.StatusCode.NOT_FOUND, Reason.DESIGN_NOT_FOUND)


class TestAlone:
    """The service without doorbells."""

    @pytest.fixture
    def stand_settings(self) -> StandSettings:
        """Nothing is heard; the resync runs by its timer."""
        return StandSettings(hears=False, resync_s=0.05, resync_alone_s=0.05)

    async def test_without_doorbells_the_timer_alone_tells_changes(self, stand: Stand, tenant: str) -> None:
        """Status serves watches to their end while no ring arrives."""
        design_id = await stand.add_design(tenant)
        watch = stand.watch(tenant, design_id)
        await next_of(watch)
        await stand.start_imaging(design_id)
        assert (await next_of(watch)).design.state == PROCESSING
        await stand.finish(design_id)
        assert (await next_of(watch)).design.state == READY
        assert await next_of(watch) == grpc.aio.EOF


class TestHeartbeat:
    """A watch on which nothing happens."""

    @pytest.fixture
    def stand_settings(self) -> StandSettings:
        """A short silence."""
        return StandSettings(heartbeat_s=0.05)

    async def test_a_silent_watch_beats(self, stand: Stand, tenant: str) -> None:
        """While nothing changes heartbeats with the server's time are sent."""
        design_id = await stand.add_design(tenant)
        watch = stand.watch(tenant, design_id)
        assert (await next_of(watch)).WhichOneof("event") == "design"
        beats = [await next_of(watch) for _ in range(2)]
        assert [beat.WhichOneof("event") for beat in beats] == ["heartbeat", "heartbeat"]
        assert beats[0].heartbeat.time.seconds > 0
        watch.cancel()


async def test_a_deleted_design_ends_its_watch(stand: Stand, tenant: str) -> None:
    """The ring of a delete becomes a deleted message, behind which the stream ends."""
    design_id = await stand.add_design(tenant)
    watch = stand.watch(tenant, design_id)
    await next_of(watch)
    await stand.delete(design_id)
    await stand.ring(tenant, design_id, 0, "DELETED")
    message = await next_of(watch)
    assert message.deleted.design_id == str(design_id)
    assert await next_of(watch) == grpc.aio.EOF


@pytest.mark.parametrize("design_id", ["", "nonsense", "0192f0c1-2f3a-7c11-8000-00000000beef"])
async def test_an_unknown_design_is_not_found(stand: Stand, tenant: str, design_id: str) -> None:
    """A watch of nothing ends NOT_FOUND with DESIGN_NOT_FOUND."""
    code, info, _ = await refusal(stand.watch(tenant, design_id))
    assert (code, info.reason) == (grpc.StatusCode.NOT_FOUND, Reason.DESIGN_NOT_FOUND)


async def test_another_tenants_design_is_not_found(stand: Stand, tenant: str) -> None:
    """A watcher learns nothing of another tenant's design, not even while its owner watches it."""
    await stand.add_tenant("other")
    design_id = await stand.add_design(tenant)
    owner = stand.watch(tenant, design_id)
    await next_of(owner)
    code, info, _ = await refusal(stand.watch("other", design_id))
    assert (code, info.reason) == (grpc.StatusCode.NOT_FOUND, Reason.DESIGN_NOT_FOUND)
    owner.cancel()


async def test_a_negative_revision_is_refused_by_name(stand: Stand, tenant: str) -> None:
    """after_revision below 0 is INVALID_ARGUMENT naming the field."""
    design_id = await stand.add_design(tenant)
    code, info, details = await refusal(stand.watch(tenant, design_id, after_revision=-1))
    assert (code, info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert fields_at_fault(details) == ["after_revision"]


async def test_a_drain_ends_watches_with_retry_info(stand: Stand, tenant: str) -> None:
    """Watchers of a server that shuts down get UNAVAILABLE with a RetryInfo, and so do those who come late."""
    design_id = await stand.add_design(tenant)
    watch = stand.watch(tenant, design_id)
    await next_of(watch)
    stand.drain.set()
    for ended in (watch, stand.watch(tenant, design_id)):
        code, info, details = await refusal(ended)
        assert (code, info.reason) == (grpc.StatusCode.UNAVAILABLE, Reason.SHUTTING_DOWN)
        assert error_details_pb2.RetryInfo.DESCRIPTOR.full_name in details[0].type_url


async def test_a_store_that_fails_refuses_newcomers_and_is_asked_again(stand: Stand, tenant: str) -> None:
    """A failed read ends the watch that has nothing yet, and the next caller is served."""
    design_id = await stand.add_design(tenant)
    stand.database.failures.append(UnavailableError(Reason.STORE_UNAVAILABLE, "away"))
    code, info, _ = await refusal(stand.watch(tenant, design_id))
    assert (code, info.reason) == (grpc.StatusCode.UNAVAILABLE, Reason.STORE_UNAVAILABLE)
    watch = stand.watch(tenant, design_id)
    assert (await next_of(watch)).design.revision == 1
    watch.cancel()


async def test_a_watch_that_ends_leaves_nothing_behind(stand: Stand, tenant: str) -> None:
    """The hub forgets a watch whose caller went away."""
    design_id = await stand.add_design(tenant)
    watch = stand.watch(tenant, design_id)
    await next_of(watch)
    assert stand.hub.topics.designs
    watch.cancel()
    assert await eventually(lambda: not stand.hub.topics.designs)


async def watch_registered(stand: Stand) -> None:
    """Waits until the hub has read for a watch that gets no message at first."""
    assert await eventually(lambda: bool(stand.hub.topics.designs and stand.database.design_reads))


async def idle(stand: Stand) -> None:
    """Waits until nothing is marked to be read."""
    assert await eventually(lambda: not stand.hub._marked)


async def test_messages_are_the_contracts_own(stand: Stand, tenant: str) -> None:
    """What is sent as bytes parses as WatchDesignResponse with every part of the design in place."""
    design_id = await stand.add_design(tenant, title="A fox", labels='{"shop": "a"}', reference="order-1")
    await stand.start_imaging(design_id)
    await stand.finish(design_id)
    message = await next_of(stand.watch(tenant, design_id))
    assert isinstance(message, pb.WatchDesignResponse)
    design = message.design
    assert (design.tenant, design.title, dict(design.labels), design.reference) == (
        tenant,
        "A fox",
        {"shop": "a"},
        "order-1",
    )
    assert design.artwork.sha256 == "01" * 32
    assert (design.spec.width_mm, design.spec.HasField("border_mm")) == (60.0, False)
    assert design.resolved_spec.border_mm == 3.0
    assert design.geometry.canvas_box.height_mm == 36.0
    finding = design.findings[0]
    assert (finding.code, finding.value, finding.limit, finding.place.width_mm) == ("RESOLUTION", 180.0, 200.0, 3.0)
    assert design.print_verdict == 2
    assert not design.timeline
