"""TLS: own roots, client certificates, and credentials that never cross a network in plaintext by accident."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import pytest
import trustme

from cutline.client import BadSettingError, Client, ClientSettings, UnavailableError
from cutline.v1 import design_pb2, status_service_pb2
from tests.support.sdk_clients import sdk_client


def get_design(request: status_service_pb2.GetDesignRequest, context: grpc.ServicerContext) -> design_pb2.Design:
    """A design that says who asked: its title is the credential, its reference the name in the certificate."""
    metadata = {str(key): str(value) for key, value in context.invocation_metadata()}
    names = [bytes(name) for name in context.auth_context().get("x509_subject_alternative_name", ())]
    return design_pb2.Design(id=request.design_id, title=metadata["authorization"], reference=b"".join(names).decode())


GET_DESIGN = grpc.unary_unary_rpc_method_handler(
    get_design,
    request_deserializer=status_service_pb2.GetDesignRequest.FromString,
    response_serializer=design_pb2.Design.SerializeToString,
)


@dataclass
class TlsStand:
    """Servers with certificates of an authority nobody knows.

    Attributes:
        settings: Of a client that trusts the authority.
        mutual_target: Where a client certificate is asked for.
        folder: Where the files are.
    """

    settings: ClientSettings
    mutual_target: str
    folder: Path


@pytest.fixture
async def tls(tmp_path: Path) -> AsyncIterator[TlsStand]:
    """A server that shows its certificate, and one that wants the client's too."""
    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1", "localhost")
    clients = authority.issue_cert("orders@example.com")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    clients.cert_chain_pems[0].write_to_path(tmp_path / "client.pem")
    clients.private_key_pem.write_to_path(tmp_path / "client.key")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    pair = [(own.private_key_pem.bytes(), own.cert_chain_pems[0].bytes())]
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads)
        handler = grpc.method_handlers_generic_handler("cutline.v1.StatusService", {"GetDesign": GET_DESIGN})
        server.add_generic_rpc_handlers((handler,))
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(pair))
        mutual = grpc.ssl_server_credentials(pair, authority.cert_pem.bytes(), require_client_auth=True)
        mutual_port = server.add_secure_port("127.0.0.1:0", mutual)
        server.start()
        target = f"127.0.0.1:{port}"
        settings = ClientSettings(target, target, "ck_secret", ca_file=tmp_path / "ca.pem")
        try:
            yield TlsStand(settings, f"127.0.0.1:{mutual_port}", tmp_path)
        finally:
            server.stop(None).wait()


async def test_own_roots_are_trusted(tls: TlsStand, sdk_kind: str) -> None:
    """A CA file is enough to speak TLS with a server of a private authority, by key and by token."""
    async with sdk_client(sdk_kind, tls.settings) as client:
        assert (await client.designs.read("d")).title == "Bearer ck_secret"
    async with sdk_client(sdk_kind, replace(tls.settings, token=lambda: "a.jwt.token")) as client:
        assert (await client.designs.read("d")).title == "Bearer a.jwt.token"


async def test_a_client_certificate_is_shown(tls: TlsStand, sdk_kind: str) -> None:
    """With certificate and key the server knows who calls; without them it answers nothing."""
    settings = replace(tls.settings, status_target=tls.mutual_target)
    shown = replace(settings, client_cert_file=tls.folder / "client.pem", client_key_file=tls.folder / "client.key")
    async with sdk_client(sdk_kind, shown) as client:
        assert (await client.designs.read("d")).reference == "orders@example.com"
    async with sdk_client(sdk_kind, settings, max_retries=0) as client:
        with pytest.raises(UnavailableError):
            await client.designs.read("d")


@pytest.mark.parametrize(("ca_file", "speaks_tls"), [("other.pem", True), (None, True), (None, False)])
async def test_a_server_nobody_vouches_for_gets_no_call(
    tls: TlsStand, sdk_kind: str, ca_file: str | None, speaks_tls: bool
) -> None:
    """Under another root, under the public ones, and in plaintext the call ends before anything was answered."""
    roots = tls.folder / ca_file if ca_file else None
    settings = replace(tls.settings, ca_file=roots, tls=speaks_tls)
    async with sdk_client(sdk_kind, settings, max_retries=0) as client:
        with pytest.raises(UnavailableError, match=r"cannot be reached"):
            await client.designs.read("d")


@pytest.mark.parametrize(
    ("target", "tls", "speaks"),
    [
        ("127.0.0.1:7001", None, False),
        ("localhost:7001", None, False),
        ("127.8.8.8:7001", None, False),
        ("unix:/run/cutline.sock", None, False),
        ("ipv4:127.0.0.1:1,127.0.0.1:2", None, False),
        ("ipv4:127.0.0.1:1,10.0.0.1:2", None, True),
        ("10.0.0.1:7001", None, True),
        ("dns:///cutline.example:443", None, True),
        ("localhost.example:443", None, True),
        ("cutline.example:443", False, False),
        ("127.0.0.1:7001", True, True),
    ],
)
def test_plaintext_goes_to_another_machine_only_where_that_is_said(target: str, tls: bool | None, speaks: bool) -> None:
    """Without a word TLS is spoken with whatever may be another machine, so that no credential is seen on the way."""
    assert ClientSettings(target, target, "k", tls=tls).speaks_tls(target) is speaks


def test_files_for_tls_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    """A file that is not there, half of a client certificate, and files beside TLS that is off are told by variable."""
    with (
        pytest.raises(BadSettingError, match=r"CUTLINE_CA_FILE: .*none\.pem: No such file"),
        Client(ClientSettings("a:1", "a:1", "k", ca_file=tmp_path / "none.pem")),
    ):
        pass
    with pytest.raises(BadSettingError, match="CUTLINE_CLIENT_CERT_FILE and CUTLINE_CLIENT_KEY_FILE go together"):
        ClientSettings("a:1", "a:1", "k", client_cert_file="client.pem")
    with pytest.raises(BadSettingError, match="CUTLINE_TLS is off, but files for TLS are set"):
        ClientSettings("a:1", "a:1", "k", tls=False, ca_file="ca.pem")
