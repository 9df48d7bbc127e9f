"""Ingest on the wire, with every server real: uploads, submits, cancel, reprocess, delete, and whose they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import httpx
import nats
import pytest

from cutline.blobs.store import S3BlobStore
from cutline.domain.scenes import SCENE_IDS
from cutline.jobs.v1 import ticket_pb2
from cutline.runtime.environment import EnvReader
from cutline.runtime.settings import S3Settings
from cutline.v1 import design_pb2
from cutline.v1 import ingest_service_pb2 as pb
from tests.integration.ingest.service import PNG, Client, reason_of, running_ingest, store_key, stub_of

State = design_pb2.Design


@pytest.fixture
async def target(service_environment: dict[str, str]) -> AsyncIterator[str]:
    """Address of a running ingest."""
    async with running_ingest(service_environment) as address:
        yield address


@pytest.fixture
async def client(target: str, postgres_dsn: str, tenant: str) -> AsyncIterator[Client]:
    """A client of a tenant of its own."""
    async with grpc.aio.insecure_channel(target) as channel, httpx.AsyncClient(trust_env=False) as http:
        yield Client(tenant, stub_of(channel), await store_key(postgres_dsn, tenant), http)


@pytest.fixture
async def stranger(client: Client, postgres_dsn: str) -> Client:
    """A client of another tenant."""
    other = f"{client.tenant}-x"
    return Client(other, client.stub, await store_key(postgres_dsn, other), client.http)


@pytest.fixture
async def database(postgres_dsn: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection to look at rows with."""
    connection = await asyncpg.connect(postgres_dsn)
    yield connection
    await connection.close()


