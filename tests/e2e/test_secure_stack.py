"""All of Cutline secured: it works as ever, plaintext is refused everywhere, and no bus user can do another's work."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import grpc
import httpx
import nats
import nats.errors
import pytest
from nats.aio.client import Client as NatsClient

from bench.rolling.run import SHORT, run
from cutline.client import AsyncClient
from cutline.embedded.nats_security import NKey
from cutline.embedded.ports import LOOPBACK
from cutline.embedded.stack import EmbeddedStack
from cutline.messaging.permissions import BusUser
from cutline.messaging.topology import Topology
from cutline.v1 import status_service_pb2 as pb
from cutline.v1 import status_service_pb2_grpc
from tests.e2e.test_command import (  # noqa: F401  (run here, too, with this module's stack)
    command,
    test_doctor_finds_a_running_stack_well,
    test_submit_waits_and_brings_the_files,
)
from tests.e2e.test_main_job import (  # noqa: F401  (as above)
    PATIENCE_S,
    artwork,
    test_a_deleted_design_is_gone_with_its_files,
    test_a_design_ends_with_every_file_whole,
    test_a_finished_design_cannot_be_cancelled,
    test_a_reprocess_keeps_the_old_files_until_the_new_are_there,
    test_a_watcher_sees_revisions_grow_to_the_end,
    test_equal_unfinished_work_is_joined_and_finished_work_is_not,
)
from tests.support.forbidden import forbidden_publishes, forbidden_subscribes
from tests.support.polling import eventually

WITHIN_S = 20.0
SERVING = ("ingest-api", "ingest-admin", "status")


@pytest.fixture
def stack(secure_stack: EmbeddedStack) -> EmbeddedStack:
    """The stack of these tests, and of those that are imported."""
    return secure_stack


@asynccontextmanager
async def logged_in(stack: EmbeddedStack, user: BusUser) -> AsyncIterator[tuple[NatsClient, list[str]]]:
    """A connection of a user, by its own seed, and what the broker complains of."""
    complaints: list[str] = []

    async def complain(error: Exception) -> None:
        complaints.append(str(error).lower())

    connection = await nats.connect(
        stack.servers.nats_url.split(","),
        tls=shown(stack),
        nkeys_seed_str=NKey.of(stack.servers.instance, user.value).seed,
        inbox_prefix=user.inbox_prefix,
        error_cb=complain,
    )
    try:
        yield connection, complaints
    finally:
        await connection.close()


def trusted(stack: EmbeddedStack) -> ssl.SSLContext:
    """A client's TLS with nothing to show."""
    assert stack.servers.certificates is not None
    return stack.servers.certificates.context()


def shown(stack: EmbeddedStack) -> ssl.SSLContext:
    """The same with the certificate of clients."""
    assert stack.servers.certificates is not None
    context, client = trusted(stack), stack.servers.certificates.client
    context.load_cert_chain(client.certificate, client.key)
    return context


@pytest.mark.parametrize("user", BusUser)
async def test_a_bus_user_can_do_nothing_but_its_own_work(stack: EmbeddedStack, user: BusUser) -> None:
    """Whatever another user may publish or hear and this one may not is refused by name, on a cluster of three."""
    topology = Topology(replicas=3)
    publishes, subscribes = forbidden_publishes(user, topology), forbidden_subscribes(user, topology)
    async with logged_in(stack, user) as (connection, complaints):
        for subject in publishes:
            await connection.publish(subject, b"")
        for subject in subscribes:
            await connection.subscribe(subject)
        await connection.flush()
        expected = {f'nats: permissions violation for publish to "{subject.lower()}"' for subject in publishes}
        expected |= {f'nats: permissions violation for subscription to "{subject.lower()}"' for subject in subscribes}

        assert len(publishes) > len(BusUser)
        assert len(subscribes) > len(BusUser)
        assert await eventually(lambda: expected <= set(complaints)), expected - set(complaints)


async def test_the_broker_is_a_cluster_with_three_copies(stack: EmbeddedStack) -> None:
    """Every stream has three copies on three nodes, made by the user whose job that is."""
    async with logged_in(stack, BusUser.TOPOLOGY) as (connection, complaints):
        infos = [await connection.jetstream().stream_info(stream.name) for stream in Topology(replicas=3).streams()]

    assert {info.config.num_replicas for info in infos} == {3}
    assert all(info.cluster is not None and len(info.cluster.replicas or ()) == 2 for info in infos)
    assert complaints == []


async def test_nobody_logs_in_to_the_broker_by_a_key_it_does_not_know(stack: EmbeddedStack) -> None:
    """The right certificate with another key is refused, and so is the right key without a certificate."""
    servers = stack.servers.nats_url.split(",")[:1]
    stranger = NKey.of(stack.servers.instance, "stranger").seed
    known = NKey.of(stack.servers.instance, BusUser.IMAGING.value).seed

    with pytest.raises(nats.errors.Error, match="Authorization Violation"):
        await nats.connect(servers, tls=shown(stack), nkeys_seed_str=stranger, allow_reconnect=False)
    with pytest.raises((nats.errors.Error, OSError)):
        await nats.connect(servers, tls=trusted(stack), nkeys_seed_str=known, allow_reconnect=False)


