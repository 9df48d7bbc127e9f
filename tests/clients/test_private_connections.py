"""The clients in other languages over mutual TLS, with a token in place of a key."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import grpc.aio
import pytest
import trustme
from google.protobuf.any_pb2 import Any as Packed
from google.rpc import error_details_pb2, status_pb2

from cutline.v1 import ingest_service_pb2
from tests.clients.conftest import TOOLCHAINS, example_command

SAMPLE: Final = Path(__file__).parents[2] / "samples/artworks/donut.png"
PATIENCE_S: Final = 60.0


async def who_calls(_: ingest_service_pb2.CreateUploadRequest, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    """Refuses the upload and says whose certificate and whose token it came with."""
    metadata = dict(context.invocation_metadata() or ())
    (name,) = context.auth_context()["x509_subject_alternative_name"]
    told = f"{name.decode()} with {metadata['authorization']!s}"
    detail = Packed()
    detail.Pack(error_details_pb2.ErrorInfo(reason="SCOPE_MISSING", domain="cutline"))
    code = grpc.StatusCode.PERMISSION_DENIED
    refusal = status_pb2.Status(code=code.value[0], message=told, details=[detail])
    await context.abort(code, told, (("grpc-status-details-bin", refusal.SerializeToString()),))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority that nobody else trusts."""
    return trustme.CA()


@pytest.fixture
async def target(authority: trustme.CA) -> AsyncIterator[str]:
    """The address of a server that asks for a certificate of the authority."""
    certificate = authority.issue_cert("localhost")
    server = grpc.aio.server()
    method: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(
        who_calls, request_deserializer=ingest_service_pb2.CreateUploadRequest.FromString
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("cutline.v1.IngestService", {"CreateUpload": method}),)
    )
    credentials = grpc.ssl_server_credentials(
        [(certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())],
        root_certificates=authority.cert_pem.bytes(),
        require_client_auth=True,
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    yield f"localhost:{port}"
    await server.stop(grace=None)


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
async def test_certificates_and_tokens_are_shown(
    toolchain: str, authority: trustme.CA, target: str, tmp_path: Path
) -> None:
    """The variables every client knows name the authority, the client's certificate and the token."""
    own = authority.issue_cert("shop.example")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    own.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    own.private_key_pem.write_to_path(tmp_path / "key.pem")
    process = await asyncio.create_subprocess_exec(
        *example_command(toolchain),
        SAMPLE,
        tmp_path / "files",
        env={
            **os.environ,
            "CUTLINE_TARGET": target,
            "CUTLINE_INGEST_TARGET": "",
            "CUTLINE_STATUS_TARGET": "",
            "CUTLINE_TLS": "on",
            "CUTLINE_CA_FILE": str(tmp_path / "ca.pem"),
            "CUTLINE_CLIENT_CERT_FILE": str(tmp_path / "cert.pem"),
            "CUTLINE_CLIENT_KEY_FILE": str(tmp_path / "key.pem"),
            "CUTLINE_TOKEN": "a-token",
            "CUTLINE_API_KEY": "a-key",
            "no_proxy": "localhost",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)

    assert output.decode() == "SCOPE_MISSING: shop.example with Bearer a-token\n"
    assert process.returncode == 1
