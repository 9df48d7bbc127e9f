"""Each kind of row goes when its time is up, with its objects, and nothing that is still of use goes with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from cutline.blobs.keys import artifact_key, upload_key
from cutline.blobs.store import S3BlobStore
from cutline.jobs.v1 import ticket_pb2
from cutline.messaging.tickets import DELETED
from cutline.store.ids import new_id
from cutline.store.tenant_settings import main as tenant_settings
from services.ingest.retention import Retention
from services.ingest.settings import KeepSettings
from tests.integration.ingest.parts import Bench

if TYPE_CHECKING:
    from cutline.store.submissions import Submission

Make = Callable[..., "Submission"]
SHA = "ab" * 32


@pytest.fixture
def retention(bench: Bench, blobs: S3BlobStore) -> Retention:
    """Retention with the times of production."""
    return make_retention(bench, blobs)


def make_retention(bench: Bench, blobs: S3BlobStore, **keep: float) -> Retention:
    """Retention with some times changed."""
    settings = KeepSettings(**keep)
    return Retention(database=bench.database, blobs=blobs, dispatch=bench.dispatch, keep=settings, interval_s=60)


async def ended_design(bench: Bench, row: Submission, *, days_ago: float, job_state: str = "SUCCEEDED") -> None:
    """A design that ended so long ago, READY or, where its job is dead, FAILED."""
    await bench.submit(row)
    ended, design_id = timedelta(days=days_ago), row.design_id
    state = "READY" if job_state == "SUCCEEDED" else "FAILED"
    await bench.database.execute("UPDATE jobs SET state = 'RUNNING', attempt = 1 WHERE design_id = $1", design_id)
    await bench.database.execute(
        "INSERT INTO attempts (job_id, number, worker, outcome, finish_time)"
        " SELECT job_id, 1, 'w', 'SUCCEEDED', now() FROM jobs WHERE design_id = $1",
        design_id,
    )
    await bench.database.execute(
        "UPDATE jobs SET state = $3, finish_time = now() - $2::interval WHERE design_id = $1",
        design_id,
        ended,
        job_state,
    )
    await bench.database.execute(
        "UPDATE generations SET state = $3, finish_time = now() - $2::interval WHERE design_id = $1",
        design_id, ended, state,
    )  # fmt: skip
    await bench.database.execute("UPDATE designs SET state = 'PROCESSING' WHERE design_id = $1", design_id)
    await bench.database.execute(
        "UPDATE designs SET state = $3, result_generation = 1, finish_time = now() - $2::interval WHERE design_id = $1",
        design_id, ended, state,
    )  # fmt: skip


async def jobs_left(bench: Bench) -> set[UUID]:
    """Designs that still have jobs."""
    return {row["design_id"] for row in await bench.database.fetch("SELECT design_id FROM jobs")}


async def put(blobs: S3BlobStore, tenant: str, design_id: UUID, generation: int, kind: str) -> str:
    """An object as a worker writes it; its key."""
    key = artifact_key(
        tenant=tenant, design_id=design_id, generation=generation, kind=kind, sha256=SHA, extension="png"
    )
    await blobs.put(key, b"x", media_type="image/png")
    return key


async def test_jobs_and_attempts_go_a_week_after_their_end(
    bench: Bench, retention: Retention, make: Make, tenant: str
) -> None:
    """Unfinished and younger ones stay, and so do the designs themselves."""
    old, young, running = (make(tenant, reference=name) for name in ("old", "young", "running"))
    await ended_design(bench, old, days_ago=8)
    await ended_design(bench, young, days_ago=6)
    await bench.submit(running)

    await retention.remove_once()

    assert await jobs_left(bench) == {young.design_id, running.design_id}
    assert await bench.database.fetchval("SELECT count(*) FROM attempts") == 1
    assert await bench.database.fetchval("SELECT count(*) FROM designs") == 3


async def test_more_than_a_batch_goes_in_one_pass(bench: Bench, retention: Retention, make: Make, tenant: str) -> None:
    """Batches follow each other until nothing is due, so that retention keeps up with what ends."""
    rows = [make(tenant, reference=str(number)) for number in range(450)]
    await asyncio.gather(*(bench.submit(row) for row in rows))
    await bench.database.execute("UPDATE jobs SET state = 'CANCELLED', finish_time = now() - interval '8 days'")

    assert (await retention.remove_once())["jobs"] == 450
    assert await jobs_left(bench) == set()


async def test_two_copies_of_retention_share_the_work(
    bench: Bench, blobs: S3BlobStore, make: Make, tenant: str
) -> None:
    """Rows that one holds are skipped by the other: nothing is removed twice, and nobody waits or fails."""
    rows = [make(tenant, reference=str(number)) for number in range(300)]
    await asyncio.gather(*(bench.submit(row) for row in rows))
    await bench.database.execute("UPDATE jobs SET state = 'CANCELLED', finish_time = now() - interval '8 days'")

    removed = await asyncio.gather(*(make_retention(bench, blobs).remove_once() for _ in range(3)))

    assert sum(one["jobs"] for one in removed) == 300
    assert await jobs_left(bench) == set()


async def test_a_dead_job_stays_as_long_as_its_open_dead_letter(
    bench: Bench, retention: Retention, make: Make, tenant: str
) -> None:
    """It could still be run again; once the letter is dealt with, the job goes like any other."""
    row = make(tenant)
    await ended_design(bench, row, days_ago=20, job_state="DEAD")
    await bench.database.execute(
        "INSERT INTO dead_letters (dead_letter_id, job_id, tenant, design_id, generation, stage, lane, reason, message,"
        " attempt_count) VALUES ($1, $2, $3, $4, 1, 'imaging', 'standard', 'R', 'm', 1)",
        new_id(), row.job_id, tenant, row.design_id,
    )  # fmt: skip

    await retention.remove_once()
    assert await jobs_left(bench) == {row.design_id}

    await bench.database.execute("UPDATE dead_letters SET resolution = 'DISCARDED', resolve_time = now()")
    await retention.remove_once()
    assert await jobs_left(bench) == set()


async def test_old_dead_letters_go(bench: Bench, blobs: S3BlobStore, tenant: str) -> None:
    """By the age of the letter, which its id tells the index."""
    await bench.database.execute(
        "INSERT INTO dead_letters (dead_letter_id, tenant, generation, stage, lane, reason, message, attempt_count,"
        " create_time) VALUES"
        " ('00000000-0000-7000-8000-000000000000', $1, 1, 'imaging', 'bulk', 'R', 'm', 1, now() - interval '31 days'),"
        " ($2, $1, 1, 'imaging', 'bulk', 'R', 'm', 1, now())",
        tenant, new_id(),
    )  # fmt: skip

    removed = await make_retention(bench, blobs).remove_once()

    assert removed["dead_letters"] == 1
    assert await bench.database.fetchval("SELECT count(*) FROM dead_letters") == 1


async def test_a_superseded_generation_goes_with_its_files(
    bench: Bench, blobs: S3BlobStore, retention: Retention, make: Make, tenant: str
) -> None:
    """A week after a newer one gave its results; the results shown stay, generation 10 is not taken for 1."""
    row = make(tenant)
    await ended_design(bench, row, days_ago=30)
    old, new, tenth = [await put(blobs, tenant, row.design_id, number, "cut-line") for number in (1, 2, 10)]
    await next_generation(bench, row)
    await retention.remove_once()
    assert await generations(bench) == [1, 2]  # superseded a moment ago only

    await bench.database.execute(
        "UPDATE generations SET supersede_time = now() - interval '8 days' WHERE generation = 1"
    )
    await retention.remove_once()

    assert await generations(bench) == [2]
    assert await blobs.head(old) is None
    assert await blobs.head(new)
    assert await blobs.head(tenth)


async def test_results_shown_are_not_superseded_by_a_run_without_any(bench: Bench, make: Make, tenant: str) -> None:
    """The last good generation stays while newer ones run or fail; a failed one between them does not."""
    row = make(tenant)
    await ended_design(bench, row, days_ago=30)
    for _ in range(2):
        await next_generation(bench, row, succeeds=False)

    superseded = await bench.database.fetch("SELECT generation FROM generations WHERE supersede_time IS NOT NULL")

    assert [one["generation"] for one in superseded] == [2]


async def next_generation(bench: Bench, row: Submission, *, succeeds: bool = True) -> None:
    """The design's next generation, which ends at once."""
    number = await bench.database.fetchval(
        "UPDATE designs SET generation = generation + 1, state = 'QUEUED' WHERE design_id = $1 RETURNING generation",
        row.design_id,
    )
    await bench.database.execute(
        "INSERT INTO generations (design_id, generation, dedup_key, spec, resolved_spec, state)"
        " VALUES ($1, $2, $3, '{}', '{}', 'READY')",
        row.design_id, number, bytes([number]) * 32,
    )  # fmt: skip
    await bench.database.execute("UPDATE designs SET state = 'PROCESSING' WHERE design_id = $1", row.design_id)
    if succeeds:
        await bench.database.execute("UPDATE designs SET result_generation = generation")
    await bench.database.execute("UPDATE designs SET state = $2 WHERE design_id = $1", row.design_id, "READY")


