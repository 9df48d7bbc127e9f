"""Connections to a broker that asks who is there: what is refused is said, and what is renewed is taken."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from structlog.testing import capture_logs

from cutline.domain.states import Lane, Stage
from cutline.embedded.certificates import Certificates
from cutline.embedded.instance import Instance
from cutline.embedded.nats_cluster import NatsCluster
from cutline.embedded.nats_security import NatsSecurity, NKey
from cutline.embedded.ports import PortReservation
from cutline.embedded.process import Order
from cutline.messaging.connection import Broker
from cutline.messaging.permissions import BusUser
from cutline.messaging.publisher import OutgoingMessage, Publisher
from cutline.runtime.settings import NatsSettings
from cutline.runtime.tls import ClientTls, KeyPairFiles
from cutline.telemetry.metrics import Metrics
from tests.support.polling import eventually, until
from tests.support.secured_bus import SecuredBus

WITHIN_S = 30.0


@asynccontextmanager
async def trying(settings: NatsSettings) -> AsyncIterator[tuple[Broker, list[str]]]:
    """A broker that begins to connect, and what ends its process."""
    fatal: list[str] = []
    broker = Broker(settings, name="test", on_fatal=fatal.append)
    await broker.start()
    try:
        yield broker, fatal
    finally:
        await broker.stop()


async def why_not(settings: NatsSettings, reason: str) -> None:
    """Waits until readiness names the reason; nothing of that is fatal, for it may be mended elsewhere."""
    async with trying(settings) as (broker, fatal):

        async def told() -> bool:
            return reason in (await broker.problem() or "")

        await until(told, within_s=WITHIN_S)
        assert not broker.connected
        assert fatal == []


async def test_a_key_that_the_broker_does_not_know_ends_the_process(secured: SecuredBus, tmp_path: Path) -> None:
    """It would be refused at every try; the reason says so."""
    settings = replace(secured.settings(BusUser.IMAGING), nkey_seed=strangers_seed(tmp_path))

    async with trying(settings) as (broker, fatal):
        assert await eventually(lambda: bool(fatal))
        assert not broker.connected

    assert fatal[0] == "the broker refused the login: it does not know this user, or another key of it"


def strangers_seed(folder: Path) -> str:
    """The seed of a key that the broker does not know."""
    with Instance.open(folder) as instance:
        return NKey.of(instance, BusUser.IMAGING).seed


async def test_the_topology_command_says_that_it_is_not_let_in(secured: SecuredBus, tmp_path: Path) -> None:
    """It does not wait for a connection that never comes."""
    pair = secured.certificates.client
    command = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cutline.messaging.apply",
        env={
            **os.environ,
            "CUTLINE_NATS_URL": secured.url,
            "CUTLINE_NATS_NKEY_SEED": strangers_seed(tmp_path),
            "CUTLINE_NATS_CA_FILE": str(secured.certificates.authority),
            "CUTLINE_NATS_CLIENT_CERT_FILE": str(pair.certificate),
            "CUTLINE_NATS_CLIENT_KEY_FILE": str(pair.key),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    told, _ = await command.communicate()

    assert command.returncode == 1
    assert b"the broker refused the login" in told


async def test_nobody_logs_in_without_a_key(secured: SecuredBus) -> None:
    """A certificate alone proves nothing to the broker."""
    async with trying(NatsSettings(secured.url, tls=secured.tls)) as (broker, fatal):
        assert await eventually(lambda: bool(fatal))
        assert not broker.connected


async def test_a_client_without_a_certificate_is_told_so(secured: SecuredBus) -> None:
    """The broker asks for one, and readiness says what the handshake ended with."""
    settings = secured.settings(BusUser.IMAGING)
    await why_not(replace(settings, tls=ClientTls(secured.certificates.authority)), "CERTIFICATE_REQUIRED")


async def test_a_broker_of_another_authority_is_not_trusted(secured: SecuredBus, tmp_path: Path) -> None:
    """Nothing is said to it but that."""
    other = Certificates.of(tmp_path)
    settings = secured.settings(BusUser.IMAGING)
    await why_not(replace(settings, tls=ClientTls(other.authority)), "CERTIFICATE_VERIFY_FAILED")


async def test_a_server_without_tls_is_refused_where_tls_is_asked_for(secured: SecuredBus, nats_url: str) -> None:
    """The login is not sent in plain text because a server, or somebody between, offers nothing else."""
    plain = nats_url.replace("nats://", "tls://")
    await why_not(NatsSettings(plain, tls=secured.tls), "TLS is asked for and the server offers none")


async def test_renewed_files_are_taken_at_the_next_connection(secured: SecuredBus, tmp_path: Path) -> None:
    """A client that has a stranger's certificate now is refused, as is half a file; with the right one it is let in."""
    pair, stranger = secured.certificates.client, Certificates.of(folder(tmp_path, "other")).client
    files = KeyPairFiles(tmp_path / "client.pem", tmp_path / "client-key.pem")

    def put(certificate: Path, key: Path) -> None:
        shutil.copy(key, files.key_path)
        shutil.copy(certificate, files.certificate_path)

    put(pair.certificate, pair.key)
    tls = ClientTls(secured.certificates.authority, files)
    async with trying(replace(secured.settings(BusUser.MOCKUP), tls=tls)) as (broker, fatal):
        assert await broker.wait_connected(WITHIN_S)
        put(stranger.certificate, stranger.key)
        await broker.client.force_reconnect()

        async def refused() -> bool:
            return "UNKNOWN_CA" in (await broker.problem() or "")

        await until(refused)
        files.certificate_path.write_bytes(b"half a file")

        async def unreadable() -> bool:
            return str(files.certificate_path) in (await broker.problem() or "")

        await until(unreadable)
        put(pair.certificate, pair.key)

        assert await broker.wait_connected(WITHIN_S)
        assert fatal == []


