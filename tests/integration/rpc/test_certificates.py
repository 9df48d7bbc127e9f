"""gRPC over TLS: who is let in, and certificates that are renewed while the server runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from structlog.testing import capture_logs

from cutline.runtime.settings import GrpcTlsSettings
from cutline.runtime.tls import KeyPairFiles
from cutline.v1 import ingest_service_pb2, ingest_service_pb2_grpc
from tests.integration.rpc.conftest import Served, Serving
from tests.support.secret_mount import SecretMount

AUTHORITY, NEXT_AUTHORITY = trustme.CA(), trustme.CA()
CLIENTS, STRANGERS = trustme.CA(), trustme.CA()
SERVER = AUTHORITY.issue_cert("127.0.0.1")
CREDENTIAL = (("authorization", "Bearer acme:designs:write"),)


@pytest.fixture
def mount(tmp_path: Path) -> SecretMount:
    """The server's files: its certificate, and the root of its clients."""
    mount = SecretMount(tmp_path / "tls")
    mount.put_certificate(SERVER, ca=CLIENTS.cert_pem.bytes())
    return mount


def _expired(authority: trustme.CA, identity: str) -> trustme.LeafCert:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    return authority.issue_cert(identity, not_before=yesterday - timedelta(days=30), not_after=yesterday)


def _settings(mount: SecretMount, *, mutual: bool = False) -> GrpcTlsSettings:
    pair = KeyPairFiles(mount.folder / "tls.crt", mount.folder / "tls.key")
    return GrpcTlsSettings(pair, mount.folder / "ca.crt" if mutual else None)


@asynccontextmanager
async def _channel(
    served: Served, roots: trustme.CA = AUTHORITY, leaf: trustme.LeafCert | None = None
) -> AsyncIterator[grpc.aio.Channel]:
    """A connection of its own, of a client that trusts `roots` and shows `leaf`."""
    credentials = grpc.ssl_channel_credentials(
        roots.cert_pem.bytes(),
        leaf.private_key_pem.bytes() if leaf else None,
        leaf.cert_chain_pems[0].bytes() if leaf else None,
    )
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.secure_channel(f"127.0.0.1:{served.server.port}", credentials, options) as channel:
        yield channel


async def _code(channel: grpc.aio.Channel) -> grpc.StatusCode:
    call: Any = ingest_service_pb2_grpc.IngestServiceStub(channel).CreateUpload(
        ingest_service_pb2.CreateUploadRequest(), metadata=CREDENTIAL
    )
    code: grpc.StatusCode = await call.code()
    return code