async def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    """Code and reason of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    return failure.value.code(), reason_of(failure.value)


async def test_a_fresh_design_is_answered_as_it_was_stored(client: Client) -> None:
    """The answer, built without reading, equals what a repeat reads back."""
    request = pb.SubmitDesignRequest(
        upload_id=await client.upload(), title="Fox", reference="order-7", request_id=str(uuid4())
    )
    request.labels["shop"] = "north"
    request.spec.width_mm = 60
    request.spec.mockups.scenes.append("laptop")

    first = await client.call("SubmitDesign", request)
    again = await client.call("SubmitDesign", request)

    assert first == again
    assert first.design.state == State.STATE_QUEUED
    assert first.design.resolved_spec.border_mm == 3.0
    assert first.design.tenant == client.tenant


async def test_unset_and_explicit_default_are_the_same_work(client: Client) -> None:
    """Equal artwork and spec make one design while it is unfinished, another spec its own."""
    upload_id = await client.upload()
    first = await client.submit(upload_id)
    explicit = pb.SubmitDesignRequest()
    explicit.spec.border_mm = 3.0
    wider = pb.SubmitDesignRequest()
    wider.spec.width_mm = 90

    same = await client.submit(await client.upload(), spec=explicit.spec)
    other = await client.submit(upload_id, spec=wider.spec)

    assert (same.design.id, same.deduplicated) == (first.design.id, True)
    assert other.design.id != first.design.id
    assert not other.deduplicated


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"media_type": "application/pdf"}, "ARTWORK_TYPE_UNSUPPORTED"),
        ({"size_bytes": 50_000_001}, "ARTWORK_TOO_LARGE"),
        ({"size_bytes": 0}, "ARTWORK_EMPTY"),
        ({"sha256": "AB" * 32}, "INVALID_ARGUMENT"),
        ({"filename": "x" * 256}, "INVALID_ARGUMENT"),
        ({"request_id": "no uuid"}, "INVALID_ARGUMENT"),
    ],
)
async def test_an_upload_that_can_never_be_artwork_is_refused(
    client: Client, changes: dict[str, Any], reason: str
) -> None:
    """By name, before anything is signed."""
    assert await refused(client.promise(**changes)) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


async def test_a_repeated_create_upload_gives_the_same_upload(client: Client) -> None:
    """The same id is signed again; another body is refused."""
    request_id = str(uuid4())

    first = await client.promise(request_id=request_id)
    again = await client.promise(request_id=request_id)

    assert first.id == again.id
    code, reason = await refused(client.promise(request_id=request_id, filename="b.png"))
    assert (code, reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_a_submit_before_the_put_is_refused_and_can_be_repeated(client: Client) -> None:
    """What was missing is looked for again at the next submit."""
    promised = await client.promise()
    assert await refused(client.submit(promised.id)) == (grpc.StatusCode.FAILED_PRECONDITION, "ARTWORK_MISSING")

    await client.http.put(promised.url, content=PNG, headers=dict(promised.headers))

    assert (await client.submit(promised.id)).design.artwork.upload_id == promised.id


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("size_bytes", 7, "ARTWORK_MISMATCH"),
        ("media_type", "image/gif", "ARTWORK_MISMATCH"),
        ("media_type", "text/plain", "ARTWORK_TYPE_UNSUPPORTED"),
        ("sha256", bytes(32), "ARTWORK_MISMATCH"),
    ],
)
async def test_artwork_that_is_not_what_was_promised_is_refused(
    client: Client, database: asyncpg.Connection[asyncpg.Record], column: str, value: object, reason: str
) -> None:
    """Size, type and digest are compared with the promise before a job exists."""
    upload_id = await client.upload(PNG + column.encode())
    await database.execute(f"UPDATE uploads SET {column} = $1", value)  # noqa: S608  (the parameters above)

    assert await refused(client.submit(upload_id)) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert await database.fetchval("SELECT count(*) FROM designs") == 0


async def test_artwork_over_the_limit_is_refused(service_environment: dict[str, str], postgres_dsn: str) -> None:
    """A limit lowered since the upload was promised counts at the submit."""
    key = await store_key(postgres_dsn, "acme")
    async with httpx.AsyncClient(trust_env=False) as http:
        async with running_ingest(service_environment) as target, grpc.aio.insecure_channel(target) as channel:
            upload_id = await Client("acme", stub_of(channel), key, http).upload()
        strict = {**service_environment, "CUTLINE_MAX_ARTWORK_BYTES": "50"}
        async with running_ingest(strict) as target, grpc.aio.insecure_channel(target) as channel:
            client = Client("acme", stub_of(channel), key, http)
            assert await refused(client.submit(upload_id)) == (
                grpc.StatusCode.INVALID_ARGUMENT,
                "ARTWORK_TOO_LARGE",
            )


@pytest.mark.parametrize("upload_id", ["", "no-id", "01900000-0000-7000-8000-000000000000"])
async def test_an_unknown_upload_is_not_found(client: Client, upload_id: str) -> None:
    """Whatever stands in its place."""
    assert await refused(client.submit(upload_id)) == (grpc.StatusCode.NOT_FOUND, "UPLOAD_NOT_FOUND")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"title": "x" * 201}, "INVALID_ARGUMENT"),
        ({"reference": "nul \0"}, "INVALID_ARGUMENT"),
        ({"labels": {"Upper": "x"}}, "INVALID_ARGUMENT"),
        ({"labels": {str(number): "x" for number in range(33)}}, "INVALID_ARGUMENT"),
        ({"spec": {"width_mm": float("nan")}}, "INVALID_ARGUMENT"),
        ({"spec": {"border_mm": float("inf")}}, "INVALID_ARGUMENT"),
        ({"spec": {"cut_type": 99}}, "INVALID_ARGUMENT"),
        ({"spec": {"mockups": {"scenes": ["moon"]}}}, "SCENE_UNKNOWN"),
        ({"job": {"max_attempts": 21}}, "INVALID_ARGUMENT"),
        ({"job": {"not_before_time": {"seconds": 4_000_000_000}}}, "INVALID_ARGUMENT"),
        ({"job": {"lane": 9}}, "INVALID_ARGUMENT"),
    ],
)
async def test_a_submit_outside_the_limits_is_refused(client: Client, values: dict[str, Any], reason: str) -> None:
    """By name, before the upload is looked at."""
    assert await refused(client.submit("", **values)) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


async def test_tenants_do_not_see_each_other(client: Client, stranger: Client) -> None:
    """Another tenant's upload and design do not exist, for every call that names one."""
    upload_id = await client.upload()
    design = (await client.submit(upload_id)).design

    assert await refused(stranger.submit(upload_id)) == (grpc.StatusCode.NOT_FOUND, "UPLOAD_NOT_FOUND")
    for method, request in (
        ("ReprocessDesign", pb.ReprocessDesignRequest(design_id=design.id)),
        ("CancelDesign", pb.CancelDesignRequest(design_id=design.id)),
        ("DeleteDesign", pb.DeleteDesignRequest(design_id=design.id)),
    ):
        assert await refused(stranger.call(method, request)) == (grpc.StatusCode.NOT_FOUND, "DESIGN_NOT_FOUND")