async def generations(bench: Bench) -> list[int]:
    """Numbers of the generations there are."""
    rows = await bench.database.fetch("SELECT generation FROM generations ORDER BY generation")
    return [row["generation"] for row in rows]


async def test_a_tenants_own_setting_deletes_its_designs(
    bench: Bench, blobs: S3BlobStore, retention: Retention, make: Make, tenant: str
) -> None:
    """So long after their end, with files and a ring for watchers; other tenants' and running designs stay."""
    await bench.database.execute("INSERT INTO tenant_settings (tenant, design_keep_s) VALUES ($1, 30 * 86400)", tenant)
    old, young, others = make(tenant, reference="old"), make(tenant, reference="young"), make("other-tenant")
    running = make(tenant, reference="running")
    for row, days_ago in ((old, 31), (young, 29), (others, 31)):
        # Ids tell when they were made: these are as old as their designs.
        row.design_id = UUID(int=row.design_id.int - (days_ago * 86_400_000 << 80))
        await ended_design(bench, row, days_ago=days_ago)
    await bench.submit(running)
    rings = await bench.broker.client.subscribe(bench.topology.design_subject(tenant, old.design_id))
    key = await put(blobs, tenant, old.design_id, 1, "cutout")

    removed = await retention.remove_once()

    assert removed["designs"] == 1
    left = {row["design_id"] for row in await bench.database.fetch("SELECT design_id FROM designs")}
    assert left == {young.design_id, others.design_id, running.design_id}
    heard = ticket_pb2.DesignRing.FromString((await rings.next_msg(timeout=5)).data)
    assert (heard.state, heard.revision) == (DELETED, 0)
    await bench.database.execute("UPDATE object_removals SET due_time = now()")
    await retention.remove_once()
    assert await blobs.head(key) is None