async def _answers(served: Served, roots: trustme.CA = AUTHORITY, leaf: trustme.LeafCert | None = None) -> bool:
    """Whether a new connection gets an answer, and not just an end."""
    async with _channel(served, roots, leaf) as channel:
        code = await _code(channel)
    assert code in {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
    return code is grpc.StatusCode.OK


async def test_a_client_that_trusts_the_servers_root_is_served(serving: Serving, mount: SecretMount) -> None:
    """With the right root calls are answered; with another one, and in plaintext, none is."""
    async with serving(tls=_settings(mount)) as served:
        assert await _answers(served)
        assert not await _answers(served, NEXT_AUTHORITY)
        assert await _code(served.channel) is grpc.StatusCode.UNAVAILABLE


async def test_clients_show_a_certificate_where_their_root_is_set(serving: Serving, mount: SecretMount) -> None:
    """A certificate of the clients' authority opens; none, a stranger's, the server's own and an expired one do not."""
    async with serving(tls=_settings(mount, mutual=True)) as served:
        assert await _answers(served, leaf=CLIENTS.issue_cert("orders.example"))
        for refused in (
            None,
            STRANGERS.issue_cert("orders.example"),
            SERVER,
            _expired(CLIENTS, "orders.example"),
        ):
            assert not await _answers(served, leaf=refused)


async def test_a_certificate_is_no_credential(serving: Serving, mount: SecretMount) -> None:
    """Who shows a certificate still has to say who calls."""
    async with (
        serving(tls=_settings(mount, mutual=True)) as served,
        _channel(served, leaf=CLIENTS.issue_cert("a.example")) as channel,
    ):
        call: Any = ingest_service_pb2_grpc.IngestServiceStub(channel).CreateUpload(
            ingest_service_pb2.CreateUploadRequest()
        )
        assert await call.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_an_expired_certificate_is_renewed_without_a_restart(serving: Serving, mount: SecretMount) -> None:
    """Clients refuse the expired certificate; as soon as the files hold a valid one they are served."""
    mount.put_certificate(_expired(AUTHORITY, "127.0.0.1"), ca=b"")
    async with serving(tls=_settings(mount)) as served:
        assert not await _answers(served)

        mount.put_certificate(AUTHORITY.issue_cert("127.0.0.1"), ca=b"")

        assert await _answers(served)


async def test_new_connections_get_the_renewed_files_and_old_ones_go_on(serving: Serving, mount: SecretMount) -> None:
    """A certificate of another authority, and another root of clients, hold for whoever connects from then on."""
    leaf = CLIENTS.issue_cert("orders.example")
    async with serving(tls=_settings(mount, mutual=True)) as served, _channel(served, leaf=leaf) as old:
        assert await _code(old) is grpc.StatusCode.OK

        mount.put_certificate(NEXT_AUTHORITY.issue_cert("127.0.0.1"), ca=STRANGERS.cert_pem.bytes())

        assert await _answers(served, NEXT_AUTHORITY, STRANGERS.issue_cert("orders.example"))
        assert not await _answers(served, NEXT_AUTHORITY, leaf)
        assert not await _answers(served, AUTHORITY, STRANGERS.issue_cert("orders.example"))
        assert await _code(old) is grpc.StatusCode.OK


async def test_no_connection_meets_half_a_renewal(serving: Serving, tmp_path: Path) -> None:
    """However files are replaced, one after the other or all at once, every connection meanwhile is answered."""
    leaves = [AUTHORITY.issue_cert("127.0.0.1") for _ in range(4)]
    mount, plain = SecretMount(tmp_path / "mount"), tmp_path / "plain"
    plain.mkdir()
    mount.put_certificate(leaves[0], ca=b"")
    (plain / "tls.crt").write_bytes(leaves[0].cert_chain_pems[0].bytes())
    (plain / "tls.key").write_bytes(leaves[0].private_key_pem.bytes())

    async with (
        serving(tls=_settings(mount)) as at_once,
        serving(tls=GrpcTlsSettings(KeyPairFiles(plain / "tls.crt", plain / "tls.key"))) as in_steps,
    ):
        for leaf in leaves:
            mount.put_certificate(leaf, ca=b"")
            assert await _answers(at_once)
            (plain / "tls.crt").write_bytes(leaf.cert_chain_pems[0].bytes())
            assert await _answers(in_steps)
            (plain / "tls.key").write_bytes(leaf.private_key_pem.bytes())
            assert await _answers(in_steps)


async def test_files_that_cannot_be_used_leave_the_old_certificate(serving: Serving, mount: SecretMount) -> None:
    """Another's key, no root and a file that is gone are each told once, while new connections get what worked."""
    leaf, others, roots = CLIENTS.issue_cert("o.example"), AUTHORITY.issue_cert("127.0.0.1"), CLIENTS.cert_pem.bytes()
    async with serving(tls=_settings(mount, mutual=True)) as served:
        with capture_logs() as lines:
            mount.put_certificate(others, key_of=SERVER, ca=roots)
            assert await _answers(served, leaf=leaf)
            assert await _answers(served, leaf=leaf)
            mount.put_certificate(others, ca=b"no root")
            assert await _answers(served, leaf=leaf)
            mount.put(tls_crt=b"", ca_crt=roots)
            assert await _answers(served, leaf=leaf)
            mount.put_certificate(NEXT_AUTHORITY.issue_cert("127.0.0.1"), ca=roots)
            assert await _answers(served, NEXT_AUTHORITY, leaf)

    events = [line["event"] for line in lines if line["event"].startswith("rpc.certificates")]
    assert events == ["rpc.certificates_unusable"] * 3 + ["rpc.certificates_renewed"]
    problems = [line["problem"] for line in lines if line["event"] == "rpc.certificates_unusable"]
    assert "is not the one of the certificate" in problems[0]
    assert "ca.crt holds no certificate" in problems[1]
    assert "tls.key cannot be read" in problems[2]
