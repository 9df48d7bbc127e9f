"""The flusher: what is accepted is committed once, published, and answered as the rules of dedup and repeats say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import pytest

from cutline.domain.errors import ConflictError, ResourceExhaustedError
from cutline.domain.states import Lane
from cutline.store.submissions import Repeat
from services.ingest.flusher import Accepted
from services.ingest.settings import BacklogLimits

if TYPE_CHECKING:
    from cutline.store.submissions import Submission
    from tests.integration.ingest.parts import Bench

Make = Callable[..., "Submission"]


async def test_a_submit_is_stored_and_published(bench: Bench, make: Make, tenant: str) -> None:
    """One design, generation, job, timeline line; one ticket that names them; the outbox row goes in the end."""
    row = make(tenant, reference="one")

    answer = await bench.submit(row)

    assert isinstance(answer, Accepted)
    assert answer.design_id == row.design_id
    stored = await bench.database.fetchrow(
        "SELECT d.state, d.revision, j.state AS job_state, j.publication, j.traceparent, t.event, g.spec"
        " FROM designs d JOIN generations g USING (design_id, generation) JOIN jobs j USING (design_id, generation)"
        " JOIN timeline t USING (design_id, revision)"
    )
    assert stored is not None
    assert dict(stored) == {
        "state": "QUEUED",
        "revision": 1,
        "job_state": "QUEUED",
        "publication": 1,
        "traceparent": row.traceparent,
        "event": "submitted",
        "spec": {"width_mm": 50.0},
    }
    (ticket,) = await bench.tickets()
    assert (ticket.job_id, ticket.design_id, ticket.publication) == (str(row.job_id), str(row.design_id), 1)


async def test_many_submits_at_once_are_all_accepted(bench: Bench, make: Make, tenant: str) -> None:
    """Two hundred callers each get their own design, and the broker holds one ticket of each."""
    rows = [make(tenant, reference=str(number)) for number in range(200)]

    answers = await asyncio.gather(*(bench.submit(row) for row in rows))

    assert [answer.design_id for answer in answers] == [row.design_id for row in rows]
    assert {ticket.design_id for ticket in await bench.tickets()} == {str(row.design_id) for row in rows}


async def test_equal_work_is_joined_while_unfinished(bench: Bench, make: Make, tenant: str) -> None:
    """The second submit answers with the first's design, another reference or tenant with its own."""
    first, same, other = make(tenant), make(tenant), make(tenant, reference="other")
    stranger = make(f"{tenant}-x")

    await bench.submit(first)

    assert await bench.submit(same) == Repeat(first.design_id, deduplicated=True)
    assert (await bench.submit(other)).design_id == other.design_id
    assert (await bench.submit(stranger)).design_id == stranger.design_id
    assert await bench.database.fetchval("SELECT count(*) FROM jobs") == 3


@pytest.mark.parametrize("state", ["READY", "FAILED", "CANCELLED"])
async def test_finished_work_never_blocks_a_new_run(bench: Bench, make: Make, tenant: str, state: str) -> None:
    """Once the first design has ended, the same submit makes a new one."""
    first, again = make(tenant), make(tenant)
    await bench.submit(first)
    await bench.database.execute("UPDATE generations SET state = $1", state)

    assert isinstance(await bench.submit(again), Accepted)


async def test_equal_work_in_one_batch_is_joined(bench: Bench, make: Make, tenant: str) -> None:
    """Fifty equal submits at the same moment make one design, and each request id remembers it."""
    rows = [make(tenant, request_id=uuid4()) for _ in range(50)]

    answers = await asyncio.gather(*(bench.submit(row) for row in rows))

    assert len({answer.design_id for answer in answers}) == 1
    assert sum(isinstance(answer, Accepted) for answer in answers) == 1
    assert await bench.database.fetchval("SELECT count(*) FROM requests WHERE deduplicated") == 49
    assert len(await bench.tickets()) == 1


async def test_one_call_repeated_at_once_gives_all_the_same_answer(bench: Bench, make: Make, tenant: str) -> None:
    """A hundred copies of one call make one design; another body under its id is refused, wherever it stands."""
    request_id = uuid4()
    rows = [make(tenant, request_id=request_id, body="other" if number % 10 == 9 else "") for number in range(100)]

    answers = await asyncio.gather(*(bench.submit(row) for row in rows), return_exceptions=True)

    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert [type(answer) for answer in refused] == [ConflictError] * 10
    assert {answer.design_id for answer in answers if not isinstance(answer, BaseException)} == {rows[0].design_id}
    assert await bench.database.fetchval("SELECT count(*) FROM designs") == 1