async def test_the_command_sets_lists_and_clears(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A setting is replaced by the next; clearing what is not set fails; nonsense is refused by name."""
    monkeypatch.setenv("CUTLINE_POSTGRES_DSN", postgres_dsn)

    async def run(*arguments: str) -> int:
        return await asyncio.to_thread(tenant_settings, arguments)

    assert await run("keep", "--tenant", "acme", "--days", "30") == 0
    assert await run("keep", "--tenant", "acme", "--days", "90") == 0
    assert await run("list") == 0
    assert await run("clear", "--tenant", "acme") == 0
    assert await run("clear", "--tenant", "acme") == 1
    with pytest.raises(SystemExit):
        await run("keep", "--tenant", "acme", "--days", "0")
    told = capsys.readouterr()
    assert "acme                 90 days\n" in told.out
    assert "'0' is not a whole number of days from 1 to 36500" in told.err


async def test_objects_that_no_row_names_go(bench: Bench, blobs: S3BlobStore, make: Make, tenant: str) -> None:
    """What a fenced-out attempt or a late write left behind; named, foreign and young objects stay."""
    done, running, gone = make(tenant, reference="done"), make(tenant, reference="running"), new_id()
    await ended_design(bench, done, days_ago=1)
    await bench.submit(running)
    named = await put(blobs, tenant, done.design_id, 1, "cutout")
    await bench.database.execute(
        "INSERT INTO artifacts (design_id, generation, kind, media_type, size_bytes, sha256, object_key)"
        " VALUES ($1, 1, 'CUTOUT', 'image/png', 1, $2, $3)",
        done.design_id, bytes(32), named,
    )  # fmt: skip
    nameless = await put(blobs, tenant, done.design_id, 1, "cut-line")
    in_work = await put(blobs, tenant, running.design_id, 1, "cut-line")
    late = await put(blobs, tenant, gone, 1, "cut-line")
    lost_upload, foreign = upload_key(tenant, new_id()), f"{tenant}/notes.txt"
    for key in (lost_upload, foreign):
        await blobs.put(key, b"x", media_type="image/png")

    assert (await make_retention(bench, blobs).remove_once())["orphans"] == 0
    await make_retention(bench, blobs, orphan_s=-60).remove_once()

    left = {key for key in (named, nameless, in_work, late, lost_upload, foreign) if await blobs.head(key)}
    assert left == {named, in_work, foreign}


async def test_a_listing_goes_on_after_a_key(blobs: S3BlobStore, tenant: str) -> None:
    """Page after page gives every object once, in the order of keys."""
    keys = sorted([await put(blobs, tenant, new_id(), 1, "cutout") for _ in range(5)])

    first = await blobs.list_after(f"{tenant}/", limit=2)
    second = await blobs.list_after(first[-1].key, limit=2)

    assert [entry.key for entry in first + second] == keys[:4]