def folder(parent: Path, name: str) -> Path:
    """A folder that is there."""
    (parent / name).mkdir()
    return parent / name


async def test_what_is_forbidden_is_told_and_counted(secured: SecuredBus) -> None:
    """A publish that the user may not make fails, is a line with its subject once, and shows in the metrics."""
    reader = InMemoryMetricReader()
    metrics = Metrics.of(MeterProvider([reader]).get_meter("test"))
    ticket = secured.topology.job_subject(Stage.IMAGING, Lane.BULK, "t")
    with capture_logs() as lines:
        async with secured.login(BusUser.MOCKUP, metrics=metrics) as broker:
            publisher = Publisher(broker)
            await publisher.start()
            for number in range(3):
                message = OutgoingMessage(ticket, str(number), b"")
                assert await publisher.publish([message], timeout_s=0.05) == [False]
            await broker.client.flush()

    told = [line for line in lines if line["event"] == "broker.forbidden"]
    assert [(line["action"], line["subject"]) for line in told] == [("publish", ticket)]
    assert counted(reader, "cutline.bus.violations") == {"publish": 3}


def counted(reader: InMemoryMetricReader, name: str) -> dict[str, int]:
    """A counter's values by reason."""
    data = reader.get_metrics_data()
    assert data is not None
    points = [
        point
        for scope in data.resource_metrics[0].scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.data.data_points
    ]
    return {str((point.attributes or {})["cutline.reason"]): int(getattr(point, "value", -1)) for point in points}


async def test_a_node_that_was_only_announced_is_reached_over_tls(tmp_path: Path) -> None:
    """A client that was given one node of a secured cluster goes on at another when that one ends."""
    with Instance.open(tmp_path) as instance:
        certificates, key = Certificates.of(tmp_path), NKey.of(instance, BusUser.STATUS)
        server = certificates.server
        security = NatsSecurity(
            server.certificate, server.key, certificates.authority, users={BusUser.STATUS: key.public}
        )
        ports, order = PortReservation(), Order(hold_descriptors=(instance.lock_descriptor,))
        cluster = NatsCluster(instance, nodes=3, ports=ports, order=order, security=security)
        try:
            await asyncio.gather(*(node.start() for node in cluster.nodes))
            pair = KeyPairFiles(certificates.client.certificate, certificates.client.key)
            settings = NatsSettings(
                cluster.nodes[0].url(), nkey_seed=key.seed, tls=ClientTls(certificates.authority, pair)
            )
            async with trying(settings) as (broker, fatal):
                assert await broker.wait_connected(WITHIN_S)
                assert await eventually(lambda: len(broker.client.discovered_servers) == len(cluster.nodes) - 1)
                await cluster.nodes[0].stop()

                def elsewhere() -> bool:
                    url = broker.client.connected_url
                    return url is not None and url.netloc not in cluster.nodes[0].url()

                assert await eventually(elsewhere)
                assert await broker.problem() is None
                assert fatal == []
        finally:
            await asyncio.gather(*(node.stop() for node in cluster.nodes))
            ports.release()