async def test_a_repeated_request_id_gives_the_first_answer_again(bench: Bench, make: Make, tenant: str) -> None:
    """Also when the design has ended meanwhile, and also when the first answer was a joined one."""
    first, joined = (make(tenant, request_id=uuid4()) for _ in range(2))
    await bench.submit(first)
    await bench.submit(joined)
    await bench.database.execute("UPDATE generations SET state = 'READY'")

    again = make(tenant, request_id=first.call.request_id)
    joined_again = make(tenant, request_id=joined.call.request_id)

    assert await bench.submit(again) == Repeat(first.design_id, deduplicated=False)
    assert await bench.submit(joined_again) == Repeat(first.design_id, deduplicated=True)


async def test_a_request_id_cannot_be_used_for_another_body(bench: Bench, make: Make, tenant: str) -> None:
    """One after the other and within one batch; another tenant may use the same id."""
    request_id = uuid4()
    await bench.submit(make(tenant, request_id=request_id))
    with pytest.raises(ConflictError, match="new one for every new call"):
        await bench.submit(make(tenant, request_id=request_id, reference="other"))

    shared = uuid4()
    rows = [make(tenant, request_id=shared, reference=f"batch-{number}") for number in range(3)]
    answers = await asyncio.gather(*(bench.submit(row) for row in rows), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Accepted, ConflictError, ConflictError]

    assert isinstance(await bench.submit(make(f"{tenant}-x", request_id=request_id)), Accepted)


async def test_a_batch_of_everything_is_answered_one_by_one(bench: Bench, make: Make, tenant: str) -> None:
    """Replays, joined ones, conflicts and new ones of one moment do not mix up."""
    first = make(tenant, request_id=uuid4(), reference="first")
    await bench.submit(first)
    replay = make(tenant, request_id=first.call.request_id, reference="first")
    conflict = make(tenant, request_id=first.call.request_id, reference="conflict")
    joined = make(tenant, request_id=uuid4(), reference="first")
    joined_twice = make(tenant, request_id=joined.call.request_id, reference="first")
    new = make(tenant, request_id=uuid4(), reference="new")

    rows = [replay, conflict, joined, joined_twice, new]
    answers = await asyncio.gather(*(bench.submit(row) for row in rows), return_exceptions=True)

    assert answers[0] == Repeat(first.design_id, deduplicated=False)
    assert isinstance(answers[1], ConflictError)
    assert answers[2] == answers[3] == Repeat(first.design_id, deduplicated=True)
    assert isinstance(answers[4], Accepted)


async def test_two_replicas_with_the_same_submits_agree(
    bench: Bench, make: Make, tenant: str, second_bench: Bench
) -> None:
    """Eighty equal pairs raced by two flushers make eighty designs, and both answer with the same ones."""
    rows = [[make(tenant, reference=str(number)) for number in range(80)] for _ in range(2)]

    answers = await asyncio.gather(
        *(bench.submit(row) for row in rows[0]), *(second_bench.submit(row) for row in reversed(rows[1]))
    )

    left = [answer.design_id for answer in answers[:80]]
    right = [answer.design_id for answer in answers[80:]]
    assert left == right[::-1]
    assert await bench.database.fetchval("SELECT count(*) FROM designs") == 80


async def test_only_the_guilty_row_of_a_batch_fails(bench: Bench, make: Make, tenant: str) -> None:
    """A row the database refuses does not take its batch with it."""
    rows: list[Any] = [make(tenant, reference=str(number)) for number in range(10)]
    rows[4].title = "nul \0 in text"

    answers = await asyncio.gather(*(bench.submit(row) for row in rows), return_exceptions=True)

    assert isinstance(answers.pop(4), asyncpg.PostgresError)
    assert all(isinstance(answer, Accepted) for answer in answers)


@pytest.mark.parametrize("code", ["40P01", "40001"])
async def test_a_conflict_between_transactions_is_not_the_callers(
    bench: Bench, make: Make, tenant: str, code: str
) -> None:
    """What Postgres asks to be run again is run again: a batch that meets three conflicts is accepted whole."""
    await bench.database.execute(
        f"""
        CREATE SEQUENCE conflicts;
        CREATE FUNCTION meet_conflicts() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('conflicts') <= 3 THEN RAISE EXCEPTION 'again' USING ERRCODE = '{code}'; END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER meet_conflicts AFTER INSERT ON generations FOR EACH STATEMENT EXECUTE FUNCTION meet_conflicts();
        """
    )

    answers = await asyncio.gather(*(bench.submit(make(tenant, reference=str(number))) for number in range(20)))

    assert all(isinstance(answer, Accepted) for answer in answers)
    assert await bench.database.fetchval("SELECT last_value FROM conflicts") > 3
    assert len(await bench.tickets()) == 20


async def test_a_joined_submit_raises_the_lane_of_unpublished_work(bench: Bench, make: Make, tenant: str) -> None:
    """A job that still waits moves to the more urgent lane, never to a less urgent one."""
    later = datetime.now(UTC) + timedelta(hours=1)
    await bench.submit(make(tenant, lane=Lane.STANDARD, not_before_time=later))

    await bench.submit(make(tenant, lane=Lane.BULK, not_before_time=later))
    assert await bench.database.fetchval("SELECT lane FROM jobs") == "standard"
    await bench.submit(make(tenant, lane=Lane.EXPRESS, not_before_time=later))
    assert await bench.database.fetchval("SELECT lane FROM jobs") == "express"