async def test_cancel_stops_the_work_and_tells(
    client: Client, database: asyncpg.Connection[asyncpg.Record], nats_url: str
) -> None:
    """Design, generation and job are CANCELLED, workers and watchers are rung, and a second cancel is refused."""
    design = await client.design()
    bus = await nats.connect(nats_url)
    workers = await bus.subscribe("control.cancel.imaging")
    watchers = await bus.subscribe(f"events.design.{client.tenant}.{design.id}")
    await bus.flush()

    request = pb.CancelDesignRequest(design_id=design.id, request_id=str(uuid4()))
    cancelled = await client.call("CancelDesign", request)

    assert cancelled.state == State.STATE_CANCELLED
    assert cancelled.revision == 2
    states = await database.fetchrow("SELECT g.state, j.state AS job FROM generations g JOIN jobs j USING (design_id)")
    assert states is not None
    assert tuple(states) == ("CANCELLED", "CANCELLED")
    stop = ticket_pb2.CancelRing.FromString((await workers.next_msg(timeout=5)).data)
    assert (stop.design_id, stop.generation) == (design.id, 1)
    ring = ticket_pb2.DesignRing.FromString((await watchers.next_msg(timeout=5)).data)
    assert (ring.revision, ring.state) == (2, "CANCELLED")
    stored = await bus.jetstream().get_last_msg("EVENTS", f"events.design.{client.tenant}.{design.id}")
    assert ticket_pb2.DesignRing.FromString(stored.data or b"") == ring
    await bus.close()

    assert await client.call("CancelDesign", request) == cancelled
    assert await refused(client.call("CancelDesign", pb.CancelDesignRequest(design_id=design.id))) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "DESIGN_TERMINAL",
    )


async def test_cancel_ends_a_running_attempt(client: Client, database: asyncpg.Connection[asyncpg.Record]) -> None:
    """The attempt under way ends as CANCELLED, so that its commit is fenced out."""
    design = await client.design()
    await database.execute("UPDATE jobs SET state = 'RUNNING', attempt = 1, lease_time = now()")
    await database.execute("INSERT INTO attempts (job_id, number, worker) SELECT job_id, 1, 'w' FROM jobs")

    await client.call("CancelDesign", pb.CancelDesignRequest(design_id=design.id))

    assert await database.fetchval("SELECT outcome FROM attempts WHERE finish_time IS NOT NULL") == "CANCELLED"


async def test_a_cancelled_run_shows_none_of_its_files(
    client: Client, database: asyncpg.Connection[asyncpg.Record]
) -> None:
    """What imaging had made is not the design's any more; the files of its last finished run are again."""
    design = await client.design()
    await database.execute("UPDATE generations SET state = 'PROCESSING'")
    await database.execute("UPDATE designs SET state = 'PROCESSING', result_generation = 1")

    await client.call("CancelDesign", pb.CancelDesignRequest(design_id=design.id))

    assert await database.fetchval("SELECT result_generation FROM designs") is None
    await client.call("ReprocessDesign", pb.ReprocessDesignRequest(design_id=design.id))
    await database.execute("UPDATE generations SET state = 'READY' WHERE generation = 2")
    await database.execute("UPDATE designs SET state = 'PROCESSING', result_generation = 2")
    await database.execute("UPDATE designs SET state = 'READY'")
    await client.call("ReprocessDesign", pb.ReprocessDesignRequest(design_id=design.id))
    await database.execute("UPDATE designs SET state = 'PROCESSING', result_generation = 3")
    await client.call("CancelDesign", pb.CancelDesignRequest(design_id=design.id))
    assert await database.fetchval("SELECT result_generation FROM designs") == 2
    assert await database.fetchval("SELECT supersede_time FROM generations WHERE generation = 2") is None