async def test_plaintext_is_refused_by_the_broker(stack: EmbeddedStack) -> None:
    """Every node tells a connection that goes on without TLS that it is over."""
    for node in stack.servers.nats_cluster.nodes:
        reader, writer = await asyncio.open_connection(LOOPBACK, urlsplit(node.url()).port)
        try:
            assert b'"tls_required":true' in await reader.readline()
            writer.write(b'CONNECT {"verbose":false}\r\nPING\r\n')
            async with asyncio.timeout(WITHIN_S):
                answer = await reader.read()
        except ConnectionError:
            answer = b""
        finally:
            writer.close()

        assert b"PONG" not in answer


@pytest.mark.parametrize("kind", SERVING)
async def test_plaintext_is_refused_by_every_grpc_server(stack: EmbeddedStack, kind: str) -> None:
    """A channel without TLS reaches no method where one with TLS does."""
    assert stack.servers.certificates is not None
    target = stack.targets[kind][0]
    trusting = grpc.ssl_channel_credentials(stack.servers.certificates.authority.read_bytes())
    async with grpc.aio.secure_channel(target, trusting) as channel:
        await health(channel)
    async with grpc.aio.insecure_channel(target) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await health(channel)

    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def health(channel: grpc.aio.Channel) -> None:
    """Asks a server for its health, as probes do, which takes no key."""
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/grpc.health.v1.Health/Check")
    await call(b"", timeout=WITHIN_S)


async def test_a_grpc_server_is_not_who_nobody_vouches_for(stack: EmbeddedStack) -> None:
    """Who trusts the public authorities alone does not talk with this one's servers."""
    async with grpc.aio.secure_channel(stack.targets["status"][0], grpc.ssl_channel_credentials()) as channel:
        stub: status_service_pb2_grpc.StatusServiceAsyncStub = status_service_pb2_grpc.StatusServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetDesign(pb.GetDesignRequest(design_id="x"), timeout=WITHIN_S)

    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_plaintext_is_refused_by_postgresql(stack: EmbeddedStack) -> None:
    """The address that services know takes TLS only, which its own authority has to vouch for."""
    dsn = stack.servers.postgres_dsn

    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="TLS only"):
        await asyncpg.connect(dsn, ssl=False)
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncpg.connect(dsn, ssl=ssl.create_default_context())
    connection = await asyncpg.connect(dsn, ssl=trusted(stack))
    try:
        assert await connection.fetchval("SELECT 1") == 1
    finally:
        await connection.close()


async def test_plaintext_is_refused_by_the_object_store(stack: EmbeddedStack, web: httpx.AsyncClient) -> None:
    """The port that speaks HTTPS does not speak HTTP, and has no other."""
    endpoint = stack.servers.s3_endpoint
    assert (await web.get(f"{endpoint}/{stack.servers.s3_bucket}")).status_code == httpx.codes.FORBIDDEN

    answer = await web.get(endpoint.replace("https:", "http:"))
    assert (answer.status_code, "HTTPS" in answer.text) == (httpx.codes.BAD_REQUEST, True)


async def test_clients_and_services_know_the_object_store_by_two_names(
    stack: EmbeddedStack, client: AsyncClient, web: httpx.AsyncClient
) -> None:
    """Services work with one name; signed addresses name the public one, and are good there."""
    design = await client.designs.submit(artwork("#118ab2"), width_mm=40, mockup_scenes=())
    ended = await design.wait(timeout_s=PATIENCE_S)
    inner, public = (
        urlsplit(stack.servers.environment()[f"CUTLINE_S3_{kind}"]) for kind in ("ENDPOINT", "PUBLIC_ENDPOINT")
    )

    assert inner.hostname != public.hostname
    assert {urlsplit(artifact.url).netloc for artifact in ended.artifacts} == {public.netloc}
    assert {(await web.get(artifact.url)).status_code for artifact in ended.artifacts} == {httpx.codes.OK}


async def test_operators_reach_the_queues_at_their_own_address(stack: EmbeddedStack) -> None:
    """QueueService answers at the admin deployment, which the command finds by CUTLINE_ADMIN_TARGET."""
    code, printed = await command(stack, "queue", "stats")

    assert code == 0, printed
    assert "imaging" in printed


@pytest.mark.timeout(300)
async def test_nothing_is_lost_while_every_service_is_restarted_in_turn(stack: EmbeddedStack) -> None:
    """Submitted and watched all the while, each design is made once, and no client notices anything."""
    outcome = await run(stack, SHORT)

    assert outcome.books.wrong == []
    assert [restart.deployment for restart in outcome.restarts] == [kind.name for kind in stack.plan.deployments]
    assert outcome.books.accepted == outcome.books.finished > len(outcome.restarts)