async def test_the_lane_of_published_work_stays(bench: Bench, make: Make, tenant: str) -> None:
    """A ticket lies on its lane's subject already."""
    await bench.submit(make(tenant, lane=Lane.BULK))

    await bench.submit(make(tenant, lane=Lane.EXPRESS))

    assert await bench.database.fetchval("SELECT lane FROM jobs") == "bulk"


async def test_scheduled_work_is_not_published(bench: Bench, make: Make, tenant: str) -> None:
    """It waits with its time, without a message."""
    later = datetime.now(UTC) + timedelta(hours=1)

    await bench.submit(make(tenant, not_before_time=later))

    stored = await bench.database.fetchrow("SELECT state, due_time FROM jobs")
    assert stored is not None
    assert tuple(stored) == ("WAITING", later)
    assert await bench.tickets() == []
    assert await bench.database.fetchval("SELECT count(*) FROM outbox") == 0


class TestCaps:
    """Admission bounds unfinished designs, the window bounds released jobs."""

    @pytest.fixture
    def limits(self) -> BacklogLimits:
        """Three designs a tenant, five in all, two released."""
        return BacklogLimits(tenant_cap=3, global_cap=5, release_window=2)

    async def test_over_the_tenant_cap_nothing_is_stored(self, bench: Bench, make: Make, tenant: str) -> None:
        """The fourth design is refused with a time to try again; another tenant is not affected."""
        for number in range(3):
            await bench.submit(make(tenant, reference=str(number)))

        with pytest.raises(ResourceExhaustedError) as refusal:
            await bench.submit(make(tenant, reference="over"))

        assert refusal.value.reason == "TENANT_BACKLOG_FULL"
        assert refusal.value.retry_after_s
        assert await bench.database.fetchval("SELECT count(*) FROM designs") == 3
        assert isinstance(await bench.submit(make(f"{tenant}-x")), Accepted)

    async def test_the_global_cap_bounds_all_tenants_together(self, bench: Bench, make: Make, tenant: str) -> None:
        """The sixth design of all is refused, whoever asks."""
        for number in range(5):
            await bench.submit(make(f"{tenant}-{number}"))

        with pytest.raises(ResourceExhaustedError) as refusal:
            await bench.submit(make(tenant))
        assert refusal.value.reason == "BACKLOG_FULL"

    async def test_repeats_pass_a_full_backlog(self, bench: Bench, make: Make, tenant: str) -> None:
        """A replay and a joined submit start nothing, so no cap stops them."""
        first = make(tenant, request_id=uuid4(), reference="0")
        await bench.submit(first)
        for number in (1, 2):
            await bench.submit(make(tenant, reference=str(number)))

        replay = make(tenant, request_id=first.call.request_id, reference="0")
        assert await bench.submit(replay) == Repeat(first.design_id, deduplicated=False)
        joined = make(tenant, request_id=uuid4(), reference="0")
        assert await bench.submit(joined) == Repeat(first.design_id, deduplicated=True)

    async def test_finished_designs_make_room(self, bench: Bench, make: Make, tenant: str) -> None:
        """After the next count a tenant whose designs have ended may add again."""
        for number in range(3):
            await bench.submit(make(tenant, reference=str(number)))
        await bench.database.execute("UPDATE designs SET state = 'CANCELLED'")

        await bench.backlog.refresh(bench.database)

        assert isinstance(await bench.submit(make(tenant, reference="next")), Accepted)

    async def test_beyond_the_window_jobs_wait_for_their_turn(self, bench: Bench, make: Make, tenant: str) -> None:
        """Two tickets of three; the third is released with a new publication once one has started."""
        rows = [make(tenant, reference=str(number)) for number in range(3)]
        for row in rows:
            await bench.submit(row)
        assert len(await bench.tickets()) == 2
        assert await bench.release.release_once() == 0

        await bench.database.execute("UPDATE jobs SET state = 'RUNNING' WHERE job_id = $1", rows[0].job_id)

        assert await bench.release.release_once() == 1
        last = (await bench.tickets())[-1]
        assert (last.job_id, last.publication) == (str(rows[2].job_id), 2)

    async def test_a_busy_tenant_does_not_hold_up_another(self, bench: Bench, make: Make, tenant: str) -> None:
        """Released jobs of two tenants alternate, however many the first one has waiting."""
        for number in range(3):
            await bench.submit(make(f"{tenant}-a", reference=str(number)))
        for number in range(2):
            await bench.submit(make(f"{tenant}-b", reference=str(number)))
        await bench.database.execute("UPDATE jobs SET state = 'WAITING', due_time = now()")

        assert await bench.release.release_once() == 4

        published = (await bench.tickets())[-4:]
        assert [ticket.tenant for ticket in published] == [f"{tenant}-a", f"{tenant}-b"] * 2