async def test_reprocess_supersedes_the_unfinished_generation(
    client: Client, database: asyncpg.Connection[asyncpg.Record]
) -> None:
    """The next generation is queued with its own job, the older one's job is CANCELLED."""
    design = await client.design()
    request = pb.ReprocessDesignRequest(design_id=design.id, request_id=str(uuid4()))
    request.spec.width_mm = 80

    answer = await client.call("ReprocessDesign", request)

    assert not answer.deduplicated
    assert (answer.design.generation, answer.design.state) == (2, State.STATE_QUEUED)
    assert answer.design.spec.width_mm == 80
    jobs = await database.fetch("SELECT generation, state FROM jobs ORDER BY generation")
    assert [tuple(job) for job in jobs] == [(1, "CANCELLED"), (2, "QUEUED")]
    assert await client.call("ReprocessDesign", request) == answer


async def test_an_equal_reprocess_is_joined_while_unfinished(
    client: Client, database: asyncpg.Connection[asyncpg.Record]
) -> None:
    """The second one starts nothing; after the end it starts the third generation, with the kept spec."""
    design = await client.design()
    request = pb.ReprocessDesignRequest(design_id=design.id)
    first = await client.call("ReprocessDesign", request)

    joined = await client.call("ReprocessDesign", request)
    assert joined.deduplicated
    assert joined.design == first.design

    await database.execute("UPDATE generations SET state = 'READY' WHERE generation = 2")
    await database.execute("UPDATE designs SET state = 'PROCESSING'")
    await database.execute("UPDATE designs SET state = 'READY'")
    again = await client.call("ReprocessDesign", request)
    assert not again.deduplicated
    assert again.design.generation == 3
    assert again.design.spec == design.spec


async def test_a_reprocessed_design_does_not_swallow_a_submit(client: Client) -> None:
    """A reprocess is work of its own: the same submit as the first makes a new design."""
    upload_id = await client.upload()
    first = await client.submit(upload_id)
    await client.call("ReprocessDesign", pb.ReprocessDesignRequest(design_id=first.design.id))

    second = await client.submit(upload_id)

    assert second.design.id != first.design.id


async def test_delete_removes_rows_and_files(
    client: Client, database: asyncpg.Connection[asyncpg.Record], service_environment: dict[str, str]
) -> None:
    """A running design is refused; an ended one goes with its objects, and its upload is left to retention."""
    design = await client.design()
    request = pb.DeleteDesignRequest(design_id=design.id, request_id=str(uuid4()))
    assert await refused(client.call("DeleteDesign", request)) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "DESIGN_RUNNING",
    )
    await client.call("CancelDesign", pb.CancelDesignRequest(design_id=design.id))
    blobs = S3BlobStore(S3Settings.read(EnvReader(service_environment)))
    await blobs.start()
    await blobs.put(f"{client.tenant}/{design.id}/1/cutout.png", b"x", media_type="image/png")

    await client.call("DeleteDesign", request)

    assert [entry async for entry in blobs.list_prefix(f"{client.tenant}/{design.id}/")] == []
    await blobs.stop()
    for table in ("designs", "generations", "jobs", "timeline"):
        assert await database.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608  (the names above)
    assert await database.fetchval("SELECT count(*) FROM uploads WHERE submit_time IS NULL") == 1
    await client.call("DeleteDesign", request)
    assert await refused(client.call("DeleteDesign", pb.DeleteDesignRequest(design_id=design.id))) == (
        grpc.StatusCode.NOT_FOUND,
        "DESIGN_NOT_FOUND",
    )


async def test_queue_calls_need_the_admin_scope(client: Client, target: str) -> None:
    """A key that may submit may not look into the queues."""
    async with grpc.aio.insecure_channel(target) as channel:
        stats: Any = channel.unary_unary("/cutline.v1.QueueService/GetStats")
        code, reason = await refused(stats(b"", metadata=(("authorization", f"Bearer {client.key}"),)))
    assert (code, reason) == (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")


def test_the_scene_ids_are_those_of_the_mockup_engine() -> None:
    """Ingest refuses exactly the scenes the engine does not have."""
    scene_ids = pytest.importorskip("cutline.mockups", reason="needs the extra mockup").scene_ids

    assert sorted(SCENE_IDS) == sorted(scene_ids())
